"""``skxmr serve``."""

from skxmr._cli._models import load_model
from skxmr.demo import Catalogue, application
from skxmr.demo._addresses import check_address
from skxmr.demo._running import serve_here

__all__ = ["run"]


def run(options):
    """Serve the page and the JSON API of a model, until interrupted."""
    hosts = check_address(options.host, options.port, options.allow_remote)
    parts = load_model(options.model)
    if "retriever" not in parts:
        raise ValueError(f"{options.model} was trained on features; texts are needed.")
    completer = parts.get("completer", _NoCompletions())
    catalogue = Catalogue(
        completer,
        parts["retriever"],
        k=options.k,
        title=options.title or options.model.resolve().name,
    )
    serve_here(application(catalogue, hosts=hosts), options.host, options.port)


class _NoCompletions:
    """Stands for the completer of a model without one."""

    def complete(self, prefix, previous, k):  # noqa: ARG002 - as of a completer
        return []
