"""The default role: a link if the text names a Python object, and code otherwise."""

from sphinx.domains.python import PyXRefRole


class PlainOrLink(PyXRefRole):
    """A reference to any Python object, which need not resolve.

    Docstrings use backticks for parameters and values, as well as for names. A
    reference with an explicit role, such as in "See Also", must resolve.
    """

    def __init__(self):
        super().__init__()
        self.refdomain, self.reftype = "py", "obj"

    def run(self):
        """Make a reference that is marked as one that need not resolve."""
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
    # After intersphinx, which resolves names of other projects.
    app.connect("missing-reference", _keep_plain, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
