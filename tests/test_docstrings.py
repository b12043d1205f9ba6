"""The docstring of every public name keeps numpydoc's rules."""

import inspect

import pytest
from numpydoc.validate import validate

import skxmr

# Extended summaries, "See Also" and examples are written where they help; what is
# returned is described by its type where that says all.
OPTIONAL = {"ES01", "SA01", "SA04", "EX01", "RT03"}


def public_names():
    homes = {"skxmr": skxmr, "skxmr.metrics": skxmr.metrics}
    homes["skxmr.datasets"] = skxmr.datasets
    homes["skxmr.interop"] = skxmr.interop
    for home, module in homes.items():
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing):
                yield f"{home}.{name}"
                for method, function in vars(thing).items():
                    if not method.startswith("_") and inspect.isfunction(function):
                        yield f"{home}.{name}.{method}"
            elif inspect.isfunction(thing):
                yield f"{home}.{name}"


@pytest.mark.parametrize("name", sorted(set(public_names())))
def test_docstring(name):
    errors = [error for error in validate(name)["errors"] if error[0] not in OPTIONAL]
    assert errors == []
