"""Run a command of the command line, and report errors in one line."""

import importlib
import os
import sys

from skxmr._cli._parser import make_parser

__all__ = ["main"]

ERROR = 2
INTERRUPTED = 130  # as a shell reports an interrupted command


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Without the name of the program; None takes those of the process.

    Returns
    -------
    int
        The exit code: 0, or 2 after an error.
    """
    options = make_parser().parse_args(arguments)
    try:
        importlib.import_module(f"skxmr._cli.{options.module}").run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # such as of `| head`
        # Python flushes stdout again as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, ValueError, TypeError, ImportError, MemoryError) as error:
        print(f"skxmr: error: {_one_line(error)}", file=sys.stderr)
        return ERROR
    return 0


def _one_line(error):
    text = " ".join(str(error).split())
    return text or type(error).__name__
