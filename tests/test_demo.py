"""The demo's application over HTTP.

The protocol below it is tested in test_demo_protocol.py, its page in test_demo_page.py.
"""

import http.client
import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice

import joblib
import numpy as np
import pytest
from demo_stand_ins import Serving, Slow, StandIn, running, serving
from platforms import posix
from scipy import sparse
from sklearn.utils import Bunch
from starlette.applications import Starlette
from starlette.routing import Mount

from skxmr.demo import Catalogue, application, serve
from skxmr.demo.__main__ import _load_or_train, _parse
from skxmr.demo._application import MAX_BODY
from skxmr.demo._catalogue import pairs_of_terms

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server():
    with serving(StandIn()) as server:
        yield server


def request(server, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(*server.address, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def post(server, path, fields, headers=JSON):
    response, body = request(server, "POST", path, json.dumps(fields), headers)
    return response.status, json.loads(body)


@pytest.mark.parametrize(
    ("path", "kind", "inside"),
    [
        ("/", "text/html; charset=utf-8", b'role="combobox"'),
        ("/?utm=1", "text/html; charset=utf-8", b'role="combobox"'),
        ("/demo.css", "text/css; charset=utf-8", b"prefers-color-scheme"),
        ("/demo.js", "text/javascript; charset=utf-8", b"AbortController"),
        ("/icon.svg", "image/svg+xml", b"<svg"),
    ],
)
def test_page(server, path, kind, inside):
    response, body = request(server, "GET", path)
    assert (response.status, response.headers["Content-Type"]) == (200, kind)
    assert inside in body
    head, nothing = request(server, "HEAD", path)
    assert (head.status, nothing) == (200, b"")
    assert head.headers["Content-Length"] == str(len(body))
    # The browser may keep it, but asks each time whether it has changed.
    assert response.headers["Cache-Control"] == "no-cache"
    etag = response.headers["ETag"]
    for known, status in {etag: 304, f'W/{etag}, "x"': 304, '"x"': 200}.items():
        again, body = request(server, "GET", path, headers={"If-None-Match": known})
        assert (again.status, again.headers["ETag"]) == (status, etag)
        assert bool(body) == (status == 200)


def test_page_names_no_other_server(server):
    for path in ("/", "/demo.css", "/demo.js"):
        body = request(server, "GET", path)[1]
        assert b"://" not in body


def test_page_works_below_any_path():
    inner = application(StandIn(), hosts=None)
    with running(Starlette(routes=[Mount("/shop/demo", inner)])) as server:
        response, body = request(server, "GET", "/shop/demo")
        assert response.headers["Location"].endswith("/shop/demo/")
        response, body = request(server, "GET", "/shop/demo/")
        assert response.status == 200
        assert not re.findall(rb'(?:href|src)="/', body)
        for link in re.findall(rb'(?:href|src)="([^"]+)"', body):
            path = f"/shop/demo/{link.decode()}"
            assert request(server, "GET", path)[0].status == 200
        status, answer = post(server, "/shop/demo/api/search", {"text": "tea"})
        assert (status, answer["answers"][0]["name"]) == (200, "about tea")


CACHED = {"GET": "no-cache", "PUT": "no-store", "BREW": "no-store"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/", None),
        ("GET", "/nothing", None),
        ("PUT", "/", None),
        ("POST", "/api/search", '{"text": "a"}'),
        ("POST", "/api/search", "{"),
        ("BREW", "/", None),
    ],
)
def test_headers_of_every_answer(server, method, path, body):
    headers = request(server, method, path, body, JSON)[0].headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == ("no-store" if path != "/" else CACHED[method])
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Server"] == "skxmr"


def test_complete(server):
    status, answer = post(server, "/api/complete", {"prefix": "st", "previous": []})
    assert status == 200
    assert set(answer) == {"suggestions", "milliseconds"}
    assert answer["milliseconds"] >= 0
    assert answer["suggestions"][0] == {"text": "steam engines", "score": 1.0}
    assert post(server, "/api/complete", {"prefix": "st"})[1]["suggestions"]


def test_complete_uses_previous_queries(server):
    fields = {"prefix": "st", "previous": ["mushrooms", "railways"]}
    answer = post(server, "/api/complete", fields)[1]
    assert answer["suggestions"][0]["text"] == "stations"


def test_search(server):
    status, answer = post(server, "/api/search", {"text": "steam"})
    assert status == 200
    assert set(answer) == {"answers", "milliseconds"}
    assert answer["answers"][0] == {"name": "about steam", "score": 0.75}
    # A label without a name is shown as itself.
    assert answer["answers"][1]["name"] == "7"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\0",
        "a\0b",
        "ζωή",
        "🚂" * 10,
        "\ud800",
        "x" * 10_000,
        "🚂" * 10_000,
        "<b>",
    ],
)
def test_any_text(server, text):
    status, answer = post(server, "/api/search", {"text": text})
    assert (status, answer["answers"][0]["name"]) == (200, f"about {text}")
    fields = {"prefix": text, "previous": [text]}
    assert post(server, "/api/complete", fields)[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/api/search", b"", "not JSON"),
        ("/api/search", b"{", "not JSON"),
        ("/api/search", b"\xff\xfe\xfd", "not JSON"),
        ("/api/search", b"[" * 100_000, "not JSON"),
        ("/api/search", b"[]", "must be a JSON object"),
        ("/api/search", b"{}", "text must be a string"),
        ("/api/search", b'{"text": 1}', "text must be a string"),
        ("/api/complete", b'{"text": "a"}', "prefix must be a string"),
        ("/api/complete", b'{"prefix": "a", "previous": "b"}', "list of strings"),
        ("/api/complete", b'{"prefix": "a", "previous": [1]}', "list of strings"),
        ("/api/complete", b'{"prefix": "a", "previous": null}', "list of strings"),
    ],
)
def test_bad_requests(server, path, body, message):
    response, answer = request(server, "POST", path, body, JSON)
    assert response.status == 400
    assert message in json.loads(answer)["error"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/api", "/api/", "/static/demo.js", "/../demo.js", "/%2e%2e/x"]
)
def test_unknown_addresses(server, path):
    for method in ("GET", "POST"):
        response, body = request(server, method, path)
        assert response.status == 404
        assert set(json.loads(body)) == {"error"}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_unknown_methods(server, method):
    for path, allowed in {"/": ["GET", "HEAD"], "/api/search": ["POST"]}.items():
        response, _ = request(server, method, path)
        assert response.status == 405
        assert sorted(response.headers["Allow"].split(", ")) == allowed
    assert request(server, "GET", "/api/search")[0].status == 405
    assert request(server, "POST", "/")[0].status == 405


