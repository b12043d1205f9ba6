"""What a single pair of backticks means: a link where it names something, else code."""

from sphinx.domains.python import PyXRefRole


class PlainOrLink(PyXRefRole):
    """A reference to any Python object, which may lead nowhere.

    Docstrings put parameters and values, as well as names, into backticks. A reference
    with a role of its own, such as in "See Also", must lead somewhere.
    """

    def __init__(self):
        super().__init__()
        self.refdomain, self.reftype = "py", "obj"

    def run(self):
        """Make the reference, marked as one that may stay plain."""
        self.name = "py:obj"
        found, messages = super().run()
        for node in found:
            node["may_be_plain"] = True
        return found, messages


def _keep_plain(_app, _env, node, contnode):
    return contnode if node.get("may_be_plain") else None


def setup(app):
    """Register the role."""
    app.add_role("plain-or-link", PlainOrLink())
    # After intersphinx, which looks at other projects.
    app.connect("missing-reference", _keep_plain, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
