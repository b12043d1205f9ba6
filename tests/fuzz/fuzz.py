"""One target under Atheris: ``python tests/fuzz/fuzz.py TARGET [libFuzzer's options]``.

Run by ``run.py``, which builds sanitized kernels and loads the sanitizers before.
"""

import importlib
import logging
import sys
from pathlib import Path

import atheris

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "targets"), str(HERE.parents[1])]


def main():
    """Fuzz until what the options say, from the seeds of the target on."""
    name, corpus = sys.argv.pop(1), Path(sys.argv.pop(1))
    with atheris.instrument_imports(include=["skxmr"], enable_loader_override=False):
        target = importlib.import_module(name)
    logging.disable()
    corpus.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(target.SEEDS):
        (corpus / f"seed-{i:03}").write_bytes(seed)
    atheris.Setup([*sys.argv, str(corpus)], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
