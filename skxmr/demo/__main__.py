"""Serve the page: ``python -m skxmr.demo``."""

import argparse
from pathlib import Path

from skxmr.datasets._bundled import load_subjects
from skxmr.demo import Catalogue, application
from skxmr.demo._application import LOOPBACK
from skxmr.demo._running import check_address, serve_here

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Train or load the models, and serve the page until interrupted."""
    options = _parse(arguments)
    catalogue = _load_or_train(options.models)
    app = application(catalogue, hosts=LOOPBACK.union(options.allow_remote))
    serve_here(app, options.host, options.port)


def _load_or_train(path):
    if path is not None and path.exists():
        return Catalogue.load(path)
    print("Training takes some seconds (--models PATH keeps it) ...", flush=True)
    catalogue = Catalogue.train(load_subjects())
    if path is not None:
        catalogue.save(path)
    return catalogue


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
    options = parser.parse_args(arguments)
    try:
        check_address(options.host, options.port, options.allow_remote)
    except ValueError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    main()
