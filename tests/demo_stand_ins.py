"""Models that answer by rule, and a server around them."""

import threading
from contextlib import contextmanager

from skxmr.demo import DemoServer

# One letter more always leaves another list, so that a test can tell them apart.
QUERIES = ["steam engines", "stations", "statistics", "stars", "sun", "Ångström"]


class StandIn:
    """Completes from a short list; what follows "railways" is "stations"."""

    def complete(self, prefix, previous, k=10):
        queries = list(QUERIES)
        if "railways" in previous:
            queries.sort(key=lambda query: query != "stations")
        found = [query for query in queries if query.lower().startswith(prefix.lower())]
        return [(query, 1 / place) for place, query in enumerate(found, 1)]

    def search(self, text):
        if text == "fail":
            raise RuntimeError("secret")
        return [(3, f"about {text}", 0.75), (7, None, 0.5)]


class Slow(StandIn):
    """Answers the text "slow" only when it is told to."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()

    def search(self, text):
        if text == "slow":
            self.begun.release()
            self.go_on.wait(timeout=10)
        return super().search(text)


@contextmanager
def serving(catalogue, host="127.0.0.1", **limits):
    """Serve from a thread of its own."""
    with DemoServer((host, 0), catalogue, **limits) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
