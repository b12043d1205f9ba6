"""Which tests run where: marks for what only some systems have."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

__all__ = ["linux", "may_link", "posix"]


def _may_link():
    with tempfile.TemporaryDirectory() as folder:
        try:
            Path(folder, "link").symlink_to("nowhere")
        except OSError:  # on Windows it takes a privilege
            return False
    return True


posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such thing")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
may_link = pytest.mark.skipif(not _may_link(), reason="may not make symbolic links")
