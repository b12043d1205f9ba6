"""What the README shows runs as it stands there."""

from pathlib import Path

from code_blocks import blocks_of, run_blocks

README = Path(__file__).parents[2] / "README.md"


def test_blocks_run_one_after_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sum(language == "python" for language, _ in blocks_of(README)) >= 3
    names = run_blocks(README)
    assert names["retriever"].search("steam engines", k=3)
    assert names["columns"].shape == names["best"].shape == (10, 10)
    # Ten of 4,990 terms at random would have 0.002.
    assert names["search"].best_score_ > 0.02
