"""napkinXC's label tree with thresholds by online F-measure optimisation.

Their tuning is a command of its executable, which its Python package does not have. So
``online.py`` has the rules of that command, for the probabilities of held-out rows. The
thresholds are applied to the best 100 labels here, too: in the package, beam search
fails with a threshold, and a list of thresholds is ignored after a model is loaded.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from benchworker import run
from benchworker.matrices import row_slice
from napkinxc.models import PLT
from online import above, tune_each, tune_one
from worker import NapkinXC, as_napkinxc

HELD_OUT_SHARE = 0.2
MOST_LABELS = 100


class NapkinXCThresholds(NapkinXC):
    """Layouts are "micro", one threshold, and "macro", one for each label."""

    def __init__(self, settings, threads, seed):
        # Its default loss, whose scores are probabilities.
        super().__init__(settings, threads, seed)
        self.loss = "log"

    def _model(self, folder):
        settings = self.settings
        return PLT(
            folder,
            arity=settings["branching_factor"],
            max_leaves=settings["max_leaf_size"],
            loss=self.loss,
            liblinear_eps=settings["tol"],
            liblinear_max_iter=settings["max_iter"],
            weights_threshold=settings["threshold"],
            bias=1.0,
            seed=self.seed,
            threads=self.threads,
        )

    def prepare(self, X, Y):
        self.X, self.n_labels = as_napkinxc(X), Y.shape[1]
        self.Y = [row_slice(Y, row)[0].tolist() for row in range(Y.shape[0])]
        self.folder = TemporaryDirectory()

    def fit(self):
        start = perf_counter()
        order = np.random.default_rng(self.seed).permutation(len(self.Y))
        cut = round(HELD_OUT_SHARE * len(order))
        held_out, rest = order[:cut], order[cut:]
        with TemporaryDirectory() as folder:
            self._model(folder).fit(self.X[rest], [self.Y[row] for row in rest])
            super().load(folder, "beam")
            self.model.set_params(threads=1, **self.search)
            scored = self.model.predict_proba(self.X[held_out], top_k=MOST_LABELS)
            self.model.unload()
        true = [set(self.Y[row]) for row in held_out]
        self.thresholds = {
            "micro": [tune_one(scored, true)] * self.n_labels,
            "macro": tune_each(scored, true, self.n_labels),
        }
        self._model(self.folder.name).fit(self.X, self.Y)
        return None, perf_counter() - start

    def save(self, folder):
        super().save(folder)
        path = Path(folder, "thresholds.json")
        path.write_text(json.dumps(self.thresholds))

    def load(self, folder, layout):
        super().load(folder, "beam")
        thresholds = json.loads(Path(folder, "thresholds.json").read_text())
        self.thresholds = np.array(thresholds[layout])

    def predict(self, queries, k, threads):
        self.model.set_params(threads=threads, **self.search)
        return self.model.predict_proba(queries, top_k=k)

    def columns(self, predicted, k):
        return above(predicted, self.thresholds, k)


if __name__ == "__main__":
    run(NapkinXCThresholds)
