"""A checkout that nothing was built in, which hides the installed package."""

import shutil
import subprocess
import sys
from pathlib import Path

import skxmr


def test_a_checkout_without_kernels_says_what_to_do(tmp_path):
    compiled = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    shutil.copytree(Path(skxmr.__file__).parent, tmp_path / "skxmr", ignore=compiled)
    command = [sys.executable, "-c", "import skxmr"]
    said = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert said.returncode == 1
    message = said.stderr.splitlines()[-1]
    assert message.startswith("ImportError: The compiled part of skxmr is not in ")
    assert "pip install -e ." in message
