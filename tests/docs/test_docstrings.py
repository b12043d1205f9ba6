"""The docstring of every public name is complete and keeps numpydoc's rules."""

import inspect
from http.server import ThreadingHTTPServer

import pytest
from numpydoc.validate import validate

import skxmr
from skxmr import demo
from skxmr._search._explanation import Explanation, NodeScore, Term
from skxmr.rankers._candidates import Candidates
from skxmr.ranking import LabelSubset

# Extended summaries are written where they help, and so are descriptions of what is
# returned, which scikit-learn's style also names (RT02), and of "See Also".
OPTIONAL = {"ES01", "SA04", "RT02", "RT03"}
# Of methods, see also and examples are in the docstring of the class.
OPTIONAL_OF_METHODS = OPTIONAL | {"SA01", "EX01"}


def documented():
    """Full names and things of the public names, and of what their methods return."""
    homes = [getattr(skxmr, name) for name in skxmr.__all__]
    homes = [skxmr, demo, *filter(inspect.ismodule, homes)]
    for home in homes:
        for name in home.__all__:
            yield f"{home.__name__}.{name}", getattr(home, name)
    for thing in (Candidates, Explanation, LabelSubset, NodeScore, Term):
        yield f"{thing.__module__}.{thing.__name__}", thing


def is_method_or_property(thing):
    return inspect.isroutine(thing) or isinstance(thing, property)


def is_ours(function):
    function = getattr(function, "fget", function)
    module = getattr(function, "__module__", None) or ""
    return module.startswith("skxmr.") and not function.__name__.startswith("_")


def public_names():
    for full, thing in documented():
        if inspect.isclass(thing) or inspect.isfunction(thing):
            yield full
        if inspect.isclass(thing):
            for method, function in inspect.getmembers(thing, is_method_or_property):
                # Methods that the server's framework calls are documented there.
                if is_ours(function) and method not in dir(ThreadingHTTPServer):
                    yield f"{full}.{method}"


@pytest.mark.parametrize("name", sorted(set(public_names())))
def test_docstring(name):
    found = validate(name)
    is_method = name.split(".")[-2][0].isupper()
    optional = OPTIONAL_OF_METHODS if is_method else OPTIONAL
    assert [error for error in found["errors"] if error[0] not in optional] == []
