"""The arguments of the commands, and their help."""

import argparse
from pathlib import Path

from skxmr._row_files import FORMATS
from skxmr._version import __version__

__all__ = ["make_parser"]

_EXAMPLES = """\
examples:
  skxmr train rows.tsv --model models       # lines of text, tab, labels
  skxmr search models "wireless mouse"      # or without a text: a prompt
  skxmr complete models wire
  skxmr evaluate models test.tsv
  skxmr serve models --port 8000            # a page and a JSON API

"skxmr COMMAND --help" describes a command.
"""

_FORMATS_HELP = """\
formats, by the end of the file's name (also .gz) or --format:
  tsv       text, a tab, labels separated by blanks (or by --separator); a first
            line of the names --text and --labels is a header
  csv       a header with the columns of --text and --labels
  jsonl     objects with --text and --labels, a list or a string, one on each line
  fasttext  labels as words that start with __label__, and the text
  xmc       features and labels of the Extreme Classification Repository
"""

_TRAIN_EXAMPLES = """
examples:
  skxmr train rows.tsv --model models
  skxmr train rows.csv --text title --labels tags --separator ";" --model models
  skxmr train rows.jsonl --label-texts names.tsv --model models
"""

_SEARCH_EXAMPLES = """
examples:
  skxmr search models "wireless mouse" -k 3
  skxmr search models                       # asks for texts
  skxmr search models --json < texts.txt    # a JSON object for each line
"""


def make_parser():
    """Make the parser of all commands.

    Returns
    -------
    argparse.ArgumentParser
        The parsed options have `module`, the name of the module that runs the command.
    """
    parser = argparse.ArgumentParser(
        prog="skxmr",
        description="Extreme multilabel ranking: find the few relevant labels of a "
        "text among thousands to millions.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_train(commands)
    _add_search(commands)
    _add_complete(commands)
    _add_evaluate(commands)
    _add_serve(commands)
    return parser


def _add(commands, name, module, summary, epilog):
    command = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(module=module)
    return command


def _add_train(commands):
    command = _add(
        commands,
        "train",
        "_training",
        "train a model on a file of texts and labels",
        _FORMATS_HELP + _TRAIN_EXAMPLES,
    )
    _add_rows(command)
    command.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="where the model is saved, as a new version if there is one",
    )
    command.add_argument(
        "--label-texts",
        type=Path,
        metavar="FILE",
        help="lines of label, tab, its text: searched by words too, and shown",
    )
    command.add_argument(
        "--completions",
        choices=("labels", "texts", "none"),
        default="labels",
        help="what the completer suggests: the names of labels (the default), the "
        "texts of the rows, as for a search log, or nothing",
    )
    command.add_argument("--seed", type=int, default=0, help="default 0")
    command.add_argument(
        "--jobs", type=int, default=-1, help="number of threads; all cores by default"
    )
    command.add_argument("--quiet", action="store_true", help="print nothing")


def _add_search(commands):
    command = _add(
        commands,
        "search",
        "_searching",
        "find the labels of a text, or of each text that is typed",
        _SEARCH_EXAMPLES,
    )
    _add_model(command)
    command.add_argument("text", nargs="*", metavar="TEXT", help="none: read lines")
    command.add_argument("-k", type=_positive, default=10, help="default 10")
    command.add_argument("--json", action="store_true", help="print JSON lines")
    command.add_argument(
        "--explain", action="store_true", help="explain the score of the best label"
    )


def _add_complete(commands):
    command = _add(
        commands,
        "complete",
        "_completing",
        "complete what has been typed",
        "examples:\n  skxmr complete models wire\n",
    )
    _add_model(command)
    command.add_argument("text", nargs="*", metavar="PREFIX", help="none: read lines")
    command.add_argument(
        "--previous",
        action="append",
        default=[],
        metavar="QUERY",
        help="a query before, the newest last; may be given several times",
    )
    command.add_argument("-k", type=_positive, default=10, help="default 10")
    command.add_argument("--json", action="store_true", help="print JSON lines")


def _add_evaluate(commands):
    command = _add(
        commands,
        "evaluate",
        "_evaluating",
        "measure a model on rows that it was not trained on",
        _FORMATS_HELP + "\nexamples:\n  skxmr evaluate models test.tsv -k 1 5 10\n",
    )
    _add_model(command)
    _add_rows(command)
    command.add_argument("-k", type=_positive, nargs="+", default=[1, 3, 5, 10])
    command.add_argument("--json", action="store_true", help="print a JSON object")


def _add_serve(commands):
    command = _add(
        commands,
        "serve",
        "_serving",
        "serve a page and a JSON API",
        'needs: pip install "skxmr[demo]"\n\nexamples:\n'
        "  skxmr serve models --port 8000\n"
        "  curl -H 'Content-Type: application/json' -d '{\"text\": \"mouse\"}' "
        "http://127.0.0.1:8000/api/search\n",
    )
    _add_model(command)
    command.add_argument("--port", type=int, default=8000, help="0 takes any free one")
    command.add_argument("--host", default="127.0.0.1", help="the address to listen at")
    command.add_argument(
        "--allow-remote",
        metavar="NAME",
        nargs="+",
        default=[],
        help="serve other machines too, which reach this one by one of these names; "
        "there is no encryption and no authentication",
    )
    command.add_argument("-k", type=_positive, default=10, help="default 10")
    command.add_argument("--title", default="", help="the title of the page")


def _add_model(command):
    command.add_argument(
        "model",
        type=Path,
        metavar="MODEL",
        help="the folder of a trained model; loading can execute code from it: use "
        "only one that you trust",
    )


def _add_rows(command):
    command.add_argument("rows", type=Path, metavar="FILE", help="texts and labels")
    command.add_argument("--format", choices=FORMATS, help="by default by the name")
    command.add_argument("--text", default="text", metavar="COLUMN")
    command.add_argument("--labels", default="labels", metavar="COLUMN")
    command.add_argument(
        "--separator",
        metavar="TEXT",
        help="what is between the labels of a row: blanks by default",
    )


def _positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more; got {number}")
    return number
