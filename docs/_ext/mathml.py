"""Formulas as MathML, which browsers draw without scripts, fonts or pictures.

Sphinx has no such renderer: ``sphinx.ext.mathjax`` loads a script from the network, and
``sphinx.ext.imgmath`` needs LaTeX and makes pictures with a fixed colour and size.
"""

from docutils import nodes
from latex2mathml.converter import convert


def _visit_inline(translator, node):
    translator.body.append(convert(node.astext(), display="inline"))
    raise nodes.SkipNode


def _visit_display(translator, node):
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    if node["number"]:
        translator.body.append(f'<span class="eqno">({node["number"]})</span>')
    translator.body.append(convert(node.astext(), display="block"))
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app):
    """Register the renderer."""
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(_visit_inline, None),
        block_renderers=(_visit_display, None),
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
