"""Soak test of the demo server: mixed requests for minutes, then an overload.

``python tests/tools/soak.py`` starts ``python -m skxmr.demo`` on a free port of this
machine and sends requests to it only, in four phases:

1. steady: typed prefixes, searches for titles and page loads, at a steady rate;
2. capacity: searches for a long text, each client as soon as it is answered, to measure
   how many the server answers a second;
3. overload: four times that rate;
4. recovered: the steady load again.

The long text has 1500 titles: answering it costs the server far more than sending it
costs the client, so that one client process can overload the server on the same two
CPUs. The script prints latencies, the memory of the server and the outcomes of each
phase as JSON. It fails if a request fails, if the overload is lower than intended, or
if the server does not recover. All phases are bounded in time and in requests.
"""

import argparse
import http.client
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter

import numpy as np
import psutil

from skxmr.datasets import load_subjects

HEADERS = {"Content-Type": "application/json"}
WARM_UP = 2.0  # seconds before memory is measured for the first time
MAX_REQUESTS = 1_000_000
REUSE = 2.0  # seconds; the server closes connections that are idle for five
N_CLIENTS = 128  # eight times the requests that the server accepts at a time
OVERLOAD = 4
N_TITLES_OF_LONG_TEXT = 1500


class Client:
    """A client with one connection, which it opens again after the server closed it."""

    def __init__(self, port):
        self.port = port
        self.connection = None
        self.last_used = 0.0

    def ask(self, method, path, fields=None):
        """Send a request; return status, headers and body of the response."""
        if time.monotonic() - self.last_used > REUSE:
            self.close()
        if self.connection is None:
            self.connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=30
            )
        body = None if fields is None else json.dumps(fields)
        self.connection.request(method, path, body, HEADERS if fields else {})
        response = self.connection.getresponse()
        answer = response.read()
        self.last_used = time.monotonic()
        if response.will_close:
            self.close()
        return response.status, response.headers, answer

    def close(self):
        """Close the connection, if there is one."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class MixedRequests:
    """An endless mix: prefixes as they are typed, searches, sometimes the page."""

    def __init__(self, titles, names, seed):
        self.titles = titles
        self.names = names
        self.random = random.Random(seed)
        self.pending = []

    def next(self):
        """Return the next request: method, path, fields."""
        if not self.pending:
            self.pending = list(self._visit())
        return self.pending.pop(0)

    def _visit(self):
        if self.random.random() < 0.1:
            yield "GET", "/", None
        previous = self.random.choices(self.names, k=self.random.randrange(3))
        name = self.random.choice(self.names)
        for length in range(1, self.random.randint(2, 8)):
            fields = {"prefix": name[:length], "previous": previous}
            yield "POST", "/api/complete", fields
        yield "POST", "/api/search", {"text": self.random.choice(self.titles)}


class LongSearches:
    """Always the same search, for a text of many titles."""

    def __init__(self, titles, names, seed):
        chosen = random.Random(seed).choices(titles, k=N_TITLES_OF_LONG_TEXT)
        self.request = "POST", "/api/search", {"text": " ".join(chosen)}

    def next(self):
        """Return the next request: method, path, fields."""
        return self.request


class Outcome:
    """Counts how the requests of a phase ended, and keeps their latencies."""

    def __init__(self):
        self.lock = threading.Lock()
        self.endings = Counter()
        self.milliseconds = {"answered": [], "rejected": []}

    def note(self, ending, seconds):
        """Count one request; keep the latency of an answered or a rejected one."""
        with self.lock:
            self.endings[ending] += 1
            if ending in self.milliseconds:
                self.milliseconds[ending].append(1000 * seconds)

    def summary(self, seconds):
        """Summarize a phase that took so many seconds."""
        times = {
            f"{ending}_p{percent}_ms": round(float(np.percentile(found, percent)), 2)
            for ending, found in self.milliseconds.items()
            for percent in (50, 99)
            if found
        }
        return {
            "seconds": round(seconds, 1),
            "requests": sum(self.endings.values()),
            "endings": dict(self.endings),
            "answered_per_second": round(self.endings["answered"] / seconds, 1),
            **times,
        }


def ending_of(status, headers, answer):
    """Classify a response: "answered", "rejected" as documented, or its status."""
    if status == 200:
        return "answered"
    is_clear = (
        headers.get("Retry-After") == "1" and "busy" in json.loads(answer)["error"]
    )
    return "rejected" if status == 503 and is_clear else f"status {status}"


def drive(port, requests, outcome, *, rate, start, end, budget):
    """Send requests at a rate from `start` until `end`.

    With `rate` None, each follows the answer to the one before immediately.
    """
    client = Client(port)
    for number in range(budget):
        due = start + number / rate if rate else 0.0
        time.sleep(max(0.0, due - time.monotonic()))
        sent = time.monotonic()
        if sent >= end:
            break
        try:
            ending = ending_of(*client.ask(*requests.next()))
        except (OSError, http.client.HTTPException) as error:
            ending = type(error).__name__
            client.close()
        outcome.note(ending, time.monotonic() - sent)
    client.close()


def run_phase(port, data, *, n_clients, rate, seconds, kind=MixedRequests):
    """Let clients send requests for some seconds; `rate` is that of all together."""
    outcome, start = Outcome(), time.monotonic()
    threads = [
        threading.Thread(
            target=drive,
            args=(port, kind(*data, seed), outcome),
            kwargs={
                # Each client starts a little later, so that they send evenly.
                "rate": rate and rate / n_clients,
                "start": start + (seed / rate if rate else 0.0),
                "end": start + seconds,
                "budget": MAX_REQUESTS // n_clients,
            },
        )
        for seed in range(n_clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcome.summary(time.monotonic() - start)


def soak(process, port, data, *, seconds, rate, overload_seconds):
    """Run all phases against a server.

    Parameters
    ----------
    process : psutil.Process
        The server.
    port : int
    data : tuple (titles, names)
        Lists of str to make requests of.
    seconds, rate : float
        Duration of the steady phase, and its requests a second.
    overload_seconds : float
        Duration of each of the other phases.

    Returns
    -------
    dict
        A summary of each phase, and resident memory in MB.
    """
    resident = lambda: round(process.memory_info().rss / 2**20, 1)  # noqa: E731
    run_phase(port, data, n_clients=4, rate=rate, seconds=WARM_UP)
    found = {"resident_MB_at_start": resident()}
    found["steady"] = run_phase(port, data, n_clients=4, rate=rate, seconds=seconds)
    found["resident_MB_at_end"] = resident()
    # Fewer clients than requests that the server accepts, so that it rejects none.
    found["capacity"] = run_phase(
        port,
        data,
        n_clients=8,
        rate=None,
        seconds=overload_seconds,
        kind=LongSearches,
    )
    capacity = found["capacity"]["answered_per_second"]
    found["overload"] = overload = run_phase(
        port,
        data,
        n_clients=N_CLIENTS,
        rate=OVERLOAD * capacity,
        seconds=overload_seconds,
        kind=LongSearches,
    )
    sent = overload["requests"] / overload_seconds  # not the time until the last answer
    overload["sent_times_capacity"] = round(sent / capacity, 2)
    found["recovered"] = run_phase(
        port, data, n_clients=4, rate=rate, seconds=overload_seconds
    )
    found["resident_MB_after_overload"] = resident()
    return found


def faults(found):
    """List failures: the overload, and no other phase, must have rejected requests."""
    wrong = []
    for phase in ("steady", "capacity", "overload", "recovered"):
        allowed = {"answered", "rejected"} if phase == "overload" else {"answered"}
        for ending, count in found[phase]["endings"].items():
            if ending not in allowed:
                wrong.append(f"{phase}: {count} {ending}")
    if not found["overload"]["endings"].get("rejected"):
        wrong.append("overload: nothing was rejected")
    return wrong


def shortfalls(found):
    """List what was missed: the intended overload, or the recovery from it."""
    missed = []
    times = found["overload"]["sent_times_capacity"]
    if times < 0.95 * OVERLOAD:
        missed.append(f"overload: sent {times} times the capacity, not {OVERLOAD}")
    before, after = (
        found[phase]["answered_per_second"] for phase in ("steady", "recovered")
    )
    if after < 0.95 * before:
        missed.append(f"recovered: {after} answers a second, {before} before")
    return missed


def main():
    """Start a server, run all phases, print the summary."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second")
    parser.add_argument("--overload-seconds", type=float, default=15.0)
    parser.add_argument("--models", default=None, help="as for python -m skxmr.demo")
    options = parser.parse_args()
    subjects = load_subjects()
    data = list(subjects.data), list(subjects.target_names)
    command = [sys.executable, "-m", "skxmr.demo", "--port", "0"]
    if options.models is not None:
        command += ["--models", options.models]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            line = next(line for line in server.stdout if line.startswith("Open "))
            port = int(line.split("/ ")[0].rpartition(":")[2])
            found = soak(
                psutil.Process(server.pid),
                port,
                data,
                seconds=options.seconds,
                rate=options.rate,
                overload_seconds=options.overload_seconds,
            )
        finally:
            server.terminate()
            server.stdout.read()  # until it has exited
    print(json.dumps(found, indent=1))
    wrong = faults(found) + shortfalls(found)
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
