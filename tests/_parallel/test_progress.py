"""Progress of fits: what is printed, logged and not printed."""

import io
import logging
import sys
from types import SimpleNamespace

import pytest

from skxmr._parallel import _progress
from skxmr._parallel._progress import note, showing, step


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock for the module alone: pytest itself asks the one of the system."""
    clock = SimpleNamespace(perf_counter=lambda: 0.0)
    monkeypatch.setattr(_progress, "time", clock)
    return clock


def printed(capsys):
    return capsys.readouterr().out.splitlines()


def test_steps_and_notes_are_printed_while_they_are_shown(capsys):
    def run():
        with step("counting", 3, "texts") as advance:
            for _ in range(3):
                advance(1)
        note("done")

    run()
    with showing(0):
        run()
    assert printed(capsys) == []
    with showing(1):
        run()
    counted, done = printed(capsys)
    assert counted == "[skxmr] counting: 3 texts (0.0 s)"
    assert done == "[skxmr] done"
    run()
    assert printed(capsys) == []


def test_steps_within_steps_are_not_reported(capsys):
    with showing(1), step("outer"):
        with step("inner") as advance:
            advance(2)
        with showing(1), step("inner"):
            pass
    assert printed(capsys) == ["[skxmr] outer (0.0 s)"]


def test_only_an_inner_block_is_printed(capsys):
    with showing(0):
        with showing(1):
            note("inner")
        note("outer")
    assert printed(capsys) == ["[skxmr] inner"]


def test_a_step_that_fails_is_not_reported_as_done(capsys):
    with showing(1):
        with pytest.raises(KeyError), step("failing"):
            raise KeyError
        note("after")
    assert printed(capsys) == ["[skxmr] after"]
    note("no longer")
    assert printed(capsys) == []


def test_long_steps_tell_the_time_that_is_left(capsys, clock):
    clock.perf_counter = iter([0.0, 4.0, 12.0, 15.0, 40.0, 41.0]).__next__
    with showing(1), step("counting", 2000, "texts") as advance:
        for _ in range(4):
            advance(500)
    assert printed(capsys) == [
        "[skxmr] counting: 1,000 of 2,000 texts, 50%, 12 s, about 12 s left",
        "[skxmr] counting: 2,000 of 2,000 texts, 100%, 40 s, about 0 s left",
        "[skxmr] counting: 2,000 texts (41.0 s)",
    ]


def test_amounts_that_are_not_known(capsys, clock):
    clock.perf_counter = iter([0.0, 12.0, 13.0, 14.0, 26.0, 27.0]).__next__
    with showing(1):
        with step("reading", None, "texts") as advance:
            advance(7)
        with step("training", 8) as advance:
            advance(2)
    assert printed(capsys) == [
        "[skxmr] reading: 7 texts, 12 s",
        "[skxmr] reading: 7 texts (13.0 s)",
        "[skxmr] training: 25%, 12 s, about 36 s left",
        "[skxmr] training (13.0 s)",
    ]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_terminals_get_a_bar(capsys, monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(_progress, "_SECONDS_UNTIL_BAR", 0)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with showing(1), step("counting", 3, "texts") as advance:
        advance(3)
    assert "[skxmr] counting:" in terminal.getvalue()
    assert printed(capsys) == ["[skxmr] counting: 3 texts (0.0 s)"]


def test_terminals_without_tqdm_get_lines(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with showing(1), step("counting", 3, "texts") as advance:
        advance(3)
    assert terminal.getvalue() == ""
    assert printed(capsys) == ["[skxmr] counting: 3 texts (0.0 s)"]


def test_services_read_records_of_the_logger(capsys, caplog):
    with caplog.at_level(logging.INFO, logger="skxmr"), showing(0):
        with step("counting", 3, "texts") as advance:
            advance(3)
        note("done")
    assert printed(capsys) == []
    counted, done = caplog.records
    assert (counted.step, counted.done, counted.total) == ("counting", 3, 3)
    assert counted.seconds >= 0
    assert done.getMessage() == "done"
