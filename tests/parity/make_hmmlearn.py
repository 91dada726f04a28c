"""Where hmmlearn's Baum–Welch takes small chains, written to ``hmmlearn_reference.json``.

    python tests/parity/make_hmmlearn.py

in an environment with ``hmmlearn``. The texts and the first tables are recorded too, so
the file holds every number of the comparison.
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
CASES = {
    "two states": (2, 4, [30, 5, 1, 12], 40),
    "one long text": (3, 6, [400], 25),
    "many short texts": (5, 8, [9, 14, 3] * 12, 25),
}


def case(states: int, tokens: int, lengths: list[int], iterations: int, seed: int) -> dict[str, Any]:
    """One training from random tables, one of whose entries are 0."""
    from hmmlearn.hmm import CategoricalHMM

    rng = np.random.default_rng(seed)
    start, table = rng.dirichlet(np.ones(states)), rng.dirichlet(np.ones(states), states)
    emission = rng.dirichlet(np.ones(tokens), states)
    table[0, states - 1] = 0
    table /= table.sum(1, keepdims=True)
    ids = rng.choice(tokens, sum(lengths), p=rng.dirichlet(np.ones(tokens)))
    ids[1::3] = (ids[0::3] + 1)[: len(ids[1::3])] % tokens  # something to learn
    model = CategoricalHMM(states, n_iter=iterations, tol=-np.inf, init_params="", implementation="scaling")
    model.startprob_, model.transmat_, model.emissionprob_ = start.copy(), table.copy(), emission.copy()
    model.fit(ids[:, None], lengths)
    _, path = model.decode(ids[:, None], lengths)
    return {
        "lengths": lengths,
        "ids": ids.tolist(),
        "first": {"start": start.tolist(), "transitions": table.tolist(), "emission": emission.tolist()},
        "logp": list(model.monitor_.history),
        "last": {
            "start": model.startprob_.tolist(),
            "transitions": model.transmat_.tolist(),
            "emission": model.emissionprob_.tolist(),
        },
        "path": path.tolist(),
        "posteriors": model.predict_proba(ids[:, None], lengths)[:20].tolist(),
    }


def main() -> None:
    """Write the file."""
    cases = {name: case(*settings, seed) for seed, (name, settings) in enumerate(CASES.items())}
    text = json.dumps({"hmmlearn": metadata.version("hmmlearn"), "cases": cases})
    (HERE / "hmmlearn_reference.json").write_text(text + "\n", "utf-8")
    print({name: (len(found["logp"]), found["logp"][-1]) for name, found in cases.items()})


if __name__ == "__main__":
    main()
