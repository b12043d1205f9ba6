"""The version, in one place, and the check of what another version has saved."""

__all__ = ["__version__", "refuse_newer"]

__version__ = "0.1.0.dev0"


def refuse_newer(state, known, what):
    """Refuse a saved state whose arrays may mean what this version does not know.

    Parameters
    ----------
    state : dict
        Attributes, with ``version`` among them.
    known : int
        The newest version that can be read.
    what : str
        What was saved, for the message.

    Raises
    ------
    ValueError
        If the state is newer.
    """
    version = state.get("version", 0)
    if version > known:
        raise ValueError(
            f"{what} was saved with layout version {version}, by a newer skxmr than "
            f"this one, which reads layouts up to version {known}. Upgrade skxmr to "
            f"load it."
        )
