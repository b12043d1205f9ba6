"""Versions that are pinned: of hooks, and of what the workflows run."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"[\w-]+==[\w.]+")


def test_hooks_and_the_extra_pin_the_same_versions():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    pinned = [word for word in project["optional-dependencies"]["lint"] if "==" in word]
    assert pinned
    assert set(PIN.findall(hooks)) == set(pinned)


def test_actions_of_workflows_are_pinned_by_commit():
    """A tag of an action can be moved to other code, which may publish."""
    used = [
        line.strip()
        for path in (ROOT / ".github" / "workflows").glob("*.yml")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert used
    pinned = re.compile(r"(- )?uses: [\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert not [line for line in used if not pinned.fullmatch(line)]
