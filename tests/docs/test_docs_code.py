"""What the pages of the documentation show runs as it stands there.

The pages of the user guide have tests of their own, in ``test_guide.py``.
"""

import re
import shlex
import textwrap
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from code_blocks import blocks_of, rst_blocks, run_blocks

ROOT = Path(__file__).parents[2]
OURS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
MADE = {"_build", "auto_examples", "generated", "backreferences"}
PAGES = [
    path
    for path in sorted([*ROOT.glob("docs/**/*.rst"), *ROOT.glob("docs/**/*.md")])
    if not MADE & set(path.parts)
]
WITH_PYTHON = [
    page
    for page in PAGES
    if {"python", "pycon"} & {language for language, _ in blocks_of(page)}
    and page.parent.name != "guide"
]


@pytest.mark.parametrize(
    "path", WITH_PYTHON, ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_blocks_run_one_after_another(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mpl.use("agg")
    assert len(run_blocks(path)) > 2
    plt.close("all")


def test_pages_are_found():
    names = {page.relative_to(ROOT).as_posix() for page in WITH_PYTHON}
    assert {"docs/index.rst", "docs/install.rst"} <= names


def test_blocks_are_found_with_their_languages_and_without_options():
    page = textwrap.dedent(
        """
        .. code-block:: python
           :caption: one

           x = 1

           y = 2

        Text.

        - in a list

          .. code-block:: console

             $ ls
        """
    )
    assert list(rst_blocks(page)) == [
        ("python", "x = 1\n\ny = 2\n"),
        ("console", "$ ls\n"),
    ]


def test_what_is_printed_must_be_what_is_shown(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1)\n```\n\n```text\n1\n```\n", "utf-8")
    run_blocks(page)
    page.write_text("```python\nprint(1)\n```\n\n```text\n2\n```\n", "utf-8")
    with pytest.raises(AssertionError):
        run_blocks(page)
    page.write_text(
        "```pycon\n>>> x = 1\n```\n\n```pycon\n>>> x + 1\n2\n```\n", encoding="utf-8"
    )
    assert run_blocks(page)["x"] == 1
    page.write_text("```pycon\n>>> 1 + 1\n3\n```\n", "utf-8")
    with pytest.raises(AssertionError):
        run_blocks(page)


def test_no_block_is_left_without_a_language():
    # Such a block would be set as Python by Sphinx, and run by nobody.
    for page in PAGES:
        languages = {language for language, _ in blocks_of(page)}
        assert "" not in languages, page
        if page.suffix == ".rst":
            text = page.read_text("utf-8")
            text = re.sub(r"^ *\.\. .*::.*$", "", text, flags=re.MULTILINE)
            assert not re.search(r"::\n\n +\S", text), page


def commands():
    for page in [*OURS, *PAGES]:
        for language, code in blocks_of(page):
            if language in ("sh", "console", "bash"):
                for line in code.replace("\\\n", " ").splitlines():
                    yield page, line.removeprefix("$ ")


def test_commands_name_modules_and_files_that_exist():
    checked = 0
    for page, line in commands():
        words = shlex.split(line.replace("&&", " ; "))
        for before, word in pairwise(words):
            if before == "-m" and word.split(".")[0] in ("skxmr", "benchmarks"):
                place = ROOT.joinpath(*word.split("."))
                found = place.is_dir() or place.with_suffix(".py").is_file()
                assert found, (page, line)
                checked += 1
            if re.match(r"(examples|tests|docs|benchmarks|skxmr)/[\w/]+\.\w+$", word):
                assert (ROOT / word).exists(), (page, line)
                checked += 1
    assert checked >= 5
