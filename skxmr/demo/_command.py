"""Train or load the models of the page, and serve it."""

from skxmr._row_files import read_rows
from skxmr.datasets._bundled import load_subjects
from skxmr.demo._addresses import LOOPBACK
from skxmr.demo._application import application
from skxmr.demo._catalogue import Catalogue
from skxmr.demo._running import serve_here

__all__ = ["load_or_train", "run"]


def run(options):
    """Train or load the models, and serve the page until interrupted."""
    try:
        rows = None if options.rows is None else read_rows(options)
        title = options.title or (options.rows.name if rows else "")
        catalogue = load_or_train(options.models, rows, title)
    except (OSError, ValueError) as error:
        raise SystemExit(f"skxmr.demo: error: {' '.join(str(error).split())}") from None
    app = application(catalogue, hosts=LOOPBACK.union(options.allow_remote))
    serve_here(app, options.host, options.port)


def load_or_train(path, rows=None, title=""):
    """Load models, or train them on rows of texts and labels, if there are any."""
    if path is not None and path.exists():
        return Catalogue.load(path)
    print("Training takes some seconds (--models PATH keeps it) ...", flush=True)
    if rows is None:
        catalogue = Catalogue.train(load_subjects())
    else:
        catalogue = Catalogue.of_rows(rows.texts, rows.labels, title)
    if path is not None:
        catalogue.save(path)
    return catalogue
