"""What KenLM's programs make of a few texts and of an ARPA file that we wrote, written to ``kenlm_reference.json``.

    LOSSWORKS_KENLM=<folder with lmplz and query> python tests/parity/make_arpa_reference.py

theirs: an ARPA file by ``lmplz``, and what ``query`` says of held-out texts by it.
ours: the ARPA file of the model ``tests/models/ngram/written.py`` makes, and what ``query`` says by it.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from lossworks.models.ngram import write_arpa  # noqa: E402
from models.ngram.written import WORDS, model, spelled_texts  # noqa: E402

PROGRAMS = Path(os.environ["LOSSWORKS_KENLM"])
ALPHABET = ["the", "a", "cat", "dog", "mat", "sat", "on", "and", "ran", "far", "山", "水", "月", ",", "."]


def texts(seed: int, count: int) -> str:
    """Texts of words, those at the front of the alphabet more often."""
    rng = random.Random(seed)
    return "".join(" ".join(rng.choices(ALPHABET, range(len(ALPHABET), 0, -1), k=rng.randint(0, 9))) + "\n" for _ in range(count))


def query(arpa: str, asked: str) -> dict[str, Any]:
    """The log10 probability of each word and end, and the perplexities."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".arpa") as file:
        file.write(arpa)
        file.flush()
        words, summary = (
            subprocess.run(
                [PROGRAMS / "query", "-v", kind, file.name], input=asked, capture_output=True, text=True, check=True
            ).stdout
            for kind in ("word", "summary")
        )
    perplexity = {kind: float(re.search(rf"{kind} OOVs:\s*(\S+)", summary)[1]) for kind in ("including", "excluding")}  # type: ignore[index]
    return {"texts": asked, "log10": [float(p) for p in re.findall(r"=\d+ \d+ (-[\d.e-]+|0)", words)], **perplexity}


def main() -> None:
    """Write the file."""
    command = [PROGRAMS / "lmplz", "-o", "3", "--discount_fallback"]
    arpa = subprocess.run(command, input=texts(0, 40), capture_output=True, text=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        write_arpa(model(), WORDS, Path(folder) / "ours.arpa")
        ours = (Path(folder) / "ours.arpa").read_text("utf-8")
    reference = {
        "theirs": {"arpa": arpa, **query(arpa, texts(1, 20) + "the zebra sat\nzebra\n")},
        "ours": {"arpa": ours, **query(ours, spelled_texts())},
    }
    (HERE / "kenlm_reference.json").write_text(json.dumps(reference, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
