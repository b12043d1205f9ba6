"""Texts from the command line, from a prompt or from lines of standard input."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import suppress

__all__ = ["asked"]


def asked(words: list[str], prompt: str) -> Iterator[str]:
    """Yield the text of the command line, or each one that is typed.

    Parameters
    ----------
    words : list of str
        From the command line: one text. If there are none, texts are read.
    prompt : str
        Shown if somebody types.

    Yields
    ------
    str
    """
    if words:
        yield " ".join(words)
    elif sys.stdin.isatty():
        yield from _typed(prompt)
    else:
        yield from (line.rstrip("\r\n") for line in sys.stdin)


def _typed(prompt):
    with suppress(ImportError):  # there is none on Windows
        importlib.import_module("readline")  # gives `input` a history
    print("An empty line ends.", file=sys.stderr)
    while True:
        try:
            text = input(f"{prompt}> ")
        except EOFError:
            return
        if not text.strip():
            return
        yield text
