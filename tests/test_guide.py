"""What the user guide shows runs as it stands there, and says what comes out."""

import doctest
import re
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted((DOCS / "guide").glob("*.rst"))

# A block of code and its lines, which are indented or empty.
BLOCK = re.compile(r"^\.\. code-block:: (\S+)\n\n((?:(?: {3,}.*)?\n)+)", re.MULTILINE)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class _Strict(doctest.DocTestRunner):
    """Gathers what differs, to be shown by pytest."""

    def __init__(self):
        super().__init__(optionflags=FLAGS, verbose=False)
        self.lines = []

    def run(self, test):
        return super().run(test, out=self.lines.append, clear_globs=False)


def blocks_of(page):
    """Yield the kind of each block, its text and its line."""
    text = page.read_text("utf-8")
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start(2))
        yield found[1], textwrap.dedent(found[2]), line


def run_blocks(page, names):
    for kind, code, line in blocks_of(page):
        if kind == "python":
            exec(compile("\n" * line + code, str(page), "exec"), names)
        elif kind == "pycon":
            parser = doctest.DocTestParser()
            test = parser.get_doctest(code, names, page.stem, str(page), line)
            runner = _Strict()
            runner.run(test)
            names.update(test.globs)
            assert not runner.lines, "".join(runner.lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Prints of NumPy are compared as they are printed by default.
    with np.printoptions():
        run_blocks(page, {"__name__": "__guide__"})


def test_blocks_are_of_kinds_that_run():
    kinds = {kind for page in PAGES for kind, *_ in blocks_of(page)}
    assert kinds <= {"python", "pycon", "console"}
    assert sum(1 for page in PAGES for _ in blocks_of(page)) >= len(PAGES)
    # Another way to write a block would be run by nobody.
    for page in PAGES:
        text = page.read_text("utf-8")
        n_blocks = sum(1 for _ in blocks_of(page))
        assert text.count(".. code-block::") == n_blocks
        assert not re.search(r"^>>>|^(?!\.\.).*::$", text, re.MULTILINE)


def test_a_wrong_output_is_found(tmp_path):
    page = tmp_path / "page.rst"
    page.write_text(".. code-block:: pycon\n\n   >>> x = 1\n   >>> x\n   2\n")
    with pytest.raises(AssertionError, match="Expected"):
        run_blocks(page, {})
    page.write_text(".. code-block:: python\n\n   y = 1 / 0\n\nText.\n")
    with pytest.raises(ZeroDivisionError):
        run_blocks(page, {})


# Pictures
# --------


@pytest.fixture(scope="module")
def pictures():
    mpl = pytest.importorskip("matplotlib")
    mpl.use("agg")
    sys.path.insert(0, str(DOCS / "_ext"))
    try:
        import guide_pictures
    finally:
        sys.path.remove(str(DOCS / "_ext"))
    return guide_pictures


def test_pages_show_every_picture(pictures):
    shown = re.findall(
        r"^\.\. picture:: (\w+)$",
        "\n".join(page.read_text("utf-8") for page in PAGES),
        re.MULTILINE,
    )
    assert sorted(shown) == sorted(pictures.PICTURES)


def test_pictures_are_the_same_from_every_build(pictures, tmp_path):
    for name in pictures.PICTURES:
        for theme in pictures.THEMES:
            pictures.save(name, theme, tmp_path / f"{name}-{theme}.svg")
    for name in pictures.PICTURES:
        light = (tmp_path / f"{name}-light.svg").read_text("utf-8")
        dark = (tmp_path / f"{name}-dark.svg").read_text("utf-8")
        assert pictures.THEMES["dark"]["ink"] in dark
        assert pictures.THEMES["dark"]["ink"] not in light
    again = tmp_path / "again.svg"
    pictures.save("full_trie", "light", again)
    assert again.read_text("utf-8") == (tmp_path / "full_trie-light.svg").read_text(
        "utf-8"
    )


def test_the_picture_of_a_beam_shows_what_a_search_does(pictures):
    retriever = pictures.beam_model()
    assert retriever.classifier_.beam_width == 2
    steps = pictures.walk(retriever, pictures.QUERY, 2)
    tree = retriever.classifier_.trees_[0]
    found = retriever.search(pictures.QUERY, k=18)
    _, kept = steps[-1]
    assert [label for label, _, _ in found] == tree.labels[kept].tolist()
    scores = pictures.node_scores(retriever, pictures.QUERY)[-1][kept]
    np.testing.assert_allclose([score for *_, score in found], scores, rtol=1e-5)
    assert [len(kept) for _, kept in steps[1:-1]] == [2] * (tree.depth - 1)


def test_there_is_no_other_picture(pictures, tmp_path):
    with pytest.raises(ValueError, match="no picture 'monalisa'"):
        pictures.save("monalisa", "light", tmp_path / "x.svg")
    with pytest.raises(ValueError, match="no picture 'save'"):
        pictures.save("save", "light", tmp_path / "x.svg")
