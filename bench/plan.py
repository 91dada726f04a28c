"""Forecasts of larger runs from smaller ones: error, coverage and width of nominal 95 % intervals.

Tables: the 245 runs read off Chinchilla's figure, cut by compute; the models of Gadre et al., those of .4 B parameters and less
for the larger, one training set at a time; and small Transformers of our own with one 16 times as large (`bench/plan_runs.csv`).
Beside ours: a bootstrap over runs of Chinchilla's law, and the package chinchilla, which gives a loss and no interval.

    LOSSWORKS_PAGE=docs/SCALE.md bench/plan.py   also writes the table into the page; two minutes of CPU time
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _bench import data, machine, peers, run, table
from numpy.typing import NDArray

from lossworks.scaling import FORMS, Runs, Target, forecast
from lossworks.scaling.fitting import descend, fit

Array = NDArray[np.float64]
_PEER = """
import json, sys, tempfile
import numpy as np
from chinchilla import Chinchilla
given = json.loads(sys.argv[1])
law = Chinchilla(tempfile.mkdtemp(), param_grid=dict(E=[1, 2], a=[3, 7], b=[3, 7], alpha=[.2, .5], beta=[.2, .5]), log_level=50)
for n, d, loss in given["small"]:
    law.database.append(N=n, D=d, loss=loss)
law.fit(parallel=False)
print(json.dumps({"loss": [float(law.predict_loss(n, d)) for n, d in given["large"]]}))
"""


class Case:
    """A table that is cut in two."""

    def __init__(
        self, name: str, columns: dict[str, Array], small: NDArray[np.bool_], large: NDArray[np.bool_] | None = None
    ) -> None:
        """``small``: which runs are known; the rest are forecast, but for those where ``large`` says no."""
        self.name, self.columns, self.small = name, columns, small
        self.large = ~small if large is None else large

    def runs(self) -> Runs:
        """The small runs."""
        given: dict[str, Any] = {key: values[self.small] for key, values in self.columns.items()}
        return Runs(**given, source=self.name)

    def targets(self) -> list[Target]:
        """The large runs, to be forecast."""
        columns = {key: values[self.large].tolist() for key, values in self.columns.items() if key != "loss"}
        return [Target(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]

    @property
    def true(self) -> Array:
        """The losses of the large runs."""
        return self.columns["loss"][self.large]


def chinchilla() -> list[Case]:
    """The table of Chinchilla, cut at several computes; the two of the anchors first."""
    rows = list(csv.DictReader((data() / "scaling" / "chinchilla-epoch-ai.csv").open()))
    n, c, loss = (np.array([float(row[key]) for row in rows]) for key in ("N", "C", "loss"))
    columns = {"params": n, "tokens": c / 6 / n, "loss": loss}
    return [Case(f"Chinchilla, C < {cut:.0e}", columns, c < cut) for cut in (1e20, 1e21, 3e19, 6e19, 2e20, 3e20, 6e20)]


def gadre() -> list[Case]:
    """The models of each training set, judged on two held-out sets."""
    found = []
    models = [json.loads(path.read_text()) for path in sorted((data() / "scaling" / "gadre-models").glob("*.json"))]
    for judged, name in ((1, "C4"), (4, "RefinedWeb")):
        for family in ("c4_original", "rpj", "rw_original"):
            own = [model for model in models if model["dataset_name"] == family]
            columns = {
                ours: np.array([model["hyperparameters"][theirs] for model in own], dtype=float)
                for ours, theirs in (("params", "params"), ("tokens", "tokens"), ("non_embedding", "params_no_embed"))
            }
            columns["loss"] = np.array([model["results"][judged]["loss"] for model in own])
            found.append(Case(f"Gadre {family}, on {name}", columns, columns["params"] < 5e8))
    return found


def ours() -> list[Case]:
    """Small Transformers over characters of tiny-shakespeare, trained for a range of steps, and one 16 times as large.

    Each was made by ``fit --tokenizer chars --model transformer:layers=2,heads=2,dim=D,context=64 --batch-tokens 1024 --optimizer
    adamw --lr 0.01 --steps S``.
    """
    rows = list(csv.DictReader((Path(__file__).parent / "plan_runs.csv").open()))
    columns = {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}
    steps, dim = columns.pop("steps"), columns.pop("dim")
    del columns["seconds"]
    return [
        Case(f"our own, {least} to {most} steps", columns, (dim < 64) & (least <= steps) & (steps <= most),
             (dim == 64) & (steps == 4 * most))
        for least, most in ((40, 320), (40, 640), (160, 1280))
    ]  # fmt: skip


def bootstrap(case: Case) -> tuple[Array, Array, Array]:
    """Chinchilla's law fitted to runs drawn again: median, 2.5 % and 97.5 %."""
    x = np.log(np.stack([case.columns["params"], case.columns["tokens"]], 1))
    x, y = x - x[case.small].mean(0), np.log(case.columns["loss"])
    count = int(case.small.sum())
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=200).astype(float)
    law = FORMS["chinchilla"]
    theta = fit(law, x[case.small], y[case.small], np.ones(count))
    again, _ = descend(law, x[case.small], y[case.small], drawn, np.tile(theta, (200, 1)), 60)
    said = np.exp(law.value(again, x[case.large])[0])
    return np.median(said, 0), np.quantile(said, 0.025, 0), np.quantile(said, 0.975, 0)


