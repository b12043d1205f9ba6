"""Measurements to a table, to the paper's ratios, and to the JSON file."""

import json

import numpy as np

from benchmarks.report import MEGA, Column, markdown
from benchmarks.retrieval.evaluation import KEPT, NAME_FIRST, NAMES
from benchmarks.retrieval.kinds import KINDS
from benchmarks.retrieval.systems import ENCODING, LEXICAL, NEURAL

OWN = "skxmr"
RECALL = "R@10"
COLUMNS = (
    *(Column(name, name, digits=2) for name in NAMES),
    Column("text_s", "texts s", digits=2),
    Column("train_s", "train s", digits=2),
    Column("fit_cpu_s", "fit CPU s", digits=2),
    Column("batch_s_1", "batch µs", MEGA),
    Column("single_cpu_p50_s", "one CPU µs p50", MEGA),
    Column("single_cpu_p99_s", "p99", MEGA),
    Column("peak_added", "fit MB", 1 / MEGA),
    Column("model_bytes", "model MB", 1 / MEGA),
    Column("disk_bytes", "disk MB", 1 / MEGA),
)
KIND_COLUMNS = tuple(Column(name, name) for name in (*KINDS, NAME_FIRST))
TIMES = (
    "batch_s_1",
    "single_p50_s",
    "single_p99_s",
    "single_cpu_p50_s",
    "single_cpu_p99_s",
)


def numbers_of(fitted, predicted, quality):
    """What a record holds of one contender.

    ``train_s`` is training without the time that texts take to become features, which
    is ``text_s`` where the system does that itself.
    """
    text = fitted["facts"].get("text_s")
    return {
        **quality,
        "text_s": text,
        "train_s": fitted["fit_s"] - (text or 0.0),
        "fit_cpu_s": fitted["fit_cpu_s"],
        "peak_added": fitted["peak_added"],
        "model_bytes": predicted["model_bytes"],
        **{key: predicted.get(key) for key in TIMES},
        "disk_bytes": fitted["disk_bytes"],
    }


def ratios(records):
    """The paper's claims: skxmr beside the best neural and lexical contenders.

    Returns
    -------
    list of str
        A line for each claim that can be checked with what was measured.
    """
    numbers = {name: r["numbers"] for name, r in records.items() if "numbers" in r}
    if OWN not in numbers:
        return []
    own, lines = numbers[OWN], []
    for kind, names, claim in (
        ("neural", NEURAL, "the paper: at least 2"),
        ("lexical", LEXICAL, "the paper: far above 1"),
    ):
        measured = [name for name in names if name in numbers]
        if not measured:
            continue
        best = max(measured, key=lambda name: numbers[name][RECALL])
        theirs = numbers[best]
        if theirs[RECALL]:
            ratio = own[RECALL] / theirs[RECALL]
            lines.append(f"- recall@10, {OWN} / {best}: {ratio:.2f} ({claim})")
        if kind == "neural":
            ratio = theirs["train_s"] / own["train_s"]
            lines.append(f"- training, {best} / {OWN}: {ratio:.1f} (the paper: 6)")
    return lines


def heading(name, sizes, form_seconds):
    """What the problem is, and what the others' times leave out."""
    line = (
        f"## {name}: {sizes['train_rows']:,} texts, {sizes['labels']:,} labels "
        f"({sizes['labels_per_row']:.2f} a text), {sizes['test_rows']:,} queries"
    )
    seconds = form_seconds.get("matrices")
    if seconds is None:
        return line
    return (
        f"{line}\n\nThose without *texts s* read matrices or words that are ready; "
        f"scikit-learn took {seconds:.0f} s to make the matrices, queries included."
    )


def table(columns, rows, first="system"):
    """A row of numbers for each system; no lines where there is no system."""
    if not rows:
        return []
    header = [first, *(column.title for column in columns)]
    body = [
        [key, *(column.show(numbers.get(column.key)) for column in columns)]
        for key, numbers in rows.items()
    ]
    return [markdown(header, body), ""]


