"""Fitted models under many threads: ``python tests/hammer.py --seconds 60``.

Sixteen threads ask for answers and compare them with those of one thread, while others
clone, pickle and load the same models. It fails where an answer differs or where
resident memory grows.
"""

import argparse
import gc
import itertools
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
MOST_GROWTH = 0.05  # of resident memory, over the second half
N_PARTS = 8


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


def main():
    """Hammer for some seconds, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    hammer = Hammer(4000)
    process = psutil.Process()

    def resident():
        gc.collect()
        return process.memory_info().rss / 2**20

    def run_for(some):
        end = time.monotonic() + some
        hammer.run(*[lambda _: time.monotonic() > end] * 2)

    # What the allocator keeps for each thread grows at first: see where it levels off.
    memory = []
    for _ in range(N_PARTS):
        run_for(seconds / N_PARTS)
        memory.append(round(resident(), 1))
    print(
        f"Python {sys.version.split()[0]}: {next(hammer.n_asked)} questions, "
        f"{len(hammer.faults)} faults; resident memory in MB, part by part: {memory}"
    )
    if hammer.faults or memory[-1] > memory[N_PARTS // 2] * (1 + MOST_GROWTH):
        sys.exit("\n".join(hammer.faults[:10]) or "memory grew")


if __name__ == "__main__":
    main()
