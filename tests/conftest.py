"""What tests share, and the settings that they run with."""

import os
import signal

import pytest
from denormals import flush
from hypothesis import settings

# Hypothesis times no test: a busy machine is not a defect.
settings.register_profile("untimed", settings.default, deadline=None)
settings.load_profile("untimed")

# As `test_denormals.py` runs the tests of the kernels once more.
if os.environ.get("SKXMR_FLUSH_DENORMALS") == "1":
    flush()


@pytest.fixture
def sigint():
    """Let SIGINT raise KeyboardInterrupt, here and in processes that a test starts.

    A job in the background of a shell starts with the signal ignored, and so do the
    processes that it starts.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
