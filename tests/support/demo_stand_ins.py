"""Fake models with fixed answers, a server for them in a thread, and a client."""

import http.client
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from skxmr.demo import application
from skxmr.demo._server import listen, make_server, url_of

JSON = {"Content-Type": "application/json"}
# Each further letter of a prefix gives another list, so that tests can tell them apart.
QUERIES = ["steam engines", "stations", "statistics", "stars", "sun", "Ångström"]

CORRECTIONS = {
    "weak railwais": "railways",
    "nothing railwais": "railways",
    "strong railwais": "railways",
    "nothing <b>": "<script>alert(1)</script> &",
    "nothing long": "x" * 300,
}


class StandIn:
    """Completes from a short list; after "railways", "stations" is first.

    A search for a text that begins with "nothing" finds nothing, and one that begins
    with "weak" nothing of a high score.
    """

    def complete(self, prefix, previous, k=10):
        queries = list(QUERIES)
        if "railways" in previous:
            queries.sort(key=lambda query: query != "stations")
        found = [query for query in queries if query.lower().startswith(prefix.lower())]
        return [(query, 1 / position) for position, query in enumerate(found, 1)]

    def search(self, text):
        if text == "fail":
            raise RuntimeError("secret")
        if text.startswith("nothing"):
            return []
        best, second = (0.1, 0.05) if text.startswith("weak") else (0.75, 0.5)
        return [(3, f"about {text}", best), (7, None, second)]

    def did_you_mean(self, text):
        return CORRECTIONS.get(text)


class Slow(StandIn):
    """Answers the text "slow" only once `go_on` is set."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()

    def search(self, text):
        if text == "slow":
            self.begun.release()
            self.go_on.wait(timeout=10)
        return super().search(text)


@dataclass
class Serving:
    """A running server: its address, uvicorn's object, and its models."""

    address: tuple[str, int]
    url: str
    uvicorn: uvicorn.Server
    catalogue: StandIn | None = None


@contextmanager
def serving(catalogue, host="127.0.0.1", **options):
    """Serve the demo in a thread; `options` are those of `application`."""
    with running(application(catalogue, **options), host) as server:
        server.catalogue = catalogue
        yield server


@contextmanager
def running(app, host="127.0.0.1"):
    """Run an application in a thread."""
    server = make_server(app)
    with listen(host, 0) as listener:
        found = Serving(listener.getsockname()[:2], url_of(listener), server)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield found
        finally:
            server.should_exit = True
            thread.join()


def request(server, method, path, body=None, headers=None):
    """Send a request; return the response and its body."""
    connection = http.client.HTTPConnection(*server.address, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def post(server, path, fields, headers=JSON):
    """Call the API; return status and fields of the response."""
    response, body = request(server, "POST", path, json.dumps(fields), headers)
    return response.status, json.loads(body)
