"""Folders of models: versions, and the changes since."""

import json
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from platforms import posix
from sklearn.base import clone

from skxmr import LexicalRanker, QueryCompleter, XRLinearClassifier
from skxmr.persistence import load, save, save_changes

QUERIES = [f"query {i} of {i % 7}" for i in range(400)] + ["new words"]


@pytest.fixture
def completer():
    return QueryCompleter(classifier=None).fit([""] * len(QUERIES), QUERIES)


def best(completer):
    return [query for query, _ in completer.complete("", k=1)]


def click(completer, query, times=1):
    return completer.update([""] * times, [query] * times)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_has_versions_and_a_link_to_the_last(completer, tmp_path):
    save(completer, tmp_path)
    save(click(completer, "new words", 9), str(tmp_path))
    assert names(tmp_path) == ["0001", "0002", "current"]
    assert (tmp_path / "current").resolve().name == "0002"
    assert names(tmp_path / "0001") == ["base.joblib", "manifest.json"]
    assert best(load(tmp_path)) == ["new words"]
    assert best(load(tmp_path / "0001")) == best(
        clone(completer).fit([""] * len(QUERIES), QUERIES)
    )


def test_a_name_that_ends_with_a_slash_is_of_a_folder(completer, tmp_path):
    folder = tmp_path / "models" / "queries"
    save(completer, f"{folder}/")
    save_changes(click(completer, "new words", 9), folder)
    assert best(load(folder)) == ["new words"]


def test_changes_are_not_saved_to_a_file(completer, tmp_path):
    file = tmp_path / "model"
    save(completer, file)
    before = file.read_bytes()
    with pytest.raises(NotADirectoryError, match="expected a folder"):
        save_changes(completer, file)
    assert file.read_bytes() == before


@posix
def test_the_link_leads_back_to_an_earlier_version(completer, tmp_path):
    save(completer, tmp_path)
    before = completer.complete("query", k=5)
    save(click(completer, "query 399 of 0", 9), tmp_path)
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to("0001")
    assert load(tmp_path).complete("query", k=5) == before
    assert load(tmp_path, mmap_mode="r").complete("query", k=5) == before
    save(completer, tmp_path)
    assert (tmp_path / "current").resolve().name == "0003"


def deltas(folder):
    return sorted(path for path in folder.glob("current/delta-*"))


def test_changes_are_small_and_loaded_with_the_base(completer, tmp_path):
    save(completer, tmp_path)
    for times in range(1, 5):
        save_changes(click(completer, "query 8 of 1", times), tmp_path)
        assert load(tmp_path).complete("", k=9) == completer.complete("", k=9)
    assert [path.name for path in deltas(tmp_path)] == [
        f"delta-00000{number}.skxmr" for number in (1, 2, 3, 4)
    ]
    whole = len(pickle.dumps(completer))
    assert deltas(tmp_path)[0].stat().st_size < whole


def test_a_delta_holds_what_has_changed_since_the_last(tmp_path):
    names = [f"first{i} second{i * i} third{i // 3}" for i in range(3000)]
    ranker = LexicalRanker().fit([], np.zeros((0, 1000)), label_texts=names[:1000])
    save(ranker, tmp_path)
    ranker.add_labels(names[1000:])
    save_changes(ranker, tmp_path)
    for _ in range(3):
        ranker.add_labels(["another label"])
        save_changes(ranker, tmp_path)
    sizes = [path.stat().st_size for path in deltas(tmp_path)]
    assert max(sizes[1:]) < sizes[0] / 3
    loaded = load(tmp_path)
    for query in ("second81", "another", "first2999"):
        for found, expected in zip(
            loaded.rank_one(query, k=5), ranker.rank_one(query, k=5), strict=True
        ):
            np.testing.assert_array_equal(found, expected)
    loaded.remove_labels([5])
    save_changes(loaded, tmp_path)
    assert len(deltas(tmp_path)) == 5
    assert deltas(tmp_path)[-1].stat().st_size < sizes[0] / 4


def test_the_last_that_saves_wins(completer, tmp_path):
    save(completer, tmp_path)
    first, second = load(tmp_path), load(tmp_path)
    for other, query in ((first, "query 8 of 1"), (second, "query 9 of 2")) * 2:
        save_changes(click(other, query, 9), tmp_path)
        assert load(tmp_path).complete("", k=9) == other.complete("", k=9)
    assert len(deltas(tmp_path)) == 4


def test_a_loaded_model_goes_on(completer, tmp_path):
    save(completer, tmp_path)
    save_changes(click(completer, "query 8 of 1"), tmp_path)
    loaded = load(tmp_path, mmap_mode="r")
    save_changes(click(loaded, "query 9 of 2", 5), tmp_path)
    again = load(tmp_path)
    assert best(again) == ["query 9 of 2"]
    assert again.complete("", k=9) == loaded.complete("", k=9)


def test_arrays_that_did_not_change_are_not_written(tmp_path):
    X = np.eye(40, dtype=np.float32).repeat(5, axis=0)
    model = XRLinearClassifier(random_state=0).fit(X, np.arange(200) % 40)
    save(model, tmp_path)
    save_changes(model.set_params(beam_width=3), tmp_path)
    loaded = load(tmp_path)
    assert loaded.beam_width == 3
    np.testing.assert_array_equal(loaded.rank(X, 3)[0], model.rank(X, 3)[0])
    assert (tmp_path / "current" / "delta-000001.skxmr").stat().st_size < 5_000


