"""A fitted model answers many threads as it answers one."""

from hammer import N_ASKING, N_SAVING, Hammer, grows


def test_many_threads_get_the_answers_of_one():
    hammer = Hammer(300)
    hammer.run(lambda number: number >= 40, lambda number: number >= N_ASKING + 8)
    assert not hammer.faults
    assert next(hammer.n_asked) == sum(40 - place for place in range(N_ASKING))
    assert N_SAVING == 4


def test_other_answers_are_noticed():
    hammer = Hammer(300)
    hammer.expected[20] = hammer.expected[21]
    hammer.run(lambda number: number >= 21, lambda number: number >= 0)
    assert len(hammer.faults) == N_ASKING
    assert "another answer" in hammer.faults[0]


def test_growth_is_noticed():
    assert not grows([100, 98, 104, 99])
    assert grows([100, 98, 106, 99])
