"""The data sets that ship with the package; `skxmr.datasets` reads them."""
