"""Encoders of texts in environments of their own, and vectors that are kept on disk."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from time import process_time

import numpy as np

TEXTS_OF_FILE = 256


def serve(make):
    """Encode the texts of each line of standard input, until it ends.

    A line is a JSON object: "texts", "are_queries", and "out", the file to which the
    vectors are saved in half precision. The answer is a line with the CPU time.

    Parameters
    ----------
    make : callable
        Returns a function of texts and of whether they are queries.
    """
    encode = make()
    for line in sys.stdin:
        job = json.loads(line)
        start = process_time()
        vectors = np.asarray(encode(job["texts"], job["are_queries"]))
        seconds = process_time() - start
        np.save(job["out"], vectors.astype(np.float16))
        print(json.dumps({"cpu_s": seconds}), flush=True)


class CachedEncoder:
    """An encoder that asks its process only for texts that it has never seen.

    Parameters
    ----------
    python, script : str
        What is run in the encoder's environment.
    folder : str
        Where the vectors are kept, in files of at most 256 texts, so that an
        interrupted run goes on where it was.
    are_queries : bool

    Attributes
    ----------
    cpu_s_per_text : float
        What a text took to be encoded, of those that are kept.
    """

    def __init__(self, python, script, folder, are_queries):
        self.command = [str(python), str(script)]
        self.folder = Path(folder, "queries" if are_queries else "labels")
        self.are_queries = are_queries
        self.known = None
        self.process = None
        self.cpu_s = 0.0

    def __getstate__(self):
        return self.__dict__ | {"known": None, "process": None, "cpu_s": 0.0}

    def __call__(self, texts):
        """Give the vectors of texts, an array of shape (n_texts, length)."""
        if self.known is None:
            self._read()
        keys = [_digest(text) for text in texts]
        missing = {
            key: text
            for key, text in zip(keys, texts, strict=True)
            if key not in self.known
        }
        items = list(missing.items())
        for first in range(0, len(items), TEXTS_OF_FILE):
            self._encode(dict(items[first : first + TEXTS_OF_FILE]))
        return np.stack([self.known[key] for key in keys])

    @property
    def cpu_s_per_text(self):
        return self.cpu_s / max(1, len(self.known or ()))

    def _read(self):
        """Read all vectors that are kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.known = {}
        for path in sorted(self.folder.glob("*.npz")):
            with np.load(path) as part:
                self._add(part["keys"].tolist(), part["vectors"], part["cpu_s"])

    def _add(self, keys, vectors, cpu_s):
        self.known.update(zip(keys, vectors, strict=True))
        self.cpu_s += float(cpu_s)

    def _encode(self, texts):
        """Let the process encode texts, given by their keys, and keep their vectors."""
        keys = list(texts)
        path = self.folder / _digest("\n".join(keys))
        out = path.with_suffix(".npy")
        cpu_s = self._ask(list(texts.values()), out)
        vectors = np.load(out)
        self._add(keys, vectors, cpu_s)
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("wb") as file:
            np.savez(file, keys=np.array(keys), vectors=vectors, cpu_s=cpu_s)
        unfinished.replace(path.with_suffix(".npz"))
        out.unlink()

    def _ask(self, texts, out):
        """Send texts to the process; return the CPU time that they took."""
        if self.process is None:
            # Of this package, whose environment has no other.
            path = str(Path(__file__).resolve().parents[1])
            self.process = subprocess.Popen(
                self.command,
                env=os.environ | {"PYTHONPATH": path},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        job = {"texts": texts, "are_queries": self.are_queries, "out": str(out)}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.command} ended with {self.process.wait()}")
        return json.loads(answer)["cpu_s"]


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:32]
