"""Measurements to a table, to the paper's ratios, and to the JSON file."""

import json

from benchmarks.report import MEGA, Column, markdown
from benchmarks.retrieval.evaluation import NAMES
from benchmarks.retrieval.systems import LEXICAL, NEURAL

OWN = "skxmr"
RECALL = "R@10"
COLUMNS = (
    *(Column(name, name, digits=2) for name in NAMES),
    Column("text_s", "texts s", digits=2),
    Column("train_s", "train s", digits=2),
    Column("batch_s_1", "batch µs", MEGA),
    Column("single_p50_s", "one µs p50", MEGA),
    Column("single_p99_s", "p99", MEGA),
    Column("model_bytes", "model MB", 1 / MEGA),
    Column("disk_bytes", "disk MB", 1 / MEGA),
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
        "peak_added": fitted["peak_added"],
        **{
            key: predicted[key]
            for key in ("batch_s_1", "single_p50_s", "single_p99_s", "model_bytes")
        },
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


def show(name, section):
    """The section of one problem."""
    records = section["systems"]
    measured = {key: r["numbers"] for key, r in records.items() if "numbers" in r}
    body = [
        [key, *(column.show(numbers.get(column.key)) for column in COLUMNS)]
        for key, numbers in measured.items()
    ]
    header = ["system", *(column.title for column in COLUMNS)]
    lines = [heading(name, section["sizes"], section["form_s"]), ""]
    if body:
        lines += [markdown(header, body), "", *ratios(records)]
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

    def write(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.content, indent=1, ensure_ascii=False)
        self.path.write_text(text, encoding="utf-8")