def test_a_new_fit_is_a_change_too(completer, tmp_path):
    save(completer, tmp_path)
    completer.fit(["", "", ""], ["a", "a", "b"])
    save_changes(completer, tmp_path)
    assert load(tmp_path).complete("", k=9) == completer.complete("", k=9)


def test_changes_of_another_model_are_refused(completer, tmp_path):
    with pytest.raises(FileNotFoundError, match="no model; expected a link current"):
        save_changes(completer, tmp_path)
    with pytest.raises(FileNotFoundError, match="no model"):
        load(tmp_path)
    save(completer, tmp_path)
    with pytest.raises(ValueError, match="The model was saved nowhere; expected the"):
        save_changes(pickle.loads(pickle.dumps(completer)), tmp_path)
    stale = load(tmp_path)
    save(completer, tmp_path)
    with pytest.raises(ValueError, match="0001; expected the current version of"):
        save_changes(stale, tmp_path)
    save_changes(stale, tmp_path / "0001")
    assert names(tmp_path / "0002") == ["base.joblib", "manifest.json"]


def test_models_in_a_list_have_versions_but_no_changes(completer, tmp_path):
    models = [completer, completer]
    save(models, tmp_path)
    assert load(tmp_path)[0].complete("", k=3) == completer.complete("", k=3)
    with pytest.raises(ValueError, match="The model was saved nowhere"):
        save_changes(models, tmp_path)


@pytest.mark.parametrize("cut", [0, 10, 40, -1])
def test_of_damaged_changes_those_before_are_loaded(completer, tmp_path, cut):
    save(completer, tmp_path)
    save_changes(click(completer, "query 8 of 1", 3), tmp_path)
    expected = completer.complete("", k=9)
    save_changes(click(completer, "query 9 of 2", 9), tmp_path)
    save_changes(click(completer, "query 9 of 2", 9), tmp_path)
    path = tmp_path / "current" / "delta-000002.skxmr"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.warns(UserWarning, match="delta-000002.skxmr is damaged"):
        loaded = load(tmp_path)
    assert loaded.complete("", k=9) == expected
    # What is saved now is loaded, and not hidden by the damaged one.
    save_changes(click(loaded, "query 7 of 0", 99), tmp_path)
    assert best(load(tmp_path)) == ["query 7 of 0"]
    assert len(deltas(tmp_path)) == 2


def test_a_missing_change_ends_the_chain(completer, tmp_path):
    save(completer, tmp_path)
    expected = []
    for times in (3, 5, 7):
        save_changes(click(completer, "query 8 of 1", times), tmp_path)
        expected.append(completer.complete("", k=9))
    second, third = deltas(tmp_path)[1:]
    kept = second.read_bytes()
    second.unlink()
    with pytest.warns(UserWarning, match="delta-000003.skxmr is damaged, or not the"):
        assert load(tmp_path).complete("", k=9) == expected[0]
    second.write_bytes(third.read_bytes())
    third.unlink()
    with pytest.warns(UserWarning, match="delta-000002.skxmr is damaged, or not the"):
        assert load(tmp_path).complete("", k=9) == expected[0]
    second.write_bytes(kept)
    assert load(tmp_path).complete("", k=9) == expected[1]


def test_the_base_of_another_model_is_refused(completer, tmp_path):
    save(completer, tmp_path)
    save_changes(click(completer, "query 8 of 1", 3), tmp_path)
    manifest = tmp_path / "current" / "manifest.json"
    found = json.loads(manifest.read_text(encoding="utf-8"))
    found |= {"parts": found["parts"][1:]}
    manifest.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(ValueError, match=r"base.joblib is not the model of its"):
        load(tmp_path)


KILLED = """
import sys
from skxmr.persistence import load, save, save_changes
model = load(sys.argv[1])
print("ready", flush=True)
for i in range(10**6):
    model.update([""], [f"query {i % 400} of {i % 7}"])
    save_changes(model, sys.argv[1])
    if i % 5 == 4:
        save(model, sys.argv[1])
"""


@posix
@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(0.05, marks=pytest.mark.slow),
        0.2,
        pytest.param(0.5, marks=pytest.mark.slow),
    ],
)
def test_a_killed_process_leaves_a_whole_model(completer, tmp_path, seconds):
    save(completer, tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.send_signal(signal.SIGKILL)
    loaded = load(tmp_path)
    assert len(loaded.complete("", k=5)) == 5
    save(loaded, tmp_path)
    save_changes(click(loaded, "new words", 99), tmp_path)
    assert best(load(tmp_path)) == ["new words"]


def test_an_error_in_the_middle_leaves_the_folder(completer, tmp_path):
    save(completer, tmp_path)
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        save([completer, lambda: None], tmp_path)
    assert names(tmp_path) == ["0001", "current"]
    completer.extra = lambda: None
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        save_changes(completer, tmp_path)
    assert names(tmp_path / "0001") == ["base.joblib", "manifest.json"]


def test_a_file_names_the_version_where_links_take_a_privilege(completer, tmp_path):
    save(completer, tmp_path)
    before = completer.complete("query", k=5)
    save(click(completer, "query 399 of 0", 9), tmp_path)
    (tmp_path / "current").unlink()
    (tmp_path / "current").write_text("0001", encoding="utf-8")
    assert load(tmp_path).complete("query", k=5) == before


def test_a_folder_that_moves_is_loaded(completer, tmp_path):
    save(completer, tmp_path)
    save_changes(click(completer, "query 8 of 1", 3), tmp_path)
    copied = Path(shutil.copytree(tmp_path, tmp_path / "copy", symlinks=True))
    assert load(copied).complete("", k=9) == completer.complete("", k=9)
