"""Measure several systems on one problem, interleaved."""

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import NotInstalledError
from benchmarks.jobs import WorkerFailedError, fit_job, predict_job, run_worker
from benchmarks.problem import save_problem
from benchmarks.quality import means
from benchmarks.systems import SYSTEMS

PREDICTION_THREADS = [1, 2]


def say(text):
    """Print progress to standard error; the tables go to standard output."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Effort:
    """How much to measure.

    Attributes
    ----------
    threads : int
        Threads of training.
    repetitions : int
        Rounds over all systems, each with another seed of the tree.
    passes : int
        Passes over all queries, for each number of threads.
    single_rows : int
        Rows to predict one by one.
    timeout : float
        Seconds after which a process is terminated.
    """

    threads: int = 2
    repetitions: int = 3
    passes: int = 3
    single_rows: int = 1_000
    timeout: float = 3_600.0


def find_pythons(names, cache):
    """Return the interpreter of each system, or why it cannot be installed."""
    pythons, missing = {}, {}
    for name in names:
        try:
            pythons[name] = SYSTEMS[name].python(cache)
        except NotInstalledError as error:
            missing[name] = f"cannot be installed: {error}"
            say(f"{name} {missing[name]}")
    return pythons, missing


class Comparison:
    """Measures systems on one problem after another.

    Parameters
    ----------
    names : list of str
        Of systems.
    cache : Path
        Folder that holds the peers' environments.
    effort : Effort
    """

    def __init__(self, names, cache, effort):
        self.effort = effort
        self.names = list(names)
        self.pythons, self.missing = find_pythons(names, cache)

    def measure(self, problem):
        """Records of all systems and repetitions on a problem.

        Each record has system, layout, repetition and either numbers (a dict, with
        version and facts beside it) or error (str).
        """
        records, active = [], []
        for name in self.names:
            against = self.missing.get(name) or SYSTEMS[name].refuses(problem)
            if against:
                records.append(failure(name, 0, against))
            else:
                active.append(name)
        with tempfile.TemporaryDirectory() as folder:
            save_problem(problem, Path(folder, "problem"))
            for repetition in range(self.effort.repetitions):
                # Each round starts with another system, so that none always runs first.
                turn = repetition % max(1, len(active))
                for name in active[turn:] + active[:turn]:
                    say(f"{problem.name}: {name}, repetition {repetition + 1}")
                    records += self._one(name, problem, Path(folder), repetition)
        return sorted(records, key=lambda record: self.names.index(record["system"]))

    def _one(self, name, problem, folder, repetition):
        """Train one system and predict with each of its layouts."""
        model = folder / "model"
        job = fit_job(folder / "problem", model, self.effort.threads, repetition)
        try:
            fitted, _ = self._run(name, job)
        except WorkerFailedError as error:
            return [failure(name, repetition, f"fit: {error}")]
        records = []
        for layout in SYSTEMS[name].layouts_for(problem):
            record = {"system": name, "layout": layout, "repetition": repetition}
            try:
                record |= self._predict(name, problem, folder, layout, fitted)
            except WorkerFailedError as error:
                record["error"] = f"predict: {error}"
            records.append(record)
        shutil.rmtree(model)
        return records

    def _predict(self, name, problem, folder, layout, fitted):
        job = predict_job(
            folder / "problem",
            folder / "model",
            layout,
            max(PREDICTION_THREADS),
            predict_threads=PREDICTION_THREADS,
            repeats=self.effort.passes,
            single_rows=self.effort.single_rows,
        )
        predicted, columns = self._run(name, job)
        both = fitted | predicted | means(columns, problem.Y_test)
        facts = fitted["facts"] | predicted["facts"]
        numbers = {
            key: value for key, value in both.items() if key not in ("version", "facts")
        }
        return {"version": both["version"], "facts": facts, "numbers": numbers}

    def _run(self, name, job):
        return run_worker(
            SYSTEMS[name], self.pythons[name], job, timeout=self.effort.timeout
        )


def failure(name, repetition, error):
    """Make the record of a system that could not be measured."""
    return {
        "system": name,
        "layout": "default",
        "repetition": repetition,
        "error": error,
    }
