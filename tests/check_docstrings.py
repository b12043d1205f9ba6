"""Checks the docstring of every public name against numpydoc's rules."""

import importlib
import inspect
import pkgutil
import sys

from numpydoc.validate import validate

import skxmr

# Style of wording and order that ruff leaves alone; examples are asked of classes.
IGNORED = {"ES01", "SA01", "EX01", "GL08", "RT03", "PR01", "RT01", "SA04", "YD01"}


def public_names():
    yield from (f"skxmr.{name}" for name in skxmr.__all__ if name != "__version__")
    for module in pkgutil.iter_modules(skxmr.__path__):
        if module.name.startswith("_") or module.ispkg:
            continue
        loaded = importlib.import_module(f"skxmr.{module.name}")
        for name in loaded.__all__:
            thing = getattr(loaded, name)
            yield f"skxmr.{module.name}.{name}"
            if inspect.isclass(thing):
                for method, function in vars(thing).items():
                    if not method.startswith("_") and callable(function):
                        yield f"skxmr.{module.name}.{name}.{method}"


def main():
    n_errors = 0
    for name in sorted(set(public_names())):
        errors = [e for e in validate(name)["errors"] if e[0] not in IGNORED]
        for code, message in errors:
            print(f"{name}: {code} {message}")
        n_errors += len(errors)
    return n_errors


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
