"""Mixed requests to the demo server for some minutes, then more than it can carry.

``python tests/soak.py`` starts ``python -m skxmr.demo`` on a free port of this machine,
and talks to nothing else. At a steady rate it types prefixes letter by letter, searches
titles and opens the page; then it measures how many long questions the server answers a
second, and asks four times as many. Long ones are 1500 titles each: they cost
the server far more than asking costs, so that one process asks as many as it has to
beside the server, on the same two cores. It prints, as JSON, latencies, the memory of
the server, and how each phase's requests ended; it fails where one went wrong, where
fewer were asked than meant, or where the steady load is not answered as before once the
overload is over. All phases are bounded in time and in requests.
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
SETTLING = 2.0  # seconds before memory is read for the first time
MOST_REQUESTS = 1_000_000
N_CLIENTS = 128  # eight times what the server answers at once
OVERLOAD = 4
TITLES_OF_A_LONG_QUESTION = 1500


class Client:
    """One connection, which is opened again when the server has closed it."""

    def __init__(self, port):
        self.port = port
        self.connection = None

    def ask(self, method, path, fields=None):
        """Send a request; give the status, the headers and the body of the answer."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=30
            )
        body = None if fields is None else json.dumps(fields)
        self.connection.request(method, path, body, HEADERS if fields else {})
        response = self.connection.getresponse()
        answer = response.read()
        if response.will_close:
            self.close()
        return response.status, response.headers, answer

    def close(self):
        """Close the connection, if there is one."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Questions:
    """An endless mix: prefixes as they are typed, searches, the page now and then."""

    def __init__(self, titles, names, seed):
        self.titles = titles
        self.names = names
        self.random = random.Random(seed)
        self.waiting = []

    def next(self):
        """Give the next request: method, path, fields."""
        if not self.waiting:
            self.waiting = list(self._visit())
        return self.waiting.pop(0)

    def _visit(self):
        if self.random.random() < 0.1:
            yield "GET", "/", None
        previous = self.random.choices(self.names, k=self.random.randrange(3))
        name = self.random.choice(self.names)
        for length in range(1, self.random.randint(2, 8)):
            fields = {"prefix": name[:length], "previous": previous}
            yield "POST", "/api/complete", fields
        yield "POST", "/api/search", {"text": self.random.choice(self.titles)}


class LongQuestions:
    """An endless row of searches for many titles at once."""

    def __init__(self, titles, names, seed):
        chosen = random.Random(seed).choices(titles, k=TITLES_OF_A_LONG_QUESTION)
        self.question = "POST", "/api/search", {"text": " ".join(chosen)}

    def next(self):
        """Give the next request, which is as long as all."""
        return self.question


class Outcome:
    """How the requests of a phase ended, and how long they took."""

    def __init__(self):
        self.lock = threading.Lock()
        self.endings = Counter()
        self.milliseconds = {"answered": [], "shed": []}

    def note(self, ending, seconds):
        """Note one request; the times of those that ended well are kept."""
        with self.lock:
            self.endings[ending] += 1
            if ending in self.milliseconds:
                self.milliseconds[ending].append(1000 * seconds)

    def summary(self, seconds):
        """Sum up a phase of so many seconds."""
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
    """Tell how a request ended: "answered", "shed" or what is wrong."""
    if status == 200:
        return "answered"
    is_clear = (
        headers.get("Retry-After") == "1" and "busy" in json.loads(answer)["error"]
    )
    return "shed" if status == 503 and is_clear else f"status {status}"


def drive(port, questions, outcome, *, rate, end, budget):
    """Ask at a rate until an end; at None, as soon as the last answer is there."""
    client, started = Client(port), time.monotonic()
    for number in range(budget):
        due = started + number / rate if rate else 0.0
        time.sleep(max(0.0, due - time.monotonic()))
        start = time.monotonic()
        if start >= end:
            break
        try:
            ending = ending_of(*client.ask(*questions.next()))
        except (OSError, http.client.HTTPException) as error:
            ending = type(error).__name__
            client.close()
        outcome.note(ending, time.monotonic() - start)
    client.close()


def run_phase(port, data, *, n_clients, rate, seconds, kind=Questions):
    """Let some clients ask for some seconds; `rate` is that of all together."""
    outcome, start = Outcome(), time.monotonic()
    threads = [
        threading.Thread(
            target=drive,
            args=(port, kind(*data, seed), outcome),
            kwargs={
                "rate": rate and rate / n_clients,
                "end": start + seconds,
                "budget": MOST_REQUESTS // n_clients,
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
        Lists of str to ask with.
    seconds, rate : float
        Of the steady phase; requests a second.
    overload_seconds : float
        Of each of the other phases.

    Returns
    -------
    dict
        A summary of each phase, and resident memory in MB.
    """
    resident = lambda: round(process.memory_info().rss / 2**20, 1)  # noqa: E731
    run_phase(port, data, n_clients=4, rate=rate, seconds=SETTLING)
    found = {"resident_MB_at_start": resident()}
    found["steady"] = run_phase(port, data, n_clients=4, rate=rate, seconds=seconds)
    found["resident_MB_at_end"] = resident()
    # Fewer than are answered at once, so that none is told to come back.
    found["capacity"] = run_phase(
        port,
        data,
        n_clients=8,
        rate=None,
        seconds=overload_seconds,
        kind=LongQuestions,
    )
    carried = found["capacity"]["answered_per_second"]
    found["overload"] = overload = run_phase(
        port,
        data,
        n_clients=N_CLIENTS,
        rate=OVERLOAD * carried,
        seconds=overload_seconds,
        kind=LongQuestions,
    )
    asked = overload["requests"] / overload_seconds  # then all were on their way
    overload["asked_times_capacity"] = round(asked / carried, 2)
    found["recovered"] = run_phase(
        port, data, n_clients=4, rate=rate, seconds=overload_seconds
    )
    found["resident_MB_after_overload"] = resident()
    return found


def faults(found):
    """List what went wrong: any ending but "answered", and "shed" under overload."""
    wrong = []
    for phase in ("steady", "capacity", "overload", "recovered"):
        allowed = {"answered", "shed"} if phase == "overload" else {"answered"}
        for ending, count in found[phase]["endings"].items():
            if ending not in allowed:
                wrong.append(f"{phase}: {count} {ending}")
    if not found["overload"]["endings"].get("shed"):
        wrong.append("overload: nothing was shed")
    return wrong


def shortfalls(found):
    """List what was not reached: the overload that was meant, and the end of it."""
    missed = []
    times = found["overload"]["asked_times_capacity"]
    if times < 0.95 * OVERLOAD:
        missed.append(f"overload: asked {times} times what is carried, not {OVERLOAD}")
    before, after = (
        found[phase]["answered_per_second"] for phase in ("steady", "recovered")
    )
    if after < 0.95 * before:
        missed.append(f"recovered: {after} answers a second; {before} before")
    return missed


def main():
    """Start a server, run all phases, print the summary."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second")
    parser.add_argument("--overload-seconds", type=float, default=15.0)
    parser.add_argument("--models", default=None, help="as of python -m skxmr.demo")
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
            server.stdout.read()  # it says good-bye
    print(json.dumps(found, indent=1))
    wrong = faults(found) + shortfalls(found)
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
