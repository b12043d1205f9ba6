"""Copy results of a benchmark to ``figures.json``, which the landing page shows.

::

    python -m benchmarks --problems products subjects
    python docs/take_figures.py .benchmarks/comparison.json \
        --machine "2 cores of …, otherwise idle"
"""

import argparse
import json
from pathlib import Path

FIGURES = Path(__file__).with_name("figures.json")
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
    """Convert the output of ``python -m benchmarks`` to that of ``figures.json``."""
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


def main():
    """Write the best figures of each system to ``figures.json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("comparison", type=Path)
    parser.add_argument("--machine", required=True, help="shown on the landing page")
    parser.add_argument(
        "--command", default="python -m benchmarks --problems products subjects"
    )
    options = parser.parse_args()
    comparison = json.loads(options.comparison.read_text("utf-8"))
    found = figures_of(comparison, options.machine, options.command)
    FIGURES.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
