"""Tables of F1, times and paired differences."""

from benchmarks.decisions.evaluation import MEASURES
from benchmarks.report import markdown

TITLES = {"f1_micro": "micro F1", "f1_macro": "macro F1", "f1_samples": "F1 by row"}
EXPLANATION = (
    "Each F1 is of the thresholds that are tuned for it; the other numbers are of "
    "those for micro F1. Means over seeds."
)
NUMBERS = {
    "labels_per_row": "labels a row",
    "without": "rows without, %",
    "train_cpu_s": "train and tune, CPU s",
    "predict_cpu_us": "decide, CPU µs a row",
}


def show(name, section):
    """The tables of one problem.

    Parameters
    ----------
    name : str
    section : dict
        ``sizes``, ``systems`` and ``paired``.

    Returns
    -------
    str
    """
    sizes, systems = section["sizes"], section["systems"]
    heading = (
        f"## {name}: {sizes['train_rows']:,} rows, {sizes['labels']:,} labels "
        f"({sizes['labels_per_row']:.2f} a row), {sizes['test_rows']:,} test rows"
    )
    lines = [
        heading,
        "",
        EXPLANATION,
        "",
        markdown(
            ["thresholds", *TITLES.values(), *NUMBERS.values()],
            [
                [key, *(_shown(record.get(one)) for one in (*MEASURES, *NUMBERS))]
                for key, record in systems.items()
                if "error" not in record
            ],
        ),
        "",
    ]
    if section["paired"]:
        lines += [
            "Differences in points, with 95% intervals over rows:",
            "",
            markdown(
                ["", *TITLES.values()],
                [
                    [key, *(_interval(found.get(measure)) for measure in MEASURES)]
                    for key, found in section["paired"].items()
                ],
            ),
            "",
        ]
    lines += [
        f"- **{key} not measured**: {record['error']}"
        for key, record in systems.items()
        if "error" in record
    ]
    return "\n".join(lines)


def _shown(value):
    return "-" if value is None else f"{value:,.2f}"


def _interval(found):
    return "-" if found is None else "{:+.2f} [{:+.2f}, {:+.2f}]".format(*found)
