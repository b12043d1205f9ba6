"""BM25 by tantivy: a document for each label, with its fields and training texts."""

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np
import tantivy
from benchworker import run

FIELD_SEPARATOR = "\t"
TEXTS = "texts"
# Enough for a single segment: the fastest to search, and its documents are numbered in
# the order in which they were added, so that they need no field with the label.
HEAP_BYTES = 1_000_000_000


def make_tokenizer():
    """The default tokenizer of the fields, but for its limit of 40 bytes."""
    words = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    return words.filter(tantivy.Filter.lowercase()).build()


class Tantivy:
    """Its defaults: k1 = 1.2, b = 0.75, the scores of a word's fields are added.

    Without positions of words, which such queries do not need.
    """

    version = version("tantivy")

    def __init__(self, settings, threads, seed):
        del threads, seed  # the index is built by one thread
        self.n_label_rows = settings["label_rows"]

    def prepare(self, X, Y):
        """Make the fields of each label; those of the last rows are its own."""
        n_rows = len(X) - self.n_label_rows
        self.documents = [{} for _ in range(Y.shape[1])]
        for row, text in enumerate(X.tolist()):
            for column in Y.indices[Y.indptr[row] : Y.indptr[row + 1]].tolist():
                document = self.documents[column]
                if row < n_rows:
                    document.setdefault(TEXTS, []).append(text)
                    continue
                for number, field in enumerate(text.split(FIELD_SEPARATOR)):
                    document[f"field{number}"] = [field]
        names = {name for document in self.documents for name in document}
        self.fields = sorted(names)

    def fit(self):
        start = perf_counter()
        # It writes while it is built; `save` moves the folder.
        self.folder = tempfile.mkdtemp()
        builder = tantivy.SchemaBuilder()
        for name in self.fields:
            builder.add_text_field(name, index_option="freq")
        index = tantivy.Index(builder.build(), path=self.folder)
        writer = index.writer(HEAP_BYTES, num_threads=1)
        for document in self.documents:
            writer.add_document(tantivy.Document(**document))
        writer.commit()
        writer.wait_merging_threads()
        return None, perf_counter() - start

    def save(self, folder):
        shutil.move(self.folder, folder)
        Path(folder, "fields.txt").write_text("\n".join(self.fields))

    def load(self, folder, layout):
        del layout
        self.fields = Path(folder, "fields.txt").read_text().split("\n")
        self.tokenizer = make_tokenizer()
        self.index = tantivy.Index.open(str(folder))
        self.schema = self.index.schema
        self.searcher = self.index.searcher()
        if self.searcher.num_segments != 1:
            raise ValueError(f"{self.searcher.num_segments} segments instead of one")

    def queries(self, X):
        return X.tolist()

    def find(self, text, k):
        """The labels of the k best documents, at most."""
        terms = [
            tantivy.Query.term_query(self.schema, name, word)
            for word in self.tokenizer.analyze(text)
            for name in self.fields
        ]
        query = tantivy.Query.boolean_query(
            [(tantivy.Occur.Should, term) for term in terms]
        )
        hits = self.searcher.search(query, k, count=False).hits
        return [address.doc for _, address in hits]

    def predict(self, queries, k, threads):
        del threads
        found = np.full((len(queries), k), -1, dtype=np.int64)
        for row, text in enumerate(queries):
            labels = self.find(text, k)
            found[row, : len(labels)] = labels
        return found

    def columns(self, predicted, k):
        del k
        return predicted

    def one_by_one(self, X, k):
        texts = X.tolist()

        def call(row):
            return self.find(texts[row], k)

        return call


if __name__ == "__main__":
    run(Tantivy)
