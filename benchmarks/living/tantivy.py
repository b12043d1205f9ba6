"""The same days in tantivy, in its own environment."""

import json
import subprocess
import tempfile
from pathlib import Path

from benchmarks.environments import NotInstalledError, ensure

_FOLDER = Path(__file__).resolve().parents[1] / "peers" / "tantivy"


def days_of_tantivy(catalogue, cache):
    """Add and remove the labels of each day; return seconds, or why there are none."""
    try:
        python = ensure(_FOLDER / "requirements.txt", cache)
    except NotInstalledError as error:
        return str(error)
    first = catalogue.texts_of(0, catalogue.n_first)
    days = []
    for day in range(catalogue.n_days):
        added = catalogue.added(day)
        texts = catalogue.texts_of(added.start, added.stop)
        removed = catalogue.removed(day).tolist()
        days.append({"first": added.start, "added": texts, "removed": removed})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "days.json")
        path.write_text(json.dumps({"labels": first, "days": days}), encoding="utf-8")
        done = subprocess.run(
            [str(python), str(_FOLDER / "living.py"), str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        return done.stderr.strip()[-500:]
    return json.loads(done.stdout)
