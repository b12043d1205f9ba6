"""What the documentation's sources say is true: names, versions, links, figures."""

import importlib
import inspect
import re
import runpy
import zlib
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.utils import estimator_html_repr

import skxmr
from skxmr._base._documentation import SITE

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
INVENTORIES = sorted((DOCS / "inventories").glob("*.inv"))


def listed_names():
    """Full names below ``autosummary`` on the API pages."""
    names = []
    for page in sorted((DOCS / "api").glob("*.rst")):
        home, inside = "", False
        for line in page.read_text("utf-8").splitlines():
            if module := re.match(r"\.\. currentmodule:: (\S+)", line):
                home = module[1]
            elif line and not line.startswith(" "):
                inside = line.startswith(".. autosummary::")
            elif inside and re.fullmatch(r"   \w+", line):
                names.append(f"{home}.{line.strip()}")
    return names


def public_modules():
    """The package, the modules that its ``__all__`` has, and the demo."""
    things = [getattr(skxmr, name) for name in skxmr.__all__]
    demo = importlib.import_module("skxmr.demo")
    return [skxmr, *filter(inspect.ismodule, things), demo]


def public_names():
    """Full names of what ``__all__`` of the public modules has."""
    return [
        f"{module.__name__}.{name}"
        for module in public_modules()
        for name in module.__all__
        if not inspect.ismodule(getattr(module, name)) and name != "__version__"
    ]


def resolve(name):
    """Import what a dotted name names, however deep its module lies."""
    parts = name.split(".")
    for stop in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:stop]))
        except ImportError:
            continue
        for part in parts[stop:]:
            found = getattr(found, part)
        return found
    raise ImportError(name)


def estimators():
    for name in public_names():
        thing = resolve(name)
        if inspect.isclass(thing) and issubclass(thing, BaseEstimator):
            yield name


def test_every_public_name_is_listed_once():
    listed = listed_names()
    assert len(listed) == len(set(listed))
    assert set(public_names()) <= set(listed)


@pytest.mark.parametrize("name", listed_names())
def test_a_listed_name_exists(name):
    assert resolve(name) is not None


def test_modules_of_public_names_are_found():
    names = {module.__name__ for module in public_modules()}
    assert {"skxmr", "skxmr.metrics", "skxmr.datasets", "skxmr.demo"} <= names


@pytest.mark.parametrize("name", sorted(set(estimators())))
def test_displays_link_to_the_page(name):
    estimator = resolve(name)
    parameters = inspect.signature(estimator).parameters.values()
    needed = [one.name for one in parameters if one.default is one.empty]
    # What it is made of does not matter to the link.
    estimator = object.__new__(estimator) if needed else estimator()
    link = f"https://skxmr.readthedocs.io/en/stable/api/generated/{name}.html"
    assert estimator._get_doc_link() == link
    if not needed:
        assert f'href="{link}"' in estimator_html_repr(clone(estimator))


def test_the_package_names_the_same_site():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert re.findall(r'^Documentation = "(.*)"$', text, re.MULTILINE) == [SITE]


def test_other_peoples_estimators_do_not_link_here():
    class Own(skxmr.KMeansTree):
        pass

    assert Own()._get_doc_link() == ""


@pytest.mark.parametrize("path", INVENTORIES, ids=lambda path: path.stem)
def test_inventories_name_what_exists(path):
    header, compressed = path.read_bytes().split(b"using zlib.\n", 1)
    assert header.startswith(b"# Sphinx inventory version 2\n")
    entries = zlib.decompress(compressed).decode().splitlines()
    assert len(entries) == len(set(entries))
    for entry in entries:
        name, role, priority, place, title = entry.split(maxsplit=4)
        assert role in {
            "py:class", "py:function", "py:method", "py:module", "py:data",
            "py:exception", "std:label", "std:term", "py:attribute", "std:doc",
        }, entry  # fmt: skip
        assert re.fullmatch(r"-?[01]", priority), entry
        # Sphinx puts the name in place of "$" at the end only.
        assert re.search(r"\.html(#[^$]*\$?)?$", place), entry
        assert "$" not in place[:-1], entry
        assert title
        if role.startswith("py:") and path.stem != "python":
            thing = resolve(name)
            assert inspect.isclass(thing) == (role in ("py:class", "py:exception"))


