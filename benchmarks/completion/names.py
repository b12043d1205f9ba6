"""Completion of names without sessions, at the size of a large catalogue."""

import json
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.completion.matching import Judge
from benchmarks.completion.run import interpreter, run_script
from benchmarks.completion.systems import HERE, PEERS
from benchmarks.completion.tasks import fold
from benchmarks.datasets import read_table
from benchmarks.report import markdown
from skxmr.text._normalization import Normalizer, stem_of

K = 10
N_BLOCKED = 30
LENGTHS = (1, 2, 3, 5)
MEGA = 1e6


@dataclass(frozen=True)
class NameSystem:
    """A completer of names; attributes as those of `System`."""

    worker: str
    peer: str | None = None
    settings: dict = field(default_factory=dict)

    @property
    def script(self):
        return HERE / "workers" / f"names_{self.worker}_worker.py"

    @property
    def requirements(self):
        return None if self.peer is None else PEERS / self.peer / "requirements.txt"


NAME_SYSTEMS = {
    "skxmr": NameSystem("skxmr"),
    "skxmr fuzzy": NameSystem("skxmr", None, {"match": "fuzzy"}),
    "skxmr words": NameSystem("skxmr", None, {"match": "words"}),
    "sorted list": NameSystem("sorted"),
    "marisa-trie": NameSystem("marisa", "marisa"),
    # A node in Python for each character: of all names, many gigabytes.
    "fast-autocomplete": NameSystem(
        "fast_autocomplete", "fast_autocomplete", {"n_names": 50_000}
    ),
}


def read_names(n_names=None, seed=0):
    """Return names, sorted, and their counts, drawn from a power law.

    Only names that normalisation leaves as they are, so that all systems complete the
    same ones.
    """
    normalizer = Normalizer(None, None)
    names = {fold(row[0]) for row in read_table("catalogue", "labels")}
    names = sorted(name for name in names if name == stem_of(normalizer.key(name)))
    random = np.random.default_rng(seed)
    if n_names is not None and n_names < len(names):
        rows = np.sort(random.permutation(len(names))[:n_names])
        names = [names[row] for row in rows.tolist()]
    return names, np.minimum(random.zipf(1.6, size=len(names)), 10**6)


def make_prefixes(names, counts, n_calls, seed=0):
    """Draw prefixes of names, frequent ones more often, and their group."""
    random = np.random.default_rng(seed)
    rows = random.choice(len(names), n_calls, p=counts / counts.sum())
    groups = np.array([*LENGTHS, 0])[np.arange(n_calls) % (len(LENGTHS) + 1)]
    prefixes = []
    for row, length in zip(rows.tolist(), groups.tolist(), strict=True):
        name = names[row]
        prefixes.append(name[: length or random.integers(1, len(name), endpoint=True)])
    return prefixes, groups


def most_frequent(names, counts, n):
    """Return the names of the largest counts."""
    return [names[row] for row in np.argsort(-counts, kind="stable")[:n].tolist()]


def coverage(answers, names, prefixes, blocked, match):
    """Count answers that are too short, wrong, given twice, or blocked.

    Parameters
    ----------
    answers : ndarray of shape (n_calls, K), int
        Numbers of names, -1 after the last.
    names, prefixes, blocked : list of str
    match : {"prefix", "fuzzy", "words"}
        How names may match prefixes.
    """
    judge, out = Judge(names, match), frozenset(blocked)
    # Judged once for each prefix and name, of which there are few.
    is_right, n_expected = cache(judge.is_right), cache(judge.n_expected)
    found = dict.fromkeys(("short", "wrong", "twice", "blocked"), 0)
    for row, prefix in zip(answers.tolist(), prefixes, strict=True):
        given = [names[i] for i in row if i >= 0]
        if len(given) < K:
            found["short"] += len(given) < min(K, n_expected(prefix, out))
        found["twice"] += len(set(given)) < len(given)
        found["blocked"] += not out.isdisjoint(given)
        found["wrong"] += not all(is_right(name, prefix) for name in given)
    return found


def measure_names(name, options):
    """Return the record of one system."""
    system = NAME_SYSTEMS[name]
    names, counts = read_names(system.settings.get("n_names", options.names))
    prefixes, groups = make_prefixes(names, counts, options.calls)
    blocked = most_frequent(names, counts, N_BLOCKED)
    content = {
        "names": names,
        "counts": counts.tolist(),
        "prefixes": prefixes,
        "groups": groups.tolist(),
        "blocked": blocked,
    }
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data.json")
        data.write_text(json.dumps(content), encoding="utf-8")
        job = {"data": str(data), "folder": folder, "settings": system.settings}
        python = interpreter(system, options.cache)
        record = {"system": name, "n_names": len(names)}
        # Built in one process, and loaded by another, whose memory is measured.
        for action in ("build", "serve"):
            of_action = job | {"action": action}
            record |= run_script(system.script, python, of_action, options.timeout)
        answers = {key: np.load(Path(folder, f"{key}.npy")) for key in ("all", "kept")}
    match = system.settings.get("match", "prefix")
    record["n_answers"], record["n_kept"] = len(answers["all"]), len(answers["kept"])
    for key, out in (("all", []), ("kept", blocked)):
        part = answers[key]
        record[key] = coverage(part, names, prefixes[: len(part)], out, match)
    return record


def show_names(records):
    """Return the tables of all systems."""
    header = ["system", "names", "fit s", "file MB", "memory MB", "load s"]
    header += [f"{n} characters µs" for n in LENGTHS] + ["any µs", "any p99"]
    rows = [[*_sizes(one), *_latencies(one)] for one in records]
    tables = [markdown(header, rows)]
    header = ["system", "calls", "short", "wrong", "twice", "with blocked: short"]
    rows = [
        [one["system"], str(one["n_answers"])]
        + [str(one["all"][key]) for key in ("short", "wrong", "twice")]
        + [_kept(one, key) for key in ("short", "blocked")]
        for one in records
    ]
    tables.append(markdown([*header, "blocked"], rows))
    updates = [one for one in records if one.get("updates_ms")]
    if updates:
        names = list(updates[0]["updates_ms"])
        rows = [
            [one["system"], *(f"{one['updates_ms'][name]:.2f}" for name in names)]
            for one in updates
        ]
        tables.append(markdown(["CPU ms", *names], rows))
    return "\n\n".join(["## catalogue: names without sessions, CPU time", *tables])


def _kept(one, key):
    """Show a count of answers without blocked names, if the system can do this."""
    return str(one["kept"][key]) if one["n_kept"] else "-"


def _sizes(one):
    return [
        one["system"],
        f"{one['n_names']:,}",
        f"{one['fit_s']:.1f}",
        f"{one['disk_bytes'] / MEGA:.0f}",
        f"{one['memory_bytes'] / MEGA:.0f}",
        f"{one['load_s']:.2f}",
    ]


def _latencies(one):
    p50 = one["p50_s"]
    shown = [f"{p50[str(n)] * MEGA:.0f}" for n in (*LENGTHS, 0)]
    return [*shown, f"{one['p99_s']['0'] * MEGA:.0f}"]
