"""The command line: its files, answers and errors, and as processes."""

import gzip
import io
import json
import signal
import subprocess
import sys
import urllib.request

import pytest
from platforms import posix

from skxmr import TextRetriever, persistence
from skxmr._cli._main import main
from skxmr._cli._parser import make_parser
from skxmr._row_files import read_rows

ROWS = [
    ("a web api in django", ["web", "api", "django"]),
    ("forms of django", ["django"]),
    ("a small web server in flask", ["web", "flask"]),
    ("arrays of numpy", ["numpy"]),
    ("sparse arrays of scipy on numpy", ["scipy", "numpy"]),
    ("nothing of note", []),
]
XMC = "3 4 2\n0 0:1 1:.5\n1 2:1\n0,1 1:1 3:.5\n"


def tsv(separator=" "):
    return "".join(f"{text}\t{separator.join(labels)}\n" for text, labels in ROWS)


FILES = {
    "rows.tsv": tsv(),
    "rows.txt": "\ufeff" + tsv().replace("\n", "\r\n") + "\r\n",
    "rows.csv": "labels,id,text\n"
    + "".join(f'{" ".join(labels)},7,"{text}"\n' for text, labels in ROWS),
    "rows.jsonl": "".join(
        json.dumps({"text": text, "labels": labels, "more": 1}) + "\n"
        for text, labels in ROWS
    ),
    "rows.ndjson": "".join(
        json.dumps({"text": text, "labels": " ".join(labels)}) + "\n\n"
        for text, labels in ROWS
    ),
    "rows.tsv.gz": tsv(),
}


def write(path, text):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        file.write(text)
    return path


def parsed(*arguments):
    return make_parser().parse_args(["evaluate", "model", *map(str, arguments)])


@pytest.mark.parametrize("name", FILES)
def test_formats(tmp_path, name):
    rows = read_rows(parsed(write(tmp_path / name, FILES[name])))
    assert rows.texts == [text for text, _ in ROWS]
    assert rows.labels == [labels for _, labels in ROWS]


def test_options_of_formats(tmp_path):
    path = write(tmp_path / "data.tsv", "a text\tred wine; tea ;\n")
    assert read_rows(parsed(path, "--separator", ";")).labels == [["red wine", "tea"]]
    header = write(tmp_path / "data.tsv", "text\tlabels\na text\tred wine\n")
    assert read_rows(parsed(header)) == (["a text"], [["red", "wine"]])
    header = write(tmp_path / "data.tsv", "title\ttags\ntext\tlabels\n")
    options = "--text", "title", "--labels", "tags"
    assert read_rows(parsed(header, *options)) == (["text"], [["labels"]])
    path = write(tmp_path / "data.csv", "title,tags\na,b|c\n")
    options = "--text", "title", "--labels", "tags", "--separator", "|"
    assert read_rows(parsed(path, *options)) == (["a"], [["b", "c"]])
    path = write(tmp_path / "data.csv", 'text;labels\n"a, or; b";b c\n')
    assert read_rows(parsed(path)) == (["a, or; b"], [["b", "c"]])
    path = write(tmp_path / "data.train", "__label__b __label__c a text\n")
    rows = read_rows(parsed(path, "--format", "fasttext"))
    assert rows == (["a text"], [["b", "c"]])
    path = write(tmp_path / "data.jsonl", '{"text": "a", "labels": [7, "b"]}\n')
    assert read_rows(parsed(path)).labels == [["7", "b"]]
    path = write(tmp_path / "data.jsonl", '{"text": "a", "labels": 7}\n')
    assert read_rows(parsed(path)).labels == [["7"]]


WRONG_FILES = {
    "no tab": ("a.tsv", "a\tb\nno tab\n", "a.tsv:2: expected text, a tab and labels"),
    "empty": ("a.tsv", "\n", "a.tsv has no rows"),
    "no column": ("a.csv", "title,labels\na,b\n", "has no column 'text'; give --text"),
    "short row": ("a.csv", "text,labels\na\n", "a.csv:2: expected 2 fields"),
    "long row": ("a.csv", "text,labels\na,b,c\n", "a.csv:2: expected 2 fields"),
    "quote": ("a.csv", 'text,labels\n"a"x,b\n', "a.csv:2: "),
    "no JSON": ("a.jsonl", "{\n", "a.jsonl:1 is not JSON"),
    "deep JSON": ("a.jsonl", "[" * 10**5 + "\n", "a.jsonl:1 is not JSON"),
    "no object": ("a.jsonl", "[]\n", "a.jsonl:1: expected an object with 'text'"),
    "no text": ("a.jsonl", '{"text": 1, "labels": []}\n', "the text is 1, no text"),
    "null": ("a.jsonl", '{"text": "a", "labels": null}\n', "the label None is no text"),
    "true": ("a.jsonl", '{"text": "a", "labels": [true]}\n', "the label True is no te"),
    "no label at all": ("a.tsv", "a\t\n", "y holds no label at all in 1 rows"),
    "unknown": ("a.data", "", "does not tell the format; give --format, one of tsv"),
    "header": ("a.xmc", "a b\n", "line 1: got 'a b'"),
}


