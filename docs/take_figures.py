"""Write results of a benchmark to ``figures.rst``, which the landing page includes.

::

    python -m benchmarks --problems products subjects
    python docs/take_figures.py .benchmarks/comparison.json \
        --machine "2 cores of …, otherwise idle"
"""

import argparse
import json
from pathlib import Path
from textwrap import wrap

FIGURES = Path(__file__).with_name("figures.rst")
SYSTEMS = {
    "skxmr": "skxmr",
    "pecos": "PECOS",
    "omikuji": "Omikuji",
    "napkinxc": "napkinXC",
    "onevsrest": "One-vs-rest",
}
# Each measure: title, unit, and factor from the stored value to this unit.
MEASURES = {
    "fit_s": ("fit, 2 threads", "s", 1),
    "batch_s_1": ("query, in a batch, 1 thread", "µs", 1e6),
    "single_p50_s": ("query, one call each", "µs", 1e6),
    "P@1": ("precision@1", "%", 1),
}
COSTS = ("fit_s", "batch_s_1", "single_p50_s")
QUALITY = ("P@1",)


def best(layouts):
    """Choose, for each measure, the best of the layouts of one system."""
    found = {}
    for measure in COSTS + QUALITY:
        values = [one[measure] for one in layouts if one.get(measure) is not None]
        if values:
            choose = min if measure in COSTS else max
            digits = 1 if measure in QUALITY else 8
            found[measure] = round(choose(values), digits)
    return found


def figures_of(comparison, machine, command):
    """Select the best figures from the output of ``python -m benchmarks``."""
    problems = {}
    for part in comparison["problems"]:
        by_system = {}
        for row in part.get("summary", []):
            if row["numbers"]:
                by_system.setdefault(row["system"], []).append(row["numbers"])
        if "skxmr" in by_system:
            problems[part["problem"]] = {
                system: best(layouts) for system, layouts in by_system.items()
            }
    if not problems:
        raise SystemExit("No problem was measured with skxmr; nothing is changed.")
    return {
        "command": command,
        "machine": machine,
        "date": comparison["machine"]["time"][:10],
        "problems": problems,
    }


def page(figures):
    """Write figures as reStructuredText: the table, then its source."""
    source = (
        f"Measured {figures['date']} by ``{figures['command']}`` on "
        f"{figures['machine']}; in brackets, the ratio to the time of skxmr."
    )
    return "\n".join([*table(figures["problems"]), "", *wrap(source, 88), ""])


def significant(number):
    """Format a positive number with two or three significant digits."""
    if number >= 10:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 1 else f"{number:.2f}"


def cell(measure, value, own):
    """Format a measure of one system, with its ratio to that of skxmr."""
    if value is None:
        return "\N{EM DASH}"
    _, unit, scale = MEASURES[measure]
    if unit == "%":
        return f"{value:.1f} %"
    text = f"{significant(value * scale)} {unit}"
    if own is None:
        return text
    return f"{text} (**{significant(value / own)}\N{MULTIPLICATION SIGN}**)"


def table(problems):
    """Write a table: one row per problem and measure, one column per system."""
    measured = {system for by_system in problems.values() for system in by_system}
    systems = [system for system in SYSTEMS if system in measured]
    lines = [".. list-table::", "   :header-rows: 1", "   :class: measured", ""]
    lines += row(["", *(SYSTEMS[system] for system in systems)])
    for problem, by_system in problems.items():
        for measure, (title, _, _) in MEASURES.items():
            own = by_system["skxmr"].get(measure)
            cells = [f"``{problem}``: {title}"]
            for system in systems:
                value = by_system.get(system, {}).get(measure)
                cells.append(cell(measure, value, None if system == "skxmr" else own))
            lines += row(cells)
    return lines


def row(cells):
    """Write the cells of one row of a list-table."""
    return [
        f"   {'*' if number == 0 else ' '} - {text}".rstrip()
        for number, text in enumerate(cells)
    ]


def main():
    """Write the best figures of each system to ``figures.rst``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("comparison", type=Path)
    parser.add_argument("--machine", required=True, help="shown on the landing page")
    parser.add_argument(
        "--command", default="python -m benchmarks --problems products subjects"
    )
    options = parser.parse_args()
    comparison = json.loads(options.comparison.read_text("utf-8"))
    found = figures_of(comparison, options.machine, options.command)
    FIGURES.write_text(page(found), "utf-8")


if __name__ == "__main__":
    main()
