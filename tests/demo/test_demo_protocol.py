"""The demo's HTTP protocol, by raw sockets: ambiguous, slow and abandoned requests."""

import http.client
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import numpy as np
import pytest
from demo_stand_ins import Slow, StandIn, serving

from skxmr.demo._protocol import DeadlineProtocol

GET = b"GET /icon.svg HTTP/1.1\r\nHost: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
POST = b"POST /api/search HTTP/1.1\r\nHost: localhost\r\n" + JSON
CLOSE = b"Connection: close\r\n"


@pytest.fixture(scope="module")
def server():
    with serving(StandIn()) as server:
        yield server


@pytest.fixture
def impatient(monkeypatch):
    """Let clients take half a second only."""
    monkeypatch.setattr(DeadlineProtocol, "deadline", 0.5)


@pytest.fixture
def many_files():
    """Allow this process 4,096 open files, where the system lets it."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096:
        if hard != resource.RLIM_INFINITY and hard < 4096:
            pytest.skip("this process may not open 4,096 files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(server):
    return socket.create_connection(server.address, timeout=20)


def read_all(connection):
    return b"".join(iter(lambda: connection.recv(65536), b""))


def read_answer(connection):
    """Read one response, whose head and body may arrive one after the other."""
    head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head)[1])
    while len(body) < length:
        body += connection.recv(65536)
    return head + body


def raw(server, data):
    """Send bytes as they are; return everything until the server closes."""
    with connect(server) as connection:
        connection.sendall(data)
        return read_all(connection)


def search(server, text="tea"):
    """Search as a well-behaved client does; return the name of the first answer."""
    connection = http.client.HTTPConnection(*server.address, timeout=20)
    try:
        body = json.dumps({"text": text})
        connection.request(
            "POST", "/api/search", body, {"Content-Type": "application/json"}
        )
        return json.loads(connection.getresponse().read())["answers"][0]["name"]
    finally:
        connection.close()


def search_often(server, n_times=20):
    """Count the answers that a well-behaved client gets, each by a new connection."""
    return sum(search(server, f"{i}") == f"about {i}" for i in range(n_times))


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def n_connections(server):
    return len(server.uvicorn.server_state.connections)


def n_unread(server):
    """Count the connections that write no more until their client reads."""
    connections = server.uvicorn.server_state.connections
    return sum(connection.flow.write_paused for connection in connections.copy())


# ---- requests whose end two parsers could see at different places

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(HIDDEN)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 0\r\n" + LENGTH,
        LENGTH + b"Content-Length: 0\r\n",
        b"Content-Length: 0, %d\r\n" % len(HIDDEN),
        b"Content-Length: 0\r\nno header at all\r\n" + LENGTH,
        b"no header at all\r\n" + LENGTH,
        b"Content-Length : %d\r\n" % len(HIDDEN),
        b"Content\x00-Length: %d\r\n" % len(HIDDEN),
        b"Content-Length: 0x%x\r\n" % len(HIDDEN),
        b"Content-Length: ten\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: +1\r\n",
        b"Content-Length: " + b"9" * 5000 + b"\r\n",
        LENGTH + b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\n" + LENGTH,
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
    ],
)
def test_no_request_hides_in_another(server, head):
    # Any body of the request, read by either length, would leave a second request.
    found = raw(server, POST + head + b"\r\n0\r\n\r\n" + HIDDEN)
    assert found.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))
    assert found.count(b"HTTP/1.1") == 1
    assert b"connection: close" in found.lower()


@pytest.mark.parametrize("head", [b"", b"Host: localhost\r\nHost: localhost\r\n"])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_exactly_one_host(server, head, version):
    found = raw(server, b"GET / HTTP/" + version + b"\r\n" + head + CLOSE + b"\r\n")
    assert found.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/x\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nno size\r\n",
    ],
)
def test_invalid_requests(server, data, caplog, capfd):
    found = raw(server, data)
    assert found.startswith(b"HTTP/1.1 400")
    head, _, body = found.partition(b"\r\n\r\n")
    assert set(json.loads(body)) == {"error"}
    assert b"\r\nserver: skxmr\r\n" in head
    assert b"content-security-policy: default-src 'none'" in head
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("start", [b"GET /?", GET + b"X: "])
def test_too_long_a_head(server, start):
    # The rest of it is still on its way when the server answers.
    found = raw(server, start + b"x" * (1 << 20) + b"\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 431")


def test_a_body_does_not_wait_for_the_acknowledgement_of_its_head(server):
    with connect(server) as connection:
        connection.sendall(GET + b"\r\n")
        read_answer(connection)
        found = next(
            each
            for each in server.uvicorn.server_state.connections.copy()
            if each.client == connection.getsockname()
        )
        options = socket.IPPROTO_TCP, socket.TCP_NODELAY
        assert found.transport.get_extra_info("socket").getsockopt(*options) != 0


# ---- clients that leave


def test_a_client_that_leaves(server, caplog, capfd):
    for data in (b"", POST, POST + b"Content-Length: 9\r\n\r\n{"):
        with connect(server) as connection:
            connection.sendall(data)
            linger = np.array([1, 0], dtype=np.int32).tobytes()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    with connect(server) as connection:
        connection.sendall(POST + b"Content-Length: 9\r\n\r\n{")
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection).startswith(b"HTTP/1.1 400")
    assert search(server) == "about tea"
    wait_until(lambda: n_connections(server) == 0)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_a_client_that_sends_nothing_more_is_answered():
    slow = Slow()
    with serving(slow) as server, connect(server) as connection:
        connection.sendall(POST + b'Content-Length: 16\r\n\r\n{"text": "slow"}')
        connection.shutdown(socket.SHUT_WR)
        assert slow.begun.acquire(timeout=10)
        slow.go_on.set()
        assert b"about slow" in read_all(connection)


def test_requests_sent_ahead_are_answered_in_order(server):
    body = b'{"text": "%d"}'
    requests = b"".join(
        POST + b"Content-Length: %d\r\n\r\n" % len(body % i) + body % i
        for i in range(1000, 1050)
    )
    found = raw(server, requests + GET + CLOSE + b"\r\n")
    positions = [found.index(b"about %d" % i) for i in range(1000, 1050)]
    assert positions == sorted(positions)
    assert found.endswith(b"</svg>\n")


# ---- clients that are slow


@contextmanager
def dripping(server, n_clients, start, n_threads=4):
    """Keep clients that send a request byte by byte, and connect again when closed."""
    stop = threading.Event()
    begun = threading.Barrier(n_threads + 1)

    def drip(stack, n):
        clients = [None] * n
        for number in range(1_000_000):
            for i, client in enumerate(clients):
                if stop.is_set():
                    return
                try:
                    if client is None:
                        clients[i] = stack.enter_context(connect(server))
                        clients[i].sendall(start)
                    else:
                        client.sendall(b"x")
                except OSError:
                    client.close()
                    clients[i] = None
            if number == 0:
                begun.wait()
            stop.wait(0.05)

    with ExitStack() as stack, ThreadPoolExecutor(n_threads) as pool:
        jobs = [
            pool.submit(drip, stack, n_clients // n_threads) for _ in range(n_threads)
        ]
        begun.wait(timeout=60)
        try:
            yield
        finally:
            stop.set()
        for job in jobs:
            job.result()


@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize(
    ("n_clients", "start"),
    [
        (256, b""),
        (256, GET + b"X: "),
        (256, POST + b"Content-Length: 100000\r\n\r\n"),
        (1024, GET + b"X: "),
    ],
)
def test_slow_senders_keep_nobody_out(n_clients, start):
    with serving(StandIn()) as server, dripping(server, n_clients, start):
        assert search_often(server) == 20
        assert n_connections(server) <= DeadlineProtocol.max_connections


def drip(connection, n_bytes):
    for _ in range(n_bytes):
        connection.sendall(b"x")
        time.sleep(0.02)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "start", [b"", GET + b"X: ", POST + b"Content-Length: 100000\r\n\r\n"]
)
def test_a_slow_sender_is_closed(start):
    with serving(StandIn()) as server, connect(server) as connection:
        connection.sendall(start)
        with pytest.raises(ConnectionError):
            drip(connection, 1000)
        assert n_connections(server) == 0


@pytest.mark.usefixtures("impatient")
def test_a_slow_model_has_the_time_that_it_needs():
    slow = Slow()
    with serving(slow) as server, connect(server) as connection:
        connection.sendall(POST + b'Content-Length: 16\r\n\r\n{"text": "slow"}')
        assert slow.begun.acquire(timeout=10)
        time.sleep(2 * DeadlineProtocol.deadline)
        slow.go_on.set()
        assert b"about slow" in read_answer(connection)


LONG = b'{"text": "%s"}' % (b"x" * 200_000)
SEARCHES = 50 * (POST + b"Content-Length: %d\r\n\r\n" % len(LONG) + LONG)
PAGES = 1000 * (GET.replace(b"icon.svg", b"demo.js") + b"\r\n")


@contextmanager
def never_reading(server, n_clients, requests):
    """Keep clients that send requests and never read a response."""
    with ExitStack() as stack:
        for _ in range(n_clients):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(server.address)
            client.settimeout(0.5)
            with suppress(TimeoutError):  # when the server stops reading, too
                client.sendall(requests)
        yield


@pytest.mark.parametrize(
    ("n_clients", "requests"), [(2, SEARCHES), (8, PAGES)], ids=["searches", "pages"]
)
def test_clients_that_never_read_stall_nobody(n_clients, requests, monkeypatch):
    monkeypatch.setattr(DeadlineProtocol, "deadline", 60.0)
    with serving(StandIn()) as server, never_reading(server, n_clients, requests):
        wait_until(lambda: n_unread(server) == n_clients)
        assert search_often(server) == 20


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("requests", [SEARCHES, PAGES], ids=["searches", "pages"])
def test_clients_that_never_read_are_closed(requests):
    with serving(StandIn()) as server, never_reading(server, 4, requests):
        wait_until(lambda: n_connections(server) > 0)
        wait_until(lambda: n_connections(server) == 0)


def test_shutdown_waits_for_no_slow_client(caplog, capfd):
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\nno size\r\n"
    starts = [
        b"",
        GET,
        POST + b"Content-Length: 9\r\n\r\n{",
        b"no request\r\n\r\n",
        chunked,
    ]
    with ExitStack() as stack:
        with serving(StandIn()) as server:
            for start in starts:
                stack.enter_context(connect(server)).sendall(start)
            stack.enter_context(never_reading(server, 2, PAGES))
            wait_until(lambda: n_unread(server) == 2)
        assert n_connections(server) == 0
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_a_new_connection_closes_the_one_that_has_waited_longest(monkeypatch):
    monkeypatch.setattr(DeadlineProtocol, "max_connections", 3)
    slow = Slow()
    with serving(slow) as server, ExitStack() as stack:
        busy, first, second = (stack.enter_context(connect(server)) for _ in range(3))
        busy.sendall(POST + b'Content-Length: 16\r\n\r\n{"text": "slow"}')
        assert slow.begun.acquire(timeout=10)
        for client in (first, second, first):
            client.sendall(GET + b"\r\n")
            assert read_answer(client).startswith(b"HTTP/1.1 200")
        assert search(server) == "about tea"
        # The second was answered before the first was; the busy one does not count.
        assert second.recv(65536) == b""
        first.sendall(GET + b"\r\n")
        assert read_answer(first).startswith(b"HTTP/1.1 200")
        slow.go_on.set()
        assert b"about slow" in read_answer(busy)
