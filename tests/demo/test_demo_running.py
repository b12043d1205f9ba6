"""The demo's models, its command line, and its worker processes."""

import http.client
import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from demo_stand_ins import JSON, Serving, StandIn, post, serving
from platforms import posix
from scipy import sparse
from sklearn.utils import Bunch

import skxmr
from skxmr import TextRetriever
from skxmr._row_files import Rows
from skxmr.demo import Catalogue, application, serve
from skxmr.demo.__main__ import _parse, main
from skxmr.demo._catalogue import pairs_of_terms
from skxmr.demo._command import load_or_train


def test_pairs_of_terms():
    target = sparse.csr_array(np.array([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]))
    pairs = zip(*pairs_of_terms(target, ["a", "b", "c", "d"]), strict=True)
    assert sorted(pairs) == sorted(
        [("", name) for name in "abcdacb"] + [("a", "c"), ("c", "a")]
    )


@pytest.fixture(scope="module")
def records():
    terms = ["trains", "railways", "stations", "mushrooms"]
    texts = [
        "a train at the station",
        "rails and trains",
        "station halls",
        "champignons",
    ]
    target = sparse.csr_array([[1, 0, 1, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]])
    return Bunch(data=texts, target=target, target_names=np.array(terms, dtype=object))


def test_real_models(records):
    catalogue = Catalogue.train(records)
    questions = [
        {"prefix": prefix, "previous": previous}
        for prefix in ("", "s", "St", "rail", "x")
        for previous in ([], ["railways"], ["mushrooms", "trains"], ["unknown"])
    ]
    with serving(catalogue, max_requests=64) as server, ThreadPoolExecutor(16) as pool:
        assert post(server, "/api/complete", {"prefix": "s"})[1]["suggestions"]
        status, found = post(server, "/api/search", {"text": "champignons"})
        assert (status, found["answers"][0]["name"]) == (200, "mushrooms")
        answers = pool.map(
            lambda fields: post(server, "/api/complete", fields), questions * 20
        )
        for fields, (status, answer) in zip(questions * 20, answers, strict=True):
            expected = catalogue.complete(**fields)
            found = [(each["text"], each["score"]) for each in answer["suggestions"]]
            assert (status, found) == (200, expected)


def test_nothing_found_and_corrections(records):
    catalogue = Catalogue.train(records)
    with serving(catalogue) as server:
        for text, correction in {
            "京都": None,
            "stetions": "stations",
            "!": None,
        }.items():
            status, answer = post(server, "/api/search", {"text": text})
            assert (status, answer["did_you_mean"]) == (200, correction)
            assert bool(answer["answers"]) == bool(correction)
    picky = replace(catalogue, min_score=1.0)
    assert picky.search("a station") == []
    found = replace(catalogue, min_score=0.0).search("a station")
    least = found[1][2]
    assert replace(catalogue, min_score=least).search("a station") == found[:2]


def test_retrievers_that_cannot_correct(records):
    class Minimal:
        def search(self, text, k):
            return [(0, text, 1.0)][:k]

    without_names = TextRetriever().fit(records.data, records.target)
    for retriever in (Minimal(), without_names):
        with serving(Catalogue(None, retriever)) as server:
            status, answer = post(server, "/api/search", {"text": "stetion halls"})
            assert (status, answer["did_you_mean"]) == (200, None)
            assert answer["answers"]


def test_models_are_kept_in_a_file(tmp_path, records):
    path = tmp_path / "models"
    fitted = replace(Catalogue.train(records), k=2)
    fitted.save(path)
    again = Catalogue.load(path)
    assert (again.k, again.min_score) == (2, fitted.min_score) == (2, 0.01)
    assert again.search("a station") == fitted.search("a station")
    assert again.complete("s", ["trains"]) == fitted.complete("s", ["trains"])
    assert list(tmp_path.iterdir()) == [path]
    for other in ({"version": "0"}, {"version": skxmr.__version__}, [1]):
        joblib.dump(other, path)
        with pytest.raises(ValueError, match="delete it to train them again"):
            Catalogue.load(path)
    path.write_bytes(b"cskxmr.removed\nClass\n.")
    with pytest.raises(ValueError, match="does not contain models of skxmr"):
        Catalogue.load(path)


def test_models_are_trained_once(tmp_path, records, monkeypatch, capsys):
    monkeypatch.setattr("skxmr.demo._command.load_subjects", lambda: records)
    path = tmp_path / "models"
    for trains in (True, False):
        catalogue = load_or_train(path)
        assert catalogue.search("rails")[0][1] == "railways"
        assert ("Training" in capsys.readouterr().out) == trains
    assert load_or_train(None).search("rails")[0][1] == "railways"


