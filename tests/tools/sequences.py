"""Compare random changes, saves, kills and loads of models with slow twins.

``PYTHONPATH=tests/support python tests/tools/sequences.py --count 10000`` runs a third
of the sequences for each kind of model, from the seed ``--first`` on, and prints those
that fail.
"""

import argparse
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

from living_sequences import MODELS, Sequence


def run(kind, seed, folder):
    """Run one sequence; return whether it equals its twins."""
    folder.mkdir()
    sequence = Sequence(kind, seed, folder)
    try:
        sequence.run()
    except Exception:  # noqa: BLE001 - to run the others
        print(f"{kind}, seed {seed}: {' '.join(sequence.calls)}")
        traceback.print_exc(limit=-4, file=sys.stdout)
        return False
    finally:
        shutil.rmtree(folder)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    n_failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.count):
            kind = list(MODELS)[number % len(MODELS)]
            seed = arguments.first + number
            n_failed += not run(kind, seed, Path(folder, str(seed)))
            if number % 100 == 99:
                print(f"{number + 1} sequences, {n_failed} failed", flush=True)
    sys.exit(n_failed > 0)


if __name__ == "__main__":
    main()