def show_kinds(records):
    """Recall@10 of each kind of query, where queries have kinds."""
    kinds = {key: r["kinds"] for key, r in records.items() if "kinds" in r}
    if not kinds:
        return []
    return ["Recall@10 by kind of query:", "", *table(KIND_COLUMNS, kinds)]


def show_paired(first, paired):
    """What a system has more than each other, with the ends of the intervals."""
    if not paired:
        return []
    names = [
        name
        for name in (*KEPT, *KINDS)
        if any(name in differences for differences in paired.values())
    ]
    body = [
        [
            key,
            *(
                "{:+.2f} [{:+.2f}, {:+.2f}]".format(*differences[name])
                if name in differences
                else "-"
                for name in names
            ),
        ]
        for key, differences in paired.items()
    ]
    return [
        f"{first} minus each other system, in points, with 95% intervals over rows:",
        "",
        markdown([f"{first} minus", *names], body),
        "",
    ]


def show_encoder(records):
    """What the times of the systems that use vectors leave out."""
    for key, record in records.items():
        facts = record.get("facts", {})
        if "encoder_ms" in facts:
            line = (
                f"- *{key}* and others with an encoder leave out its time, "
                f"{facts['encoder_ms']:.1f} ms of CPU time for each label text."
            )
            return [line]
    return []


def show_below(first, paired):
    """Where a system is below another: differences whose whole interval is below 0."""
    if not paired:
        return []
    below = [
        f"{name} of {key} ({mean:+.2f} [{low:+.2f}, {high:+.2f}])"
        for key, differences in paired.items()
        for name, (mean, low, high) in differences.items()
        if high < 0
    ]
    return [f"- {first} is below: " + ("; ".join(below) or "none of them")]


def show(name, section):
    """The section of one problem."""
    records = section["systems"]
    measured = {key: r["numbers"] for key, r in records.items() if "numbers" in r}
    lines = [heading(name, section["sizes"], section["form_s"]), ""]
    lines += table(COLUMNS, measured)
    lines += show_kinds(records)
    lines += show_paired(OWN, section.get("paired"))
    lines += show_paired(ENCODING, section.get("paired_encoding"))
    for first, key in ((OWN, "paired"), (ENCODING, "paired_encoding")):
        lines += show_below(first, section.get(key))
    lines += show_encoder(records)
    lines += ratios(records)
    lines += [
        f"- **{key} not measured**: {record['error']}"
        for key, record in records.items()
        if "error" in record
    ]
    return "\n".join(lines)


class Results:
    """The JSON file: what was measured before stays until it is measured anew.

    Parameters
    ----------
    path : Path
    machine : dict
        Facts; those of the last run are kept.
    """

    def __init__(self, path, machine):
        self.path = path
        self.content = {"problems": {}}
        if path.exists():
            self.content = json.loads(path.read_text(encoding="utf-8"))
        self.content["machine"] = machine

    def section(self, name, sizes):
        """Give the part of a problem; a new one where its sizes were others."""
        sections = self.content["problems"]
        if sections.get(name, {}).get("sizes") != sizes:
            sections[name] = {"sizes": sizes, "form_s": {}, "systems": {}}
        return sections[name]

    def rows_path(self, name, key):
        """Where the measures of a system's rows are kept."""
        folder = self.path.with_name(f"{self.path.stem}-rows")
        return folder / f"{name}, {key}.npy"

    def write_rows(self, name, key, rows):
        """Keep the measures of a system's rows."""
        path = self.rows_path(name, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, rows)

    def read_rows(self, name, key):
        """Give what `write_rows` has kept; None for nothing, or other measures."""
        path = self.rows_path(name, key)
        rows = np.load(path) if path.exists() else None
        return None if rows is None or len(rows) != len(KEPT) else rows

    def write(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.content, indent=1, ensure_ascii=False)
        self.path.write_text(text, encoding="utf-8")
