"""Virtual environments of the peers, built from their pinned requirements."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

# Some peers have no wheels for newer versions of Python.
PREFERRED_PYTHON = "python3.11"
BUILD_SECONDS = 1_200


class NotInstalledError(RuntimeError):
    """The peer cannot be installed; the message says why."""


def interpreter(environment):
    """The Python of a virtual environment."""
    folder, name = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return Path(environment, folder, name)


def checked(command):
    """Run a command of the build; an error message is the end of its output."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotInstalledError(" | ".join(said[-3:]) or f"exit {done.returncode}")


def build(environment, requirements):
    """Recreate the environment; all dependencies are pinned, so pip resolves none."""
    shutil.rmtree(environment, ignore_errors=True)
    python = shutil.which(PREFERRED_PYTHON) or sys.executable
    try:
        checked([python, "-m", "venv", str(environment)])
        pip = [str(interpreter(environment)), "-m", "pip", "install", "--quiet"]
        checked([*pip, "--no-deps", "-r", str(requirements)])
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(str(error)) from error


def ensure(requirements, cache):
    """The Python that runs the peer of this requirements file.

    Built once for each content of the file; a build that failed is tried again.

    Parameters
    ----------
    requirements : Path
    cache : Path
        Folder that holds the environments.

    Returns
    -------
    Path

    Raises
    ------
    NotInstalledError
    """
    environment = Path(cache, "environments", requirements.parent.name).resolve()
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = environment / "requirements.sha256"
    if not stamp.exists() or stamp.read_text() != digest:
        build(environment, requirements)
        stamp.write_text(digest)
    return interpreter(environment)
