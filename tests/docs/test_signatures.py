"""What ``help()`` shows of each public function fits the reader's screen."""

import inspect
import re

import pytest

import skxmr
from skxmr import demo

# Characters of a type. The alias of NumPy's for all that can be an array has 400 if it
# is not shown by its name.
LONGEST_TYPE = 80
LONGEST_SIGNATURE = 640  # XRLinearClassifier has 27 parameters


def public_functions():
    homes = [getattr(skxmr, name) for name in skxmr.__all__]
    for home in [skxmr, demo, *filter(inspect.ismodule, homes)]:
        for name in home.__all__:
            thing = getattr(home, name)
            # Warnings have the signature of their base class, written in C.
            is_ours = inspect.isclass(thing) and not issubclass(thing, Warning)
            if inspect.isfunction(thing) or is_ours:
                yield f"{home.__name__}.{name}", thing
            if inspect.isclass(thing):
                for method, function in inspect.getmembers(thing, inspect.isfunction):
                    if not method.startswith("_"):
                        yield f"{home.__name__}.{name}.{method}", function


FUNCTIONS = dict(public_functions())


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_signatures_are_short(name):
    signature = inspect.signature(FUNCTIONS[name])
    types = [parameter.annotation for parameter in signature.parameters.values()]
    shown = [
        inspect.formatannotation(of) for of in [*types, signature.return_annotation]
    ]
    assert [of for of in shown if len(of) > LONGEST_TYPE] == []
    assert len(str(signature)) <= LONGEST_SIGNATURE
    assert not re.search(r"numpy\._|_SupportsArray", str(signature))
