"""``python -m benchmarks.retrieval``: texts to labels, one table for each problem.

Results are written after each system, into one file that keeps what earlier runs have
measured: so a table can be made in parts, by --problems and --systems.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.comparison import say
from benchmarks.datasets import ProblemUnavailableError
from benchmarks.environments import NotInstalledError
from benchmarks.jobs import WorkerFailedError, fit_job, predict_job, run_worker
from benchmarks.retrieval.encoders import encoder_settings
from benchmarks.retrieval.evaluation import (
    KEPT,
    N_ASKED,
    compare,
    evaluate,
    evaluate_kinds,
    measure_rows,
)
from benchmarks.retrieval.report import OWN, Results, numbers_of, show
from benchmarks.retrieval.systems import ALL, CONTENDERS, ENCODERS, ENCODING
from benchmarks.retrieval.tasks import FIELD_SEPARATOR, draw, read_task, write
from benchmarks.run import CACHE


def arguments(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.retrieval", description=__doc__
    )
    add = parser.add_argument
    add("--problems", nargs="+", default=list(ALL), choices=ALL)
    add(
        "--systems",
        nargs="+",
        choices=CONTENDERS,
        help="(default: those that are not too slow for the problem)",
    )
    add("--missing", action="store_true", help="only what the file does not have yet")
    add("--tuning", action="store_true", help="judge by a part of training, not test")
    add("--settings", type=json.loads, default={}, help="JSON, added to the systems'")
    add("--encoder", choices=ENCODERS, help="measure the systems that use vectors, too")
    add("--labels", type=int, help="a part of the labels, with their texts and queries")
    add("--rows", type=int, help="a random sample of so many training texts")
    add("--queries", type=int, help="a random sample of so many test texts")
    add("--threads", type=int, default=2, help="of training (default: %(default)s)")
    add("--passes", type=int, default=3, help="over all queries")
    add("--single-rows", type=int, default=1_000, help="texts asked one by one")
    add("--seed", type=int, default=0)
    add("--timeout", type=float, default=1_800.0, help="seconds for each process")
    add("--cache", type=Path, default=CACHE, help="folder of environments and results")
    add("--name", default="retrieval", help="of the JSON file")
    options = parser.parse_args(argv)
    encoding = [name for name in options.systems or () if CONTENDERS[name].encodes]
    if encoding and not options.encoder:
        parser.error(f"{', '.join(encoding)}: name an --encoder")
    return options


class Folder:
    """One problem in the forms that the systems read, each written once."""

    def __init__(self, task, path, section):
        self.task, self.path, self.section = task, Path(path), section
        self.made = {}

    def problem(self, contender):
        """The folder that a contender reads."""
        limit = contender.queries.get(self.task.name)
        key = (
            contender.form,
            contender.label_texts,
            contender.training_texts,
            limit,
        )
        if key not in self.made:
            rows = None if contender.training_texts else 0
            task = self.task.cut(rows, limit)
            if contender.label_texts:
                is_split = contender.form == "fields"
                task = task.with_label_rows(FIELD_SEPARATOR if is_split else " ")
            folder = self.path / f"problem-{len(self.made)}"
            seconds = write(task, contender.form, folder)
            self.section["form_s"].setdefault(contender.form, seconds)
            self.made[key] = folder
        return self.made[key]

    def judge(self, contender, columns):
        """The measures of the answers: means, those of kinds, and what rows have.

        Returns
        -------
        quality, kinds : dict of str to float
        rows : float32 array of shape (len(KEPT), n_test_rows)
            The measures in `KEPT`; NaN where the contender was not asked.
        """
        limit = contender.queries.get(self.task.name)
        judged = self.task.cut(queries=limit)
        rows = measure_rows(columns, judged.Y_test)
        n_queries = len(self.task.test_texts)
        kept = np.full((len(KEPT), n_queries), np.nan, dtype=np.float32)
        kept[:, draw(n_queries, limit)] = [rows[name] for name in KEPT]
        return evaluate(rows), evaluate_kinds(columns, rows, judged), kept


def measure(contender, folder, options):
    """Train one contender and let it answer.

    Returns
    -------
    record : dict
        version, facts, settings, numbers and, where queries have kinds, kinds.
    rows : array of shape (len(KEPT), n_test_rows)
        See `Folder.judge`.
    """
    problem, model = folder.problem(contender), folder.path / "model"
    python = contender.system.python(options.cache)
    n_labels = len(folder.task.label_texts)
    more = options.settings
    if contender.encodes:
        more = more | encoder_settings(options.encoder, options.cache)
    settings = contender.job_settings(folder.task.name, n_labels, more)
    job = fit_job(problem, model, options.threads, options.seed)
    try:
        fitted, _ = run_worker(
            contender.system, python, job | {"settings": settings}, options.timeout
        )
        job = predict_job(
            problem,
            model,
            contender.layout,
            1,
            repeats=options.passes,
            single_rows=options.single_rows,
            columns_k=N_ASKED,
            settings=settings,
        )
        predicted, columns = run_worker(contender.system, python, job, options.timeout)
    finally:
        shutil.rmtree(model, ignore_errors=True)
    quality, kinds, rows = folder.judge(contender, columns)
    record = {
        "version": fitted["version"],
        "facts": fitted["facts"] | predicted["facts"],
        "settings": settings,
        "numbers": numbers_of(fitted, predicted, quality),
    }
    return record | ({"kinds": kinds} if kinds else {}), rows


def wanted(name, section, options):
    """Names of the contenders to measure on a problem."""
    chosen = options.systems or [
        key
        for key, contender in CONTENDERS.items()
        if name in contender.problems and (options.encoder or not contender.encodes)
    ]
    if options.missing:
        done = section["systems"]
        chosen = [key for key in chosen if "numbers" not in done.get(key, {})]
    return chosen


def measure_problem(name, results, options):
    """Measure one problem; its section of the results is filled."""
    task = read_task(name)
    if options.tuning:
        task = task.split_for_tuning()
    if options.labels:
        task = task.cut_labels(options.labels)
    task = task.cut(options.rows, options.queries)
    section = results.section(name, task.describe())
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(task, path, section)
        for key in wanted(name, section, options):
            say(f"{name}: {key}")
            try:
                record, rows = measure(CONTENDERS[key], folder, options)
                section["systems"][key] = record
                results.write_rows(name, key, rows)
            except (NotInstalledError, WorkerFailedError) as error:
                section["systems"][key] = {"error": str(error)}
                say(f"{name}: {key} not measured: {error}")
            results.write()
    in_order = [key for key in CONTENDERS if key in section["systems"]]
    section["systems"] = {key: section["systems"][key] for key in in_order}
    section["paired"] = compare_all(OWN, name, section, results, task.kinds)
    encoding = compare_all(ENCODING, name, section, results, task.kinds)
    section["paired_encoding"] = encoding
    return section


def compare_all(first, name, section, results, kinds):
    """One system beside each other, by their rows."""
    measured = [key for key, r in section["systems"].items() if "numbers" in r]
    rows = {key: results.read_rows(name, key) for key in measured}
    own = rows.pop(first, None)
    if own is None:
        return {}
    return {
        key: compare(own, theirs, kinds)
        for key, theirs in rows.items()
        if theirs is not None
    }


def main(argv=None):
    """Measure, print the tables, write the JSON file."""
    options = arguments(argv)
    path = options.cache / f"{options.name}.json"
    results = Results(path, machine.facts())
    for name in options.problems:
        try:
            section = measure_problem(name, results, options)
        except ProblemUnavailableError as error:
            print(f"## {name} not measured: {error}\n")
            continue
        print(show(name, section), end="\n\n", flush=True)
    results.write()
    say(f"written to {path}")


if __name__ == "__main__":
    main()
