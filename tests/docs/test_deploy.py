"""The web service of the guide runs with several workers, and replaces its model."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from code_blocks import blocks_of
from platforms import posix

from skxmr.__main__ import main

pytest.importorskip("fastapi")

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "deploy.rst"
ROWS = "a web server in flask\tflask web\nforms of django\tdjango web\n"
MOST_SECONDS = 300


def train(folder, rows):
    (folder / "rows.tsv").write_text(rows, "utf-8")
    arguments = ["train", folder / "rows.tsv", "--model", folder / "models", "--quiet"]
    assert main(list(map(str, arguments))) == 0


def service():
    codes = [code for _, code in blocks_of(PAGE) if "FastAPI(" in code]
    (code,) = codes
    return code


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Client:
    def __init__(self, port):
        self.address = f"http://127.0.0.1:{port}"

    def get(self, path, **query):
        url = f"{self.address}/{path}?{urllib.parse.urlencode(query, doseq=True)}"
        with urllib.request.urlopen(url, timeout=60) as response:
            return json.load(response)

    def wait(self, is_done):
        end = time.monotonic() + MOST_SECONDS
        while time.monotonic() < end:
            try:
                if is_done(self):
                    return
            except OSError:  # the server has not started yet
                pass
            time.sleep(0.2)
        raise AssertionError("nothing happened")


@posix
def test_the_service_runs_with_several_workers(tmp_path):
    train(tmp_path, ROWS)
    (tmp_path / "service.py").write_text(service(), "utf-8")
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "service:app", "--workers", "2"]
    # A worker must answer its parent within some seconds, also on a busy machine.
    command += ["--port", str(port), "--timeout-worker-healthcheck", "120"]
    environment = os.environ | {"MODELS": str(tmp_path / "models")}
    client = Client(port)
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as process:
        try:
            client.wait(lambda client: client.get("health")["labels"] == 3)
            found = client.get("search", text="a flask server", k=1)
            assert found[0]["label"] in ("flask", "web")
            assert len(found) == 1
            found = client.get("complete", prefix="dj", previous=["web", "flask"])
            assert found[0]["query"] == "django"
            with pytest.raises(urllib.error.HTTPError, match="422"):
                client.get("search", text="web", k=0)
            pids = set()

            def sees_both(client):
                pids.add(client.get("health")["pid"])
                return len(pids) == 2

            client.wait(sees_both)
            train(tmp_path, ROWS + "arrays of numpy\tnumpy\n")
            replaced = set()

            def is_replaced_in_both(client):
                health = client.get("health")
                if health["labels"] == 4:
                    replaced.add(health["pid"])
                return replaced == pids

            client.wait(is_replaced_in_both)
            assert client.get("search", text="numpy", k=1)[0]["label"] == "numpy"
        finally:
            process.terminate()


def test_the_service_is_short():
    lines = [line for line in service().splitlines() if line.strip()]
    assert len(lines) <= 45