def test_other_sites_cannot_call_the_api(server):
    # Pages may send these types to any site; for JSON, browsers ask that site first.
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        headers = {"Content-Type": kind}
        assert post(server, "/api/search", {"text": "a"}, headers)[0] == 415
    assert request(server, "POST", "/api/search", "{}")[0].status == 415
    utf8 = {"Content-Type": "application/json; charset=utf-8"}
    assert post(server, "/api/search", {"text": "a"}, utf8)[0] == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost:8000", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("demo.example.org", 421),
        ("localhost.example.org:8000", 421),
        ("127.0.0.1.example.org", 421),
        ("", 421),
    ],
)
def test_host_must_be_a_name_of_the_server(server, host, status):
    response, body = request(server, "GET", "/", headers={"Host": host})
    assert response.status == status
    if status == 421:
        assert "not a name of this server" in json.loads(body)["error"]


@pytest.mark.parametrize(
    ("hosts", "statuses"),
    [
        ({"Demo.example.org"}, {"demo.example.org": 200, "localhost": 421}),
        (None, {"demo.example.org": 200, "localhost": 200}),
    ],
)
def test_a_server_may_have_other_names(hosts, statuses):
    with serving(StandIn(), hosts=hosts) as server:
        for host, status in statuses.items():
            response, _ = request(server, "GET", "/", headers={"Host": host})
            assert response.status == status


def test_too_large_a_body(server):
    for size in (MAX_BODY + 1, 4 * MAX_BODY):
        response, body = request(server, "POST", "/api/search", b"x" * size, JSON)
        assert response.status == 413
        assert f"{MAX_BODY:,} bytes" in json.loads(body)["error"]
        chunks = iter([b"x" * size])  # its length is not known before it has arrived
        assert request(server, "POST", "/api/search", chunks, JSON)[0].status == 413


def test_body_in_chunks(server):
    chunks = iter([b'{"te', b'xt": "a"}'])
    response, body = request(server, "POST", "/api/search", chunks, JSON)
    assert (response.status, json.loads(body)["answers"][0]["name"]) == (200, "about a")


def test_one_connection_takes_many_requests(server):
    connection = http.client.HTTPConnection(*server.address, timeout=10)
    connection.connect()
    own = connection.sock
    for text in ("one", "two"):
        connection.request("POST", "/api/search", json.dumps({"text": text}), JSON)
        answer = json.loads(connection.getresponse().read())
        assert answer["answers"][0]["name"] == f"about {text}"
    # A body that the application does not read must not pass for the next request.
    connection.request("GET", "/", b"GET /nothing HTTP/1.1\r\n\r\n")
    assert connection.getresponse().read()
    connection.request("GET", "/icon.svg")
    assert connection.getresponse().read().startswith(b"<svg")
    assert connection.sock is own
    connection.close()