class Judged:
    """Figures of one case, of the runs that are not refused; or of several."""

    def __init__(self, case: Case) -> None:
        runs, targets, true = case.runs(), case.targets(), case.true
        kept = _given(runs, targets)
        chosen = [target for target, keep in zip(targets, kept, strict=True) if keep]
        found = forecast(runs, chosen)
        known = np.stack([runs.params, runs.tokens, runs.loss], 1).tolist()
        asked = [[target.params, target.tokens] for target in chosen]
        theirs = run(peers(), _PEER, json.dumps({"small": known, "large": asked}))["loss"]
        self.name, self.count, self.refused = case.name, str(len(runs)), int((~kept).sum())
        ours, plain = (np.array(each) for each in ((found.loss, found.low, found.high), bootstrap(case)))
        self.seen = np.concatenate([true[None, kept], ours, plain[:, kept], np.array([theirs])])

    def row(self) -> list[Any]:
        """As the table has it."""
        true, loss, low, high, middle, below, above, theirs = self.seen
        error = [f"{100 * np.median(np.abs(said / true - 1)):.2f}" for said in (loss, middle, theirs)]
        inside = [f"{100 * ((a <= true) & (true <= b)).mean():.0f}" for a, b in ((low, high), (below, above))]
        width = f"{100 * ((high - low) / true).mean():.1f}"
        return [self.name, f"{self.count} → {len(true)}", self.refused, error[0], inside[0], width, error[1], inside[1], error[2]]

    @classmethod
    def together(cls, name: str, several: Sequence[Judged]) -> Judged:
        """The figures of all their forecasts."""
        whole = cls.__new__(cls)
        whole.name, whole.count, whole.refused = name, "all", sum(one.refused for one in several)
        whole.seen = np.concatenate([one.seen for one in several], 1)
        return whole


def _given(runs: Runs, targets: list[Target]) -> NDArray[np.bool_]:
    """Which of the targets are near enough to be forecast."""
    reach = forecast(runs, [min(targets, key=lambda target: target.compute)]).reach
    n, d = (np.array([getattr(target, key) for target in targets]) for key in ("params", "tokens"))
    far = np.maximum.reduce([n / runs.params.max(), d / runs.tokens.max(), 6 * n * d / runs.compute.max()])
    near: NDArray[np.bool_] = far <= reach
    return near


def main() -> None:
    """Print the table."""
    machine()
    rows = []
    for name, cases in (("Chinchilla, the seven cuts", chinchilla()), ("Gadre, on C4", gadre()[:3]),
                        ("Gadre, on RefinedWeb", gadre()[3:]), ("our own", ours())):  # fmt: skip
        several = [Judged(case) for case in cases]
        rows += [one.row() for one in several]
        if name != "our own":  # which share a few runs
            rows.append(Judged.together(name, several).row())
    head = ["table", "runs", "refused", "median error, %", "covers, %", "mean width, %",
            "bootstrap: error", "covers", "chinchilla 0.2: error"]  # fmt: skip
    table(head, rows, "plan")


if __name__ == "__main__":
    main()
