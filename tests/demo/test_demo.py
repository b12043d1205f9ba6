"""The demo's application over HTTP.

The protocol below it is tested in test_demo_protocol.py, its page in test_demo_page.py.
"""

import http.client
import json
import re
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice

import pytest
from demo_stand_ins import (
    CORRECTIONS,
    JSON,
    Slow,
    StandIn,
    post,
    request,
    running,
    serving,
)
from starlette.applications import Starlette
from starlette.routing import Mount

from skxmr.demo import application
from skxmr.demo._application import MAX_BODY


@pytest.fixture(scope="module")
def server():
    with serving(StandIn()) as server:
        yield server


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
    assert set(answer) == {"answers", "did_you_mean", "milliseconds"}
    assert answer["did_you_mean"] is None
    assert answer["answers"][0] == {"name": "about steam", "score": 0.75}
    # A label without a name is shown as itself.
    assert answer["answers"][1]["name"] == "7"


def test_nothing_is_found(server):
    for text in ("nothing", "nothing railwais", "nothing <b>"):
        status, answer = post(server, "/api/search", {"text": text})
        assert (status, answer["answers"]) == (200, [])
        assert answer["did_you_mean"] == CORRECTIONS.get(text)


@pytest.mark.parametrize("text", ["weak railwais", "strong railwais"])
def test_did_you_mean_beside_answers(server, text):
    status, answer = post(server, "/api/search", {"text": text})
    assert (status, len(answer["answers"])) == (200, 2)
    assert answer["did_you_mean"] == "railways"


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
