"""What displays of one curve have in common."""

from typing import Any

from skxmr._base._plotting import axes_for, import_pyplot

__all__ = ["CurveDisplay", "name_of"]


_MOST_POINTS = 10_000


class CurveDisplay:
    """A display that plots one curve, several of them on the same axes."""

    name: str | None

    @classmethod
    def _need_matplotlib(cls, method):
        """Raise ImportError before anything is computed."""
        import_pyplot(f"{cls.__name__}.{method}")

    def _start(self, ax):
        """Set the axes to plot on; None makes a new figure."""
        self.ax_ = axes_for(ax, f"{type(self).__name__}.plot")
        self.figure_ = self.ax_.figure

    def _draw(self, x, y, *, name, curve_kwargs, defaults):
        """Draw the curve and the legend of the axes.

        Parameters
        ----------
        x, y : ndarray of shape (n_points,)
        name : str or None
            The entry in the legend; None for none.
        curve_kwargs : dict or None
            Of the user, for matplotlib's `plot`.
        defaults : dict
            Of the display; overridden by those of the user.
        """
        style = defaults | _checked(curve_kwargs)
        style.setdefault("label", name)
        (self.line_,) = self.ax_.plot(x, y, **style)
        if self.ax_.get_legend_handles_labels()[1]:
            # To look for the best place takes long, and warns, with many points.
            n_points = sum(len(line.get_xdata()) for line in self.ax_.lines)
            self.ax_.legend(loc="upper right" if n_points > _MOST_POINTS else "best")

    def _start_at_zero(self):
        """Let the y axis start at 0, and grow with further curves."""
        self.ax_.set_ylim(bottom=0, auto=True)


def name_of(estimator: object, name: str | None) -> str:
    """Return the name of an estimator's curve: its class, unless one is given."""
    return type(estimator).__name__ if name is None else name


def _checked(curve_kwargs) -> dict[str, Any]:
    """Return options of matplotlib's `plot` under their full names."""
    from matplotlib.cbook import normalize_kwargs  # noqa: PLC0415
    from matplotlib.lines import Line2D  # noqa: PLC0415

    curve_kwargs = {} if curve_kwargs is None else curve_kwargs
    if not isinstance(curve_kwargs, dict):
        raise TypeError(
            f"curve_kwargs is of type {type(curve_kwargs).__name__}; expected a dict "
            f"of options of matplotlib's plot, or None."
        )
    return normalize_kwargs(curve_kwargs, Line2D)
