"""Sphinx configuration; see ``docs/development/documentation.rst``."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

import search_picture  # noqa: E402

import skxmr  # noqa: E402

project = "skxmr"
author = "The skxmr developers"
project_copyright = "2026, the skxmr developers"
release = skxmr.__version__
version = ".".join(release.split(".")[:2])

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "picture",
    "plain_or_link",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "figures.rst", "**/GALLERY_HEADER.rst"]
nitpicky = True
# Drawn before Sphinx reads the pages; the gallery has one of them, too.
pictures = HERE / "_build" / "pictures"

# A single pair of backticks: a link if it names a public object, code otherwise.
default_role = "plain-or-link"

# Docstrings
# ----------
toc_object_entries_show_parents = "hide"
autosummary_generate = True
autodoc_typehints = "none"  # numpydoc shows the types
autodoc_member_order = "groupwise"
numpydoc_show_class_members = False
numpydoc_attributes_as_param_list = True
# Words in parameter types that become links.
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {
    "Axes": "matplotlib.axes.Axes",
    "Bunch": "sklearn.utils.Bunch",
    "LabelTree": "skxmr.LabelTree",
    "RandomState": "numpy.random.RandomState",
    "array-like": ":term:`array-like <sklearn:array-like>`",
    "csr_array": "scipy.sparse.csr_array",
    "csr_matrix": "scipy.sparse.csr_matrix",
    "joblib.Memory": "joblib.Memory",
    "ndarray": "numpy.ndarray",
}

# Links to other projects, without network access
# -----------------------------------------------
intersphinx_mapping = {
    "joblib": ("https://joblib.readthedocs.io/en/stable/", "inventories/joblib.inv"),
    "matplotlib": ("https://matplotlib.org/stable/", "inventories/matplotlib.inv"),
    "numpy": ("https://numpy.org/doc/stable/", "inventories/numpy.inv"),
    "python": ("https://docs.python.org/3/", "inventories/python.inv"),
    "scipy": ("https://docs.scipy.org/doc/scipy/", "inventories/scipy.inv"),
    "sklearn": ("https://scikit-learn.org/stable/", "inventories/sklearn.inv"),
    "skops": ("https://skops.readthedocs.io/en/stable/", "inventories/skops.inv"),
}

# Gallery
# -------
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"\.py$",  # all of them run
    "abort_on_example_error": True,
    "doc_module": ("skxmr",),
    "reference_url": {"skxmr": None},
    "backreferences_dir": "api/backreferences",
    "default_thumb_file": str(pictures / "search.png"),
    "write_computation_times": False,
    "show_signature": False,
    "download_all_examples": False,
    "image_srcset": ["2x"],
    "remove_config_comments": True,
}

# Pages
# -----
html_theme = "pydata_sphinx_theme"
html_title = "skxmr"
html_static_path = ["_static"]
html_css_files = ["skxmr.css"]
html_math_renderer = "mathml"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skxmr"},
    "show_nav_level": 1,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "back_to_top_button": False,
}
html_sidebars = {"index": [], "changelog": []}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def setup(_app):
    """Draw the picture of the landing page."""
    search_picture.write(pictures)
