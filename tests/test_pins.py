"""The hooks of pre-commit check with the versions that the extra "lint" installs."""

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
