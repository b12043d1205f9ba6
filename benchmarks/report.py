"""Medians, ratios and a table of measurements."""

import statistics
from dataclasses import dataclass

from benchmarks.quality import NAMES
from benchmarks.systems import OWN

MEGA = 1e6


@dataclass(frozen=True)
class Column:
    """One column of the table: the key of its number and its format."""

    key: str
    title: str
    scale: float = 1.0
    digits: int = 1

    def show(self, value):
        return "-" if value is None else f"{value * self.scale:,.{self.digits}f}"


COSTS = (
    Column("index_s", "index s", digits=2),
    Column("train_s", "train s", digits=2),
    Column("fit_s", "fit s", digits=2),
    Column("peak_added", "fit MB", 1 / MEGA),
    Column("model_bytes", "model MB", 1 / MEGA),
    Column("disk_bytes", "disk MB", 1 / MEGA),
    Column("batch_s_1", "batch µs, 1 thread", MEGA),
    Column("batch_s_2", "batch µs, 2 threads", MEGA),
    Column("single_p50_s", "one row µs p50", MEGA),
    Column("single_p99_s", "one row µs p99", MEGA),
)
QUALITY = tuple(Column(name, name, digits=2) for name in NAMES)
COLUMNS = COSTS + QUALITY


def medians(records):
    """Return the median of every number over records with the same keys."""
    keys = {key for record in records for key in record}
    found = {}
    for key in keys:
        values = [record[key] for record in records if record.get(key) is not None]
        found[key] = statistics.median(values) if values else None
    return found


def summarise(records):
    """One row per system and layout: medians, or the reason why there are none.

    Parameters
    ----------
    records : list of dict
        Of one problem, with system, layout, repetition and either numbers (a dict) or
        error (str).

    Returns
    -------
    list of dict
        system, layout, repetitions, numbers, errors; in order of first appearance.
    """
    groups = {}
    for record in records:
        groups.setdefault((record["system"], record["layout"]), []).append(record)
    rows = []
    for (system, layout), group in groups.items():
        measured = [record["numbers"] for record in group if "numbers" in record]
        errors = [record["error"] for record in group if "error" in record]
        rows.append(
            {
                "system": system,
                "layout": layout,
                "repetitions": len(measured),
                "numbers": medians(measured) if measured else {},
                "errors": sorted(set(errors)),
            }
        )
    return rows


def ratios(rows):
    """Compare skxmr with the best peer, column by column.

    For costs, the best peer's divided by skxmr's: 2 is twice as fast or half as large.
    For quality, skxmr's minus the best peer's, in percentage points.
    """
    own = next((row["numbers"] for row in rows if row["system"] == OWN), {})
    peers = [row["numbers"] for row in rows if row["system"] != OWN]
    found = {}
    for column in COLUMNS:
        theirs = [peer[column.key] for peer in peers if peer.get(column.key)]
        mine = own.get(column.key)
        if mine is None or not theirs:
            continue
        if column in QUALITY:
            found[column.key] = mine - max(theirs)
        elif mine > 0:
            found[column.key] = min(theirs) / mine
    return found


def markdown(header, rows):
    """Format a table with aligned columns, the first one to the left."""
    cells = [header, *rows]
    first, *widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = [":" + "-" * (first - 1), *("-" * (width - 1) + ":" for width in widths)]
    lines = []
    for name, *numbers in (header, rule, *rows):
        padded = [cell.rjust(w) for cell, w in zip(numbers, widths, strict=True)]
        lines.append("| " + " | ".join([name.ljust(first), *padded]) + " |")
    return "\n".join(lines)


def ratio_row(found):
    """The row of ratios below the systems."""
    cells = ["**best peer / skxmr; quality: skxmr - best peer**"]
    for column in COLUMNS:
        value = found.get(column.key)
        if value is None:
            cells.append("-")
        else:
            cells.append(f"{value:+.2f}" if column in QUALITY else f"{value:.2f}x")
    return cells


def heading(problem, sizes):
    """Describe the problem in one line."""
    return (
        f"## {problem}: {sizes['train_rows']:,} rows, {sizes['features']:,} features "
        f"({sizes['features_per_row']:.1f} a row), {sizes['labels']:,} labels, "
        f"{sizes['test_rows']:,} queries"
    )


def table(problem, sizes, rows):
    """The section of one problem: heading, table, and what could not be measured."""
    body = []
    for row in rows:
        numbers = row["numbers"]
        if numbers:
            layout = "" if row["layout"] == "default" else f" ({row['layout']})"
            shown = (column.show(numbers.get(column.key)) for column in COLUMNS)
            body.append([row["system"] + layout, *shown])
    if body:
        body.append(ratio_row(ratios(rows)))
    header = ["system", *(column.title for column in COLUMNS)]
    lines = [heading(problem, sizes), "", markdown(header, body), ""]
    lines += [
        f"- **{row['system']} ({row['layout']}) not measured**: {error}"
        for row in rows
        for error in row["errors"]
    ]
    return "\n".join(lines)
