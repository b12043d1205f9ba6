"""What plots have in common; matplotlib is imported only when one is made."""

from typing import Any

__all__ = ["axes_for", "import_pyplot"]


def import_pyplot(caller: str) -> Any:
    """Import `matplotlib.pyplot`.

    Parameters
    ----------
    caller : str
        Name of the public function, for the message.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If matplotlib is not installed; says how to install it.
    """
    try:
        import matplotlib.pyplot as plt  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib; install it with 'pip install matplotlib' or "
            f"'pip install skxmr[plot]'."
        ) from error
    return plt


def axes_for(ax: Any, caller: str, figsize: tuple[float, float] | None = None) -> Any:
    """Return the axes to plot on.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, or None
        None makes a figure with new axes.
    caller : str
        Name of the public function, for messages.
    figsize : (width, height), default=None
        The size of a new figure, in inches. None is matplotlib's default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If `ax` is something else, such as the array of axes of several subplots.
    """
    plt = import_pyplot(caller)
    if ax is None:
        return plt.subplots(figsize=figsize, layout="constrained")[1]
    if not isinstance(ax, plt.Axes):
        raise TypeError(
            f"ax is of type {type(ax).__name__}; {caller} expects the Axes to plot on, "
            f"or None for a new figure."
        )
    return ax
