"""Directives for the picture and the measured figures of the landing page.

``.. measured::`` makes a table of ``figures.json``, with the command that produced it,
and ``.. search-picture::`` shows the picture of `search_picture`. ``python
docs/take_figures.py`` takes the figures from the output of a benchmark.
"""

import json
from pathlib import Path

import search_picture
from sphinx.util.docutils import SphinxDirective

HERE = Path(__file__).parents[1]
FIGURES = HERE / "figures.json"
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
        f"   {'*' if number == 0 else ' '} - {text}"
        for number, text in enumerate(cells)
    ]


class Measured(SphinxDirective):
    """The table of ``figures.json``, with its source."""

    def run(self):
        """Parse the lines of the table into nodes."""
        self.env.note_dependency(str(FIGURES))
        figures = json.loads(FIGURES.read_text("utf-8"))
        source = (
            f"Measured {figures['date']} by ``{figures['command']}`` on "
            f"{figures['machine']}; in brackets, the ratio to the time of skxmr."
        )
        lines = [*table(figures["problems"]), "", source]
        return self.parse_text_to_nodes("\n".join(lines))


class SearchPicture(SphinxDirective):
    """The picture of a search, on light and on dark backgrounds."""

    has_content = True

    def run(self):
        """Insert both; the theme hides one of them."""
        text = " ".join(self.content)
        lines = []
        for theme in search_picture.THEMES:
            lines += [
                f".. image:: /_build/pictures/search-{theme}.svg",
                f"   :class: only-{theme}",
                f"   :alt: {text}",
                "",
            ]
        return self.parse_text_to_nodes("\n".join(lines))


def _draw(_app):
    search_picture.write(HERE / "_build" / "pictures")


def setup(app):
    """Register the directives, and draw the picture before any page is read."""
    app.add_directive("measured", Measured)
    app.add_directive("search-picture", SearchPicture)
    # Before the gallery, which uses it for examples without a picture.
    app.connect("builder-inited", _draw, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
