"""Imports between the packages of skxmr go one way, and implementations are private."""

import ast
import re
from pathlib import Path

import pytest

import skxmr

ROOT = Path(skxmr.__file__).parent

# Each package or module of skxmr, lowest layer first. Those on one line do not import
# each other; all others import only from the lines above.
LAYERS = [
    line.split()
    for line in """
    _cython _version _row_files
    _memory
    _parallel
    _utils
    _inputs
    ranking
    _targets
    _base
    text metrics datasets
    tree _lexical _embeddings _matching
    _fusion _search
    _training
    _growing
    stages
    linear rankers
    decisions
    retrieval completion sharding interop streaming
    baselines _saving inspection
    persistence demo
    _cli
    __main__
    """.strip().splitlines()
]
LEVELS = {unit: level for level, units in enumerate(LAYERS) for unit in units}

PUBLIC_MODULES = {"baselines", "persistence", "streaming"}
MOST_MODULES = 16

CYTHON_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import\b|c?import\s+([\w.]+))")


def imports_of_python(path):
    """Dotted names that a module imports, wherever in it the import is."""
    package = ["skxmr", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            base = [*base, node.module] if node.module else base
            yield from (".".join([*base, alias.name]) for alias in node.names)


def imports_of_cython(path):
    for line in path.read_text(encoding="utf-8").splitlines():
        if found := CYTHON_IMPORT.match(line):
            yield found[1] or found[2]


def unit_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


SOURCES = sorted(
    path
    for suffix in ("py", "pyi", "pyx", "pxd")
    for path in ROOT.rglob(f"*.{suffix}")
    if path != ROOT / "__init__.py"
)


def test_every_package_has_a_layer():
    assert {unit_of(path) for path in SOURCES} == set(LEVELS)


@pytest.mark.parametrize("unit", LEVELS)
def test_imports_go_down(unit):
    wrong = []
    for path in SOURCES:
        if unit_of(path) != unit:
            continue
        python = path.suffix in (".py", ".pyi")
        names = imports_of_python(path) if python else imports_of_cython(path)
        for name in names:
            package, _, rest = name.partition(".")
            target = rest.partition(".")[0]
            if package != "skxmr" or target == unit:
                continue
            # skxmr itself is above all layers.
            if LEVELS.get(target, len(LAYERS)) >= LEVELS[unit]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_imports_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    module = tmp_path / "text" / "_module.py"
    module.parent.mkdir()
    module.write_text(
        "import skxmr.tree\ndef lazy():\n    from . import _near\n"
        "    from ..linear import _far\n    from skxmr import stages\n",
        encoding="utf-8",
    )
    assert list(imports_of_python(module)) == [
        "skxmr.tree",
        "skxmr.text._near",
        "skxmr.linear._far",
        "skxmr.stages",
    ]
    kernel = tmp_path / "_kernel.pyx"
    kernel.write_text(
        "from skxmr._cython._a cimport b\n    import skxmr.c\ncimport skxmr.d\n",
        encoding="utf-8",
    )
    assert list(imports_of_cython(kernel)) == ["skxmr._cython._a", "skxmr.c", "skxmr.d"]


def test_modules_are_private():
    public = {path.stem for path in SOURCES if not path.name.startswith("_")}
    assert public <= PUBLIC_MODULES
    assert {path.stem for path in ROOT.glob("[!_]*.py")} == PUBLIC_MODULES


def test_folders_are_small():
    # _cython holds the kernels of all packages, and no .py but its __init__.
    folders = {path.parent for path in SOURCES}
    sizes = {folder: len(list(folder.glob("*.py"))) for folder in folders}
    assert max(sizes.values()) <= MOST_MODULES, sizes
