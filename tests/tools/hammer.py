"""Fitted models under many threads: ``python tests/tools/hammer.py --seconds 60``.

Sixteen threads ask for answers and compare them with those of one thread, while others
clone, pickle and load the same models. It fails where an answer differs or where
resident memory grows.

glibc gives threads arenas of their own and keeps what they have freed: with its
defaults, 20 threads that load models hold 320 MB after ten seconds and some 480 MB from
the first minute on, of which malloc itself counts 56 MB as used, all the time. That
says nothing of models. So the script starts itself again with one arena for all threads
(MALLOC_ARENA_MAX=1), and has the allocator return what is free before it reads: memory
is then level from the first seconds on, and what grows is held by somebody.
"""

import argparse
import ctypes
import gc
import itertools
import os
import pickle
import sys
import threading
import time

import psutil
from sklearn.base import clone

from skxmr import CharNgramTfidf, QueryCompleter, TextRetriever
from skxmr.datasets import load_subjects

N_ASKING = 16
N_SAVING = 4
MOST_GROWTH = 0.05  # of resident memory, after the first parts
N_PARTS = 8
N_WARMING = 2


class Hammer:
    """Models, questions, and the answers that a single thread gets.

    Parameters
    ----------
    n_texts : int
        How many titles to fit on.
    """

    def __init__(self, n_texts):
        records = load_subjects()
        texts = list(records.data[:n_texts])
        target = records.target[:n_texts]
        names = list(records.target_names)
        self.retriever = TextRetriever().fit(texts, target, label_texts=names)
        firsts = [names[column] for column in target.indices[target.indptr[:-1]]]
        self.completer = QueryCompleter(random_state=0).fit(firsts, texts)
        self.vectorizer = CharNgramTfidf().fit(texts)
        self.subset = self.retriever.subset(allowed=range(1000))
        self.questions = list(zip(texts[:40], firsts[:40], strict=True))
        self.expected = [self.ask(*question) for question in self.questions]
        self.faults = []
        self.n_asked = itertools.count()

    def ask(self, text, before):
        """Ask each kind of model."""
        indices, values = self.vectorizer.transform_one(text)
        return (
            self.retriever.search(text, 5),
            self.retriever.search(text, 5, allowed=self.subset),
            self.completer.complete(text[:4], before, 5),
            self.completer.complete(text[:2], "", 5),
            (indices.tolist(), values.tolist()),
        )

    def _asking(self, place, done):
        for number in itertools.count(place):
            if done(number):
                break
            question = number % len(self.questions)
            if self.ask(*self.questions[question]) != self.expected[question]:
                self.faults.append(f"another answer to {self.questions[question]!r}")
            next(self.n_asked)

    def _saving(self, place, done):
        for number in itertools.count(place):
            if done(number):
                break
            retriever = pickle.loads(pickle.dumps(self.retriever))
            completer = pickle.loads(pickle.dumps(self.completer))
            clone(self.retriever)
            clone(self.completer)
            question = number % len(self.questions)
            text, before = self.questions[question]
            found = retriever.search(text, 5), completer.complete(text[:4], before, 5)
            if found != self.expected[question][::2][:2]:
                self.faults.append(f"another answer of a loaded model to {text!r}")

    def _guarded(self, work, place, done):
        try:
            work(place, done)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault
            self.faults.append(repr(error))

    def run(self, done_asking, done_saving):
        """Run all threads until what they did is enough: functions of a count."""
        works = [(self._asking, done_asking)] * N_ASKING
        works += [(self._saving, done_saving)] * N_SAVING
        threads = [
            threading.Thread(target=self._guarded, args=(work, place, done))
            for place, (work, done) in enumerate(works)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def start_again_with_one_arena():
    """Start this script again with one arena of memory, if there are more."""
    if sys.platform == "linux" and "MALLOC_ARENA_MAX" not in os.environ:
        environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)


def resident():
    """Give resident memory in MB, without what is free."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name != "nt" else None
    if trim:
        trim(0)
    return round(psutil.Process().memory_info().rss / 2**20, 1)


def grows(memory):
    """Tell whether any reading after the first parts is above theirs."""
    return max(memory[N_WARMING:]) > max(memory[:N_WARMING]) * (1 + MOST_GROWTH)


def main():
    """Hammer for some seconds, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    start_again_with_one_arena()
    hammer = Hammer(4000)
    memory, blocks = [], []
    for _ in range(N_PARTS):
        end = time.monotonic() + seconds / N_PARTS
        hammer.run(*[lambda _, end=end: time.monotonic() > end] * 2)
        memory.append(resident())
        blocks.append(sys.getallocatedblocks())
    print(
        f"Python {sys.version.split()[0]}: {next(hammer.n_asked)} questions, "
        f"{len(hammer.faults)} faults; part by part, resident memory in MB: {memory}, "
        f"Python's blocks of memory: {blocks}"
    )
    if hammer.faults or grows(memory) or grows(blocks):
        sys.exit("\n".join(hammer.faults[:10]) or "memory grew")


if __name__ == "__main__":
    main()