def test_the_version_to_cite_is_the_version():
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.findall(r"^version: (.*)$", text, re.MULTILINE) == [skxmr.__version__]


def test_figures_have_a_source_and_are_positive():
    text = (DOCS / "figures.rst").read_text("utf-8")
    source = r"\nMeasured \d{4}-\d\d-\d\d by ``python -m benchmarks[^`]*`` on \w"
    assert re.search(source, text)
    assert "     - skxmr\n" in text
    times = re.findall(r" - ([\d.,]+) (?:s|µs)\b", text)
    assert len(times) > 10
    assert all(float(time.replace(",", "")) > 0 for time in times)


def test_figures_are_taken_from_a_comparison(tmp_path):
    script = runpy.run_path(str(DOCS / "take_figures.py"))
    row = {"fit_s": 2.0, "batch_s_1": 3e-5, "single_p50_s": None, "P@1": 60.123}
    slower = row | {"batch_s_1": 4e-5, "single_p50_s": 1e-4}
    comparison = {
        "machine": {"time": "2026-01-02T03:04:05+00:00"},
        "problems": [
            {
                "problem": "products",
                "summary": [
                    {"system": "skxmr", "numbers": row},
                    {"system": "pecos", "numbers": slower},
                    {"system": "pecos", "numbers": row},
                    {"system": "napkinxc", "numbers": {}},
                ],
            },
            {"problem": "places", "why": "no data"},
        ],
    }
    found = script["figures_of"](comparison, "a machine", "python -m benchmarks")
    assert found["date"] == "2026-01-02"
    own = {"fit_s": 2.0, "batch_s_1": 3e-5, "P@1": 60.1}
    best = own | {"single_p50_s": 1e-4}
    assert found["problems"] == {"products": {"skxmr": own, "pecos": best}}
    lines = script["page"](found).splitlines()
    assert lines[4:7] == ["   * -", "     - skxmr", "     - PECOS"]
    query = lines.index("   * - ``products``: query, one call each")
    assert lines[query + 1 : query + 3] == ["     - \N{EM DASH}", "     - 100 µs"]
    source = "Measured 2026-01-02 by ``python -m benchmarks`` on a machine;"
    assert any(line.startswith(source) for line in lines)
    comparison["problems"].pop(0)
    with pytest.raises(SystemExit, match="No problem"):
        script["figures_of"](comparison, "a machine", "python -m benchmarks")


# What people search the documentation for.
SEARCHES = {
    "autocomplete": "completion",
    "deploy": "deploy",
    "web service": "deploy",
    "fastapi": "deploy",
    "csv": "quickstart",
    "quick start": "quickstart",
    "partial_fit": "living",
    "MultiLabelBinarizer": "quickstart",
    "sentence embeddings": "embeddings",
}


@pytest.mark.parametrize(("words", "page"), SEARCHES.items())
def test_a_page_has_the_words_that_people_search_for(words, page):
    text = (DOCS / "guide" / f"{page}.rst").read_text("utf-8").lower()
    assert all(word in text for word in words.lower().split())


def test_the_landing_page_describes_its_picture(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "_ext")
    import search_picture

    found = search_picture.search()
    last = search_picture.children(found.offsets[-1], found.beams[-1])
    page = (DOCS / "index.rst").read_text("utf-8")
    assert page.count(f"all {len(last)} of the {found.offsets[-1][-1]:,} labels") == 2
    # The code above the picture prints what it shows.
    for _, name, score in found.found:
        assert f"   {score:.2f}  {name}\n" in page
