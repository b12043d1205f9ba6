"""Random changes, saves, kills and loads; more of them by tests/tools/sequences.py."""

import pytest
from living_sequences import MODELS, Sequence
from platforms import posix

N_SEEDS = 15
FIRST = [0, *(pytest.param(i * N_SEEDS, marks=pytest.mark.slow) for i in range(1, 5))]


@posix
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("first", FIRST)
def test_random_sequences_equal_their_twins(kind, first, tmp_path):
    for seed in range(first, first + N_SEEDS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        sequence = Sequence(kind, seed, folder)
        try:
            sequence.run()
        except Exception as error:
            error.add_note(f"{kind}, seed {seed}: {' '.join(sequence.calls)}")
            raise
