"""Time and memory against the number of labels, rows and features.

``python -m benchmarks.scaling --axis labels --values 1000 10000 100000`` makes a
synthetic problem for each value, measures the systems on it and writes a JSON file and
a picture with the curves beside it. Without values it takes a default ladder.

On the axis of labels, there are at least as many rows as labels, so that most labels
have rows; on the others, the other sizes are constant.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl

from benchmarks import machine
from benchmarks.comparison import Comparison, Effort, say
from benchmarks.jobs import SETTINGS
from benchmarks.report import COSTS, summarise
from benchmarks.run import CACHE
from benchmarks.synthetic import make_problem
from benchmarks.systems import OWN, SYSTEMS

LADDERS = {
    "labels": (1_000, 4_000, 16_000, 64_000),
    "rows": (25_000, 50_000, 100_000, 200_000),
    "features": (10_000, 40_000, 160_000, 640_000),
}
# Panels of the picture.
SHOWN = ("index_s", "train_s", "peak_added", "model_bytes", "batch_s_1", "single_p50_s")


def sizes_at(axis, value, options):
    """Rows, features and labels of the problem at one value of the axis."""
    sizes = {
        "rows": options.rows,
        "features": options.features,
        "labels": options.labels,
    }
    sizes[axis] = value
    if axis == "labels":
        sizes["rows"] = max(sizes["rows"], value)
    return sizes


def measure(axis, values, comparison, options):
    """One entry for each value: the problem's sizes and the summary of all systems."""
    points = []
    for value in values:
        sizes = sizes_at(axis, value, options)
        problem = make_problem(
            sizes["rows"],
            sizes["features"],
            sizes["labels"],
            n_test=options.queries,
            name=f"{axis}={value}",
        )
        rows = summarise(comparison.measure(problem))
        points.append({"value": value, "sizes": problem.describe(), "summary": rows})
        for row in rows:
            say(f"  {row['system']} {row['layout']}: {row['errors'] or 'done'}")
    return points


def curves(points, key):
    """Lines of one measure: (system, layout) to its values and numbers."""
    lines = {}
    for point in points:
        for row in point["summary"]:
            number = row["numbers"].get(key)
            if number is not None:
                line = lines.setdefault((row["system"], row["layout"]), ([], []))
                line[0].append(point["value"])
                line[1].append(number)
    return lines


def draw(axis, points, path):
    """Draw a picture with one log-log panel per cost."""
    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend is chosen

    columns = {column.key: column for column in COSTS}
    figure, panels = plt.subplots(2, 3, figsize=(13, 7.5), layout="constrained")
    for panel, key in zip(panels.flat, SHOWN, strict=True):
        column = columns[key]
        for (system, layout), (values, numbers) in curves(points, key).items():
            name = system if layout == "default" else f"{system} ({layout})"
            scaled = [number * column.scale for number in numbers]
            style = {"linewidth": 2.5, "color": "black"} if system == OWN else {}
            panel.plot(values, scaled, marker="o", label=name, **style)
        panel.set(xscale="log", yscale="log", xlabel=axis, title=column.title)
        panel.grid(visible=True, which="both", alpha=0.25)
    handles, names = panels.flat[2].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def arguments(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=__doc__
    )
    add = parser.add_argument
    add("--axis", choices=LADDERS, required=True)
    add("--values", type=int, nargs="+")
    add("--systems", nargs="+", choices=SYSTEMS, default=[OWN, "pecos"])
    add("--rows", type=int, default=100_000, help="default: %(default)s")
    add("--features", type=int, default=100_000, help="default: %(default)s")
    add("--labels", type=int, default=10_000, help="default: %(default)s")
    add("--queries", type=int, default=5_000, help="default: %(default)s")
    add("--repetitions", type=int, default=1)
    add("--threads", type=int, default=2)
    add("--timeout", type=float, default=3_600.0, help="seconds for each process")
    add("--cache", type=Path, default=CACHE)
    add("--output", type=Path, help="JSON file; the picture gets its name with .png")
    return parser.parse_args(argv)


def main(argv=None):
    """Measure, write the JSON file and the picture."""
    options = arguments(argv)
    effort = Effort(options.threads, options.repetitions, timeout=options.timeout)
    comparison = Comparison(options.systems, options.cache, effort)
    values = options.values or LADDERS[options.axis]
    points = measure(options.axis, values, comparison, options)
    output = options.output or options.cache / f"scaling-{options.axis}.json"
    results = {
        "machine": machine.facts(),
        "settings": SETTINGS,
        "effort": asdict(effort),
        "axis": options.axis,
        "points": points,
    }
    output.write_text(json.dumps(results, indent=1))
    draw(options.axis, points, output.with_suffix(".png"))
    say(f"written to {output} and {output.with_suffix('.png')}")


if __name__ == "__main__":
    main()
