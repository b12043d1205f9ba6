"""What the pages of the documentation show runs as it stands there."""

import doctest
import re
import shlex
import textwrap
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[1]
OURS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
MADE = {"_build", "auto_examples", "generated", "backreferences"}
PAGES = [
    path
    for path in sorted([*ROOT.glob("docs/**/*.rst"), *ROOT.glob("docs/**/*.md")])
    if not MADE & set(path.parts)
]
DIRECTIVE = re.compile(r"^( *)\.\. (?:code-block|code|sourcecode):: *(\S*) *$")


def rst_blocks(text):
    """Yield the language and the code of each block of a page."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not (start := DIRECTIVE.match(line)):
            continue
        inside = []
        for below in lines[number + 1 :]:
            if below.strip() and not below.startswith(start[1] + " "):
                break
            inside.append(below)
        block = textwrap.dedent("\n".join(inside)).lstrip("\n")
        options, _, code = block.partition("\n\n")
        yield start[2], code if options.startswith(":") else block


def blocks_of(path):
    text = path.read_text("utf-8")
    if path.suffix == ".rst":
        return list(rst_blocks(text))
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def has_python(path):
    languages = {language for language, _ in blocks_of(path)}
    return bool(languages & {"python", "pycon"}) or ">>> " in path.read_text("utf-8")


@pytest.mark.parametrize(
    "path",
    [page for page in PAGES if has_python(page)],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_blocks_run_one_after_another(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mpl.use("agg")
    names: dict = {"__name__": path.stem}
    for language, code in blocks_of(path):
        if language == "python":
            exec(compile(code, str(path), "exec"), names)
    plt.close("all")
    text = path.read_text("utf-8")
    test = doctest.DocTestParser().get_doctest(text, names, path.name, str(path), 0)
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test)
    assert result.failed == 0


def test_pages_are_found():
    names = {page.relative_to(ROOT).as_posix() for page in PAGES if has_python(page)}
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
    assert [(language, code.strip()) for language, code in rst_blocks(page)] == [
        ("python", "x = 1\n\ny = 2"),
        ("console", "$ ls"),
    ]


def test_no_block_is_left_without_a_language():
    # Such a block would be set as Python by Sphinx, and run by nobody.
    for page in PAGES:
        languages = {language for language, _ in blocks_of(page)}
        assert "" not in languages, page
        if page.suffix == ".rst":
            text = re.sub(
                r"^ *\.\. .*::.*$", "", page.read_text("utf-8"), flags=re.MULTILINE
            )
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
                assert find_spec(word), (page, line)
                checked += 1
            if re.match(r"(examples|tests|docs|benchmarks|skxmr)/[\w/]+\.\w+$", word):
                assert (ROOT / word).exists(), (page, line)
                checked += 1
    assert checked >= 5
