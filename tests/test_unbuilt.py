"""Folders called skxmr beside the user, which could hide the installed package."""

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


def test_the_folder_of_a_clone_does_not_hide_the_package(tmp_path):
    # A clone has no __init__.py: its parent folder has a namespace package of its name.
    # It hides the import hook of an editable install, but not an entry of the path.
    (tmp_path / "skxmr" / "docs").mkdir(parents=True)
    command = [sys.executable, "-c", "import skxmr; print(skxmr.__file__)"]
    found = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == skxmr.__file__
