"""What the user guide shows runs as it stands there, and says what comes out."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from code_blocks import blocks_of, run_blocks

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "guide").glob("*.rst"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_blocks(page)


def test_each_page_but_the_list_of_them_shows_code():
    for page in PAGES:
        n_python = sum(kind in ("python", "pycon") for kind, _ in blocks_of(page))
        assert (n_python == 0) == (page.stem == "index"), page
        # A doctest outside of a block would be run by nobody.
        assert not re.search(r"^>>>", page.read_text("utf-8"), re.MULTILINE), page


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


def drawn(pictures, name, theme, path):
    pictures.save(name, theme, path)
    return path.read_text("utf-8")


def test_pictures_are_drawn_for_light_and_dark_pages(pictures, tmp_path):
    path = tmp_path / "picture.svg"
    ink = {theme: colors["ink"] for theme, colors in pictures.THEMES.items()}
    for name in pictures.PICTURES:
        text = drawn(pictures, name, "light", path)
        assert ink["light"] in text
        assert ink["dark"] not in text
    dark = drawn(pictures, "full_trie", "dark", path)
    assert ink["dark"] in dark
    assert ink["light"] not in dark
    # Every build draws the same.
    assert drawn(pictures, "full_trie", "dark", path) == dark


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
