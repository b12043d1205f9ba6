"""The directive ``picture``, which draws a figure while the site is built.

::

    .. picture:: kmeans_tree
       :alt: A description of the picture.

       A caption.

The name is a function of ``guide_pictures`` that returns a matplotlib figure. It is
drawn twice, for light and dark pages.
"""

from pathlib import Path

import guide_pictures
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective


class Picture(SphinxDirective):
    """A figure drawn by a function."""

    required_arguments = 1
    has_content = True
    option_spec = {"alt": directives.unchanged_required}  # noqa: RUF012

    def run(self):
        """Draw it, and insert both files; the theme shows one of them."""
        name = self.arguments[0]
        if "alt" not in self.options:
            raise self.error(f"The picture {name} has no alt text.")
        self.env.note_dependency(guide_pictures.__file__)
        folder = Path(self.env.srcdir) / "_build" / "pictures"
        folder.mkdir(parents=True, exist_ok=True)
        # The theme also hides a caption that is a sibling of a hidden image.
        both = nodes.container()
        for theme in guide_pictures.THEMES:
            path = folder / f"{name}-{theme}.svg"
            guide_pictures.save(name, theme, path)
            image = nodes.image(uri=f"/_build/pictures/{path.name}", **self.options)
            image["classes"].append(f"only-{theme}")
            both += image
        figure = nodes.figure("", both, align="center")
        if self.content:
            (caption,) = self.parse_content_to_nodes()
            figure += nodes.caption("", "", *caption.children)
        return [figure]


def setup(app):
    """Register the directive."""
    app.add_directive("picture", Picture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