@pytest.mark.parametrize(("name", "text", "message"), WRONG_FILES.values(), ids=str)
def test_wrong_files(tmp_path, capsys, name, text, message):
    path = write(tmp_path / name, text)
    assert main(["train", str(path), "--model", str(tmp_path / "model")]) == 2
    assert_one_line(capsys, message)
    assert not (tmp_path / "model").exists()


def assert_one_line(capsys, message):
    said = capsys.readouterr().err
    (line,) = [line for line in said.splitlines() if "error" in line]
    assert line.startswith("skxmr: error: ")
    assert message in line
    assert "Traceback" not in said


def test_files_that_are_no_text(tmp_path, capsys):
    path = tmp_path / "a.tsv"
    path.write_bytes(b"caf\xe9\tb\n")
    assert main(["train", str(path), "--model", str(tmp_path / "model")]) == 2
    assert_one_line(capsys, "a.tsv is not UTF-8")
    for data, message in ((b"a\tb\n", "gzip"), (gzip.compress(b"a\tb")[:-9], "early")):
        path = tmp_path / "a.tsv.gz"
        path.write_bytes(data)
        assert main(["train", str(path), "--model", str(tmp_path / "model")]) == 2
        assert_one_line(capsys, message)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with rows and a model trained on them."""
    folder = tmp_path_factory.mktemp("command-line")
    rows = write(folder / "rows.tsv", tsv() * 5)
    names = write(folder / "names.tsv", "web\tWeb pages\twww\ngo\tGo, a language\n")
    model = folder / "models"
    arguments = ["train", rows, "--label-texts", names, "--model", model, "--quiet"]
    assert main(list(map(str, arguments))) == 0
    return folder


@pytest.fixture
def run(folder, capsys):
    def run(*arguments):
        arguments = [str(folder / "models") if one is ... else one for one in arguments]
        code = main(list(map(str, arguments)))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_search_prints_scores_labels_and_names(run):
    code, out, err = run("search", ..., "small", "web server", "-k", 2)
    assert (code, err) == (0, "")
    lines = [line.split("\t") for line in out.splitlines()]
    assert ["web", "Web pages"] in [line[1:] for line in lines]
    assert len(lines) == 2


def test_search_explains_and_prints_json(run):
    _, out, _ = run("search", ..., "django", "--explain", "-k", 1)
    assert "django" in out
    assert "margin" in out
    _, out, _ = run("search", ..., "golang language", "--json", "-k", 1)
    answer = json.loads(out)
    assert answer["results"][0]["name"] == "Go, a language"
    assert answer["text"] == "golang language"


def test_search_reads_lines(run, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("numpy\npagse\nxyzzy\n"))
    code, out, _ = run("search", ..., "-k", 1)
    assert code == 0
    assert out.splitlines()[0].endswith("\tnumpy")
    assert out.splitlines()[-1] == "Nothing found."


def test_a_prompt_asks_until_an_empty_line(run, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal("numpy\n\nflask\n"))
    code, out, err = run("search", ..., "-k", 1)
    assert code == 0
    assert "numpy" in out
    assert "flask" not in out
    assert "An empty line ends" in err
    monkeypatch.setattr("sys.stdin", Terminal("w"))
    code, out, _ = run("complete", ...)
    assert code == 0
    assert "Web pages" in out


def test_complete(run):
    code, out, _ = run("complete", ..., "dj")
    assert (code, out.split("\t")[1]) == (0, "django\n")
    _, out, _ = run("complete", ..., "", "--previous", "numpy", "--json", "-k", 1)
    assert json.loads(out)["completions"][0]["query"] == "scipy"


def test_evaluate(run, folder):
    code, out, _ = run("evaluate", ..., folder / "rows.tsv", "-k", 3, "--json")
    report = json.loads(out)
    assert code == 0
    assert report["rows"] == 30
    assert report["rows without labels"] == 5
    assert report["R@3"] > 0.7
    _, out, _ = run("evaluate", ..., folder / "rows.tsv", "-k", 3)
    assert f"{report['R@3']:.4f}" in out
    # Labels that the model does not know are never found.
    unknown = write(folder / "unknown.tsv", "arrays of numpy\tperl ruby\n")
    _, out, _ = run("evaluate", ..., unknown, "-k", 1, "--json")
    report = json.loads(out)
    assert (report["R@1"], report["labels unknown to the model"]) == (0, 2)


def test_features(tmp_path, capsys):
    path = write(tmp_path / "rows.xmc", XMC)
    model = str(tmp_path / "model")
    assert main(["train", str(path), "--model", model]) == 0
    assert "3 rows of 4 features, 2 labels" in capsys.readouterr().err
    assert main(["evaluate", model, str(path), "-k", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["P@1"] == 1
    assert main(["search", model, "text"]) == 2
    assert_one_line(capsys, "has no retriever; it was trained on features")
    assert main(["evaluate", model, str(write(tmp_path / "rows.tsv", tsv()))]) == 2
    assert_one_line(capsys, "it was trained on rows of another kind")
    assert main(["serve", model]) == 2
    assert_one_line(capsys, "was trained on features; texts are needed")


def test_completions_of_texts_or_none(tmp_path, capsys):
    rows = str(write(tmp_path / "rows.tsv", tsv()))
    model = str(tmp_path / "model")
    assert main(["train", rows, "--model", model, "--completions", "texts"]) == 0
    assert main(["complete", model, "forms"]) == 0
    assert capsys.readouterr().out.endswith("\tforms of django\n")
    assert main(["train", rows, "--model", model, "--completions", "none"]) == 0
    assert (tmp_path / "model" / "0002").is_dir()
    assert main(["complete", model, "forms"]) == 2
    assert_one_line(capsys, "has no completer; train one without --completions none")


def test_wrong_models(tmp_path, capsys):
    assert main(["search", str(tmp_path / "none"), "text"]) == 2
    assert_one_line(capsys, "There is no model")
    persistence.save(TextRetriever().fit(["a"], ["b"]), tmp_path / "other")
    assert main(["search", str(tmp_path / "other"), "text"]) == 2
    assert_one_line(capsys, "holds a TextRetriever; expected a model that skxmr train")
    rows = str(write(tmp_path / "rows.tsv", tsv()))
    assert main(["train", rows, "--model", rows]) == 2
    assert_one_line(capsys, "rows.tsv is a file; expected a folder")
    labels = str(write(tmp_path / "labels.tsv", "web\ta\nweb\tb\n"))
    arguments = ["train", rows, "--model", str(tmp_path / "m"), "--label-texts", labels]
    assert main(arguments) == 2
    assert_one_line(capsys, "labels.tsv:2: the label 'web' again")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["train", "rows.tsv"],
        ["search", "model", "-k", "0"],
        ["search", "model", "-k", "x"],
        ["train", "rows.tsv", "--model", "m", "--format", "pdf"],
    ],
    ids=str,
)
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["train", "search", "complete", "evaluate", "serve"]
)
def test_help_has_examples(command, capsys):
    with pytest.raises(SystemExit) as error:
        main([command, "--help"])
    assert error.value.code == 0
    assert f"skxmr {command} " in capsys.readouterr().out


# Processes
# ---------


def start(*arguments, **how):
    command = [sys.executable, "-m", "skxmr", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how
    )


def test_as_a_process(folder):
    out, err = start("search", folder / "models", "numpy", "-k", 1).communicate()
    assert (out.split("\t")[1], err) == ("numpy\n", "")
    process = start("search", folder / "nothing", "numpy")
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert err.startswith("skxmr: error: There is no model ")
    assert err.count("\n") == 1


@posix
def test_a_closed_pipe_is_no_error(folder):
    with start("search", folder / "models", stdin=subprocess.PIPE) as process:
        process.stdout.close()
        process.stdin.write("numpy\n" * 3000)
        process.stdin.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


@posix
def test_a_served_model_answers(folder):
    with start("serve", folder / "models", "--port", 0) as process:
        try:
            url = process.stdout.readline().split()[1]
            request = urllib.request.Request(
                f"{url}api/search",
                b'{"text": "small server in flask"}',
                {"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request) as response:
                answers = json.load(response)["answers"]
            assert "flask" in [answer["name"] for answer in answers]
            with urllib.request.urlopen(url) as response:
                assert b"<html" in response.read()
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait() == 0


def test_serve_refuses_other_machines(folder, capsys):
    assert main(["serve", str(folder / "models"), "--host", "0.0.0.0"]) == 2
    assert_one_line(capsys, "also pass the name by which they reach this one")
    assert main(["serve", str(folder / "models"), "--port", "99999"]) == 2
    assert_one_line(capsys, "--port must be between 0 and 65535")


def test_training_shows_its_progress_on_stderr(tmp_path, capsys):
    rows = write(tmp_path / "rows.tsv", tsv())
    arguments = ["train", rows, "--model", tmp_path / "models"]
    assert main(list(map(str, arguments))) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "[skxmr] training" in captured.err
    assert main([*map(str, arguments), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
