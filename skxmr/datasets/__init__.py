"""Data sets, and readers and writers of the XMC repository's format.

Two samples ship with the package, `load_subjects` and `load_places`; `load_full` reads
the full data sets of these samples, and others, from a folder. `load_xmc` and
`dump_xmc` read and write the Extreme Classification Repository's text format.
"""

from skxmr.datasets._bundled import load_full, load_places, load_subjects
from skxmr.datasets._xmc import load_xmc
from skxmr.datasets._xmc_writing import dump_xmc

__all__ = ["dump_xmc", "load_full", "load_places", "load_subjects", "load_xmc"]
