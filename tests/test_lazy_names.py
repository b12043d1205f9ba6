"""What ``import skxmr`` loads, and when."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skxmr

HEAVY = ("numpy", "scipy", "sklearn", "joblib", "starlette")

# Prints the heavy packages that a command line without a valid command has loaded.
LOADED_BY = """
import runpy, sys
module, *sys.argv[1:] = {arguments!r}
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
except SystemExit as end:
    code = end.code
print("code", code, [name for name in {heavy!r} if name in sys.modules])
"""

# Each public name first, with no other module of skxmr loaded; kernels load only once.
EACH_FIRST = """
import importlib, sys
def forget():
    for name in [name for name in sys.modules if name.split(".")[0] == "skxmr"]:
        if not name.startswith("skxmr._cython"):
            del sys.modules[name]
names = importlib.import_module("skxmr").__all__
for name in names:
    forget()
    getattr(importlib.import_module("skxmr"), name)
print(len(names))
"""


def printed(program):
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return ended.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["skxmr", "--help"], 0),
        (["skxmr", "--version"], 0),
        (["skxmr", "train", "--help"], 0),
        (["skxmr", "search"], 2),
        (["skxmr", "search", "models", "-k", "0"], 2),
        (["skxmr.demo", "--help"], 0),
        (["skxmr.demo", "--port", "many"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_help_and_errors_of_arguments_load_no_heavy_package(arguments, code):
    program = LOADED_BY.format(arguments=arguments, heavy=HEAVY)
    assert printed(program) == f"code {code} []"


def test_each_name_is_imported_from_where_type_checkers_find_it():
    tree = ast.parse(Path(skxmr.__file__).read_text(encoding="utf-8"))
    [checked] = [node for node in tree.body if isinstance(node, ast.If)]
    found = {alias.name: node.module for node in checked.body for alias in node.names}
    homes = {name: f"skxmr.{home}" for name, home in skxmr._HOMES.items()}
    modules = {name for name, module in found.items() if module == "skxmr"}
    assert {name: home for name, home in found.items() if home != "skxmr"} == homes
    assert modules <= skxmr._MODULES
    assert {"__version__", *homes, *modules} == set(skxmr.__all__)


def test_modules_are_attributes_without_their_own_import():
    assert all(
        getattr(skxmr, name).__name__ == f"skxmr.{name}" for name in skxmr._MODULES
    )
    assert {*skxmr._MODULES, *skxmr.__all__} <= set(dir(skxmr))


def test_each_public_name_can_be_imported_first():
    assert printed(EACH_FIRST) == str(len(skxmr.__all__))


def test_unknown_names_are_no_attributes():
    with pytest.raises(AttributeError, match="'skxmr' has no attribute 'Retriever'"):
        skxmr.Retriever  # noqa: B018 - reading it is the test
    with pytest.raises(ImportError, match="cannot import name 'Retriever'"):
        exec("from skxmr import Retriever")