def test_many_at_once():
    with serving(StandIn(), max_requests=64) as server, ThreadPoolExecutor(32) as pool:
        texts = [f"text {i}" for i in range(300)]
        found = pool.map(
            lambda text: post(server, "/api/search", {"text": text}), texts
        )
        for text, (status, answer) in zip(texts, found, strict=True):
            assert (status, answer["answers"][0]["name"]) == (200, f"about {text}")


def test_rejects_what_it_cannot_answer():
    slow = Slow()
    with serving(slow, max_requests=2) as server, ThreadPoolExecutor(2) as pool:
        first = [
            pool.submit(post, server, "/api/search", {"text": "slow"}) for _ in range(2)
        ]
        for _ in first:
            assert slow.begun.acquire(timeout=10)
        response, body = request(server, "POST", "/api/search", '{"text": "a"}', JSON)
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert "busy" in json.loads(body)["error"]
        slow.go_on.set()
        assert [job.result()[0] for job in first] == [200, 200]
        assert post(server, "/api/search", {"text": "a"})[0] == 200


def test_calls_as_many_models_at_a_time_as_there_are_threads():
    slow = Slow()
    with (
        serving(slow, n_threads=2) as server,
        ThreadPoolExecutor(16) as pool,
    ):
        jobs = [
            pool.submit(post, server, "/api/search", {"text": "slow"})
            for _ in range(16)
        ]
        for _ in range(2):
            assert slow.begun.acquire(timeout=10)
        assert not slow.begun.acquire(timeout=0.2)
        slow.go_on.set()
        assert [job.result()[0] for job in jobs] == [200] * 16


def test_overload_is_rejected_at_once():
    slow = Slow()
    with serving(slow) as server, ThreadPoolExecutor(128) as pool:
        jobs = [
            pool.submit(post, server, "/api/search", {"text": "slow"})
            for _ in range(128)
        ]
        # While the models are still at work on the first:
        rejected = list(islice(as_completed(jobs, timeout=10), 112))
        assert {job.result()[0] for job in rejected} == {503}
        # The page does not need the models.
        assert request(server, "GET", "/")[0].status == 200
        slow.go_on.set()
        statuses = Counter(job.result()[0] for job in jobs)
        assert statuses == {200: 16, 503: 112}


def test_a_model_that_fails(server, caplog):
    status, answer = post(server, "/api/search", {"text": "fail"})
    assert (status, answer) == (500, {"error": "The server could not answer this"})
    assert "RuntimeError: secret" in caplog.text
    assert post(server, "/api/search", {"text": "a"})[0] == 200


def test_shutdown_answers_running_requests():
    slow = Slow()
    with ThreadPoolExecutor(1) as pool:
        with serving(slow) as server:
            job = pool.submit(post, server, "/api/search", {"text": "slow"})
            assert slow.begun.acquire(timeout=10)
            threading.Timer(0.1, slow.go_on.set).start()
        status, answer = job.result()
    assert (status, answer["answers"][0]["name"]) == (200, "about slow")
    with pytest.raises(ConnectionRefusedError):
        request(server, "GET", "/")


def test_address_of_either_kind(server):
    assert server.url == f"http://127.0.0.1:{server.address[1]}/"
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with serving(StandIn(), host="::1") as six:
        assert six.url == f"http://[::1]:{six.address[1]}/"
        assert request(six, "GET", "/")[0].status == 200


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


def test_models_are_kept_in_a_file(tmp_path, records):
    path = tmp_path / "models"
    fitted = Catalogue.train(records)
    fitted.save(path)
    again = Catalogue.load(path)
    assert again.search("a station") == fitted.search("a station")
    assert again.complete("s", ["trains"]) == fitted.complete("s", ["trains"])
    assert list(tmp_path.iterdir()) == [path]
    for other in ({"version": "0"}, [1]):
        joblib.dump(other, path)
        with pytest.raises(ValueError, match="delete it to train them again"):
            Catalogue.load(path)


def test_models_are_trained_once(tmp_path, records, monkeypatch, capsys):
    monkeypatch.setattr("skxmr.demo.__main__.load_subjects", lambda: records)
    path = tmp_path / "models"
    for trains in (True, False):
        catalogue = _load_or_train(path)
        assert catalogue.search("rails")[0][1] == "railways"
        assert ("Training" in capsys.readouterr().out) == trains
    assert _load_or_train(None).search("rails")[0][1] == "railways"


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
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
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
    (tmp_path / "service.py").write_text(SERVICE)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    code = (
        f"import skxmr.demo as d; d.serve('service:make', port={address[1]}, workers=2)"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as process:
        try:
            workers = {worker_of(address) for _ in range(100)}
            for _ in range(1000):
                if len(workers) == 2:
                    break
                workers.add(worker_of(address))
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
    code = "import sys, skxmr; sys.exit('skxmr.demo' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