def test_own_rows(tmp_path, capsys):
    kinds = ["green tea", "black tea", "rye bread", "x" * 200, "white bread"]
    texts = [f"{kinds[i % 5]} {i}" for i in range(2500)]
    labels = [["tea"], ["tea", "hot"], ["bread"], ["tea"], ["bread"]] * 500
    catalogue = load_or_train(tmp_path / "models", Rows(texts, labels), "A shop")
    assert catalogue.title == "A shop"
    assert catalogue.examples == ("green tea 0", "green tea 1250", "white bread 2499")
    for one in (catalogue, load_or_train(tmp_path / "models")):
        assert one.search("black tea")[0][0] == "tea"
        assert [text for text, _ in one.complete("b", [])] == ["bread"]
        assert one.did_you_mean("wihte bread") == "white bread"
        assert "tea" in one.explain("black tea", 0)
        assert one.explain("black tea", 99) is None
        assert one.explain("black tea", -1) is None
    assert capsys.readouterr().out.count("Training") == 1
    # A tag that stands in no text is found, also by few texts.
    few = load_or_train(None, Rows(texts[:20], labels[:20]), "A shop")
    for one in (catalogue, few):
        assert "hot" in [label for label, _, _ in one.search("black tea")[:2]]


def test_rows_that_cannot_be_read_are_one_line(tmp_path):
    for name, content in (("missing.tsv", None), ("bad.csv", "a,b\n1,2\n"), ("x", "")):
        path = tmp_path / name
        if content is not None:
            path.write_text(content, encoding="utf-8")
        with pytest.raises(SystemExit) as ended:
            main(["--data", str(path)])
        assert str(ended.value).startswith("skxmr.demo: error: ")
        assert "\n" not in str(ended.value)


def test_options(capsys):
    options = _parse([])
    assert (options.host, options.port, options.models) == ("127.0.0.1", 8000, None)
    for host in ("localhost", "::1"):
        assert _parse(["--host", host]).host == host
    allowed = _parse(["--host", "0.0.0.0", "--allow-remote", "demo.example.org"])
    assert allowed.allow_remote == ["demo.example.org"]
    for arguments, message in {
        ("--host", "0.0.0.0"): "--allow-remote NAME",
        ("--host", "example.org"): "--allow-remote NAME",
        ("--port", "70000"): "between 0 and 65535",
    }.items():
        with pytest.raises(SystemExit):
            _parse(list(arguments))
        assert message in capsys.readouterr().err


@posix  # Windows sends no signal to one process
@pytest.mark.usefixtures("sigint")
@pytest.mark.parametrize(
    "how", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM]
)
def test_from_the_command_line(tmp_path, records, how):
    models = tmp_path / "models"
    Catalogue.train(records).save(models)
    command = [sys.executable, "-m", "skxmr.demo", "--port", "0", "--models", models]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        port = int(process.stdout.readline().split("/ ")[0].rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/api/search", '{"text": "champignons"}', JSON)
        found = json.loads(connection.getresponse().read())["answers"]
        connection.close()
        assert found[0]["name"] == "mushrooms"
        process.send_signal(how)
        assert process.stdout.read() == "Bye\n"
    assert process.returncode == 0


SERVICE = """
import os
from demo_stand_ins import StandIn
from skxmr.demo import application


class Pid(StandIn):
    def search(self, text):
        return [(0, str(os.getpid()), 1.0)]


def make():
    return application(Pid())
"""


@posix
@pytest.mark.usefixtures("sigint")
def test_several_workers(tmp_path):
    (tmp_path / "service.py").write_text(SERVICE, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    code = (
        f"import skxmr.demo as d; d.serve('service:make', port={address[1]}, workers=2)"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as process:
        try:
            workers = set()
            for _ in range(10_000):  # until the second has started
                workers.add(worker_of(address))
                if len(workers) == 2:
                    break
            assert len(workers) == 2
            assert str(process.pid) not in workers
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0


def worker_of(address):
    """Return which process answers a search, as soon as one does."""
    server = Serving(address, "", None)
    for _ in range(600):
        try:
            return post(server, "/api/search", {"text": "a"})[1]["answers"][0]["name"]
        except ConnectionError:
            time.sleep(0.1)
    raise AssertionError("no worker answers")


def test_several_workers_need_a_name():
    with pytest.raises(ValueError, match="expected app as 'module:function'"):
        serve(application(StandIn()), workers=2)


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_import_names_the_extra(monkeypatch, missing):
    for name in [name for name in sys.modules if name.startswith("skxmr.demo")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r'pip install "skxmr\[demo\]"'):
        importlib.import_module("skxmr.demo")


def test_skxmr_does_not_import_the_demo():
    package = Path(skxmr.__file__).parent
    # `skxmr serve` is imported when it runs.
    serving = package / "_cli" / "_serving.py"
    for path in package.rglob("*.py"):
        if package / "demo" not in path.parents and path != serving:
            imports = r"^(import|from) (skxmr\.demo|starlette|uvicorn)"
            assert not re.search(imports, path.read_text("utf-8"), re.MULTILINE), path
            imports = r"^(import|from) skxmr\._cli\._serving"
            assert not re.search(imports, path.read_text("utf-8"), re.MULTILINE), path
