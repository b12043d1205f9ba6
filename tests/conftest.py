"""Hypothesis times no test: a busy machine is not a defect."""

import os

from denormals import flush
from hypothesis import settings

settings.register_profile("untimed", settings.default, deadline=None)
settings.load_profile("untimed")

# As `test_denormals.py` runs the tests of the kernels once more.
if os.environ.get("SKXMR_FLUSH_DENORMALS") == "1":
    flush()
