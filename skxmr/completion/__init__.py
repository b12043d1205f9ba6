"""Query auto-completion."""

from skxmr.completion._completer import QueryCompleter

__all__ = ["QueryCompleter"]
