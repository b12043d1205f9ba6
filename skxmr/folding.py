"""How strings are compared: without case, and with white space folded."""

__all__ = ["fold_prefix", "fold_text"]


def fold_text(text):
    """Fold the case of a text and its white space; none is left at its ends."""
    return " ".join(text.casefold().split())


def fold_prefix(prefix):
    """Fold what has been typed so far: a blank at its end says that a word ended."""
    folded = fold_text(prefix)
    return folded + " " if folded and prefix[-1].isspace() else folded
