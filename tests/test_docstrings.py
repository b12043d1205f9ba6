"""The docstring of every public name keeps numpydoc's rules."""

import importlib
import inspect
import pkgutil

import pytest
from numpydoc.validate import validate

import skxmr

# Extended summaries, "See Also" and examples are written where they help. Constants
# and the private modules that names come from have no docstring of their own.
OPTIONAL = {"ES01", "SA01", "SA04", "EX01", "GL08"}


def public_names():
    for module in pkgutil.iter_modules(skxmr.__path__):
        if module.name.startswith("_") or module.ispkg:
            continue
        loaded = importlib.import_module(f"skxmr.{module.name}")
        for name in loaded.__all__:
            thing = getattr(loaded, name)
            if not inspect.isroutine(thing) and not inspect.isclass(thing):
                continue
            yield f"skxmr.{module.name}.{name}"
            if inspect.isclass(thing):
                for method, function in vars(thing).items():
                    if not method.startswith("_") and inspect.isfunction(function):
                        yield f"skxmr.{module.name}.{name}.{method}"


@pytest.mark.parametrize("name", sorted(set(public_names())))
def test_docstring(name):
    errors = [error for error in validate(name)["errors"] if error[0] not in OPTIONAL]
    assert errors == []
