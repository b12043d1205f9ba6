"""Serve the page: ``python -m skxmr.demo``."""

import argparse
import importlib
from pathlib import Path

from skxmr._row_files import FORMATS
from skxmr.demo._addresses import check_address

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Train or load the models, and serve the page until interrupted."""
    options = _parse(arguments)
    # Imported once the options are known to be valid, since it takes over a second.
    importlib.import_module("skxmr.demo._command").run(options)


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m skxmr.demo", description="Serve a search page."
    )
    parser.add_argument("--port", type=int, default=8000, help="0 takes any free port")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at")
    parser.add_argument(
        "--allow-remote",
        metavar="NAME",
        nargs="+",
        default=[],
        help="serve other machines too, which reach this one by one of these names; "
        "there is no encryption and no authentication",
    )
    parser.add_argument(
        "--models",
        type=Path,
        metavar="PATH",
        help="load the models from this file if it exists, else train them and save "
        "them to it; loading can execute code from the file: load only one you trust",
    )
    own = parser.add_argument_group("your own data")
    own.add_argument(
        "--data",
        dest="rows",
        type=Path,
        metavar="FILE",
        help="lines of text, tab, labels separated by blanks, as `skxmr train` reads "
        "them; without it, the bundled subjects of books",
    )
    own.add_argument("--title", default="", help="of the page; by default the file's")
    own.add_argument("--format", choices=FORMATS[:-1], help="by default by the name")
    own.add_argument("--text", default="text", metavar="COLUMN", help="csv and jsonl")
    own.add_argument("--labels", default="labels", metavar="COLUMN", help="csv, jsonl")
    own.add_argument("--separator", metavar="TEXT", help="between labels; else blanks")
    options = parser.parse_args(arguments)
    try:
        check_address(options.host, options.port, options.allow_remote)
    except ValueError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    main()
