"""What KenLM makes of our texts, written to ``kenlm/``: the ARPA files of ``lmplz`` and the perplexities of ``query``.

    python tests/parity/make_kenlm_reference.py FOLDER

where FOLDER has the programs ``lmplz``, ``build_binary`` and ``query``. The text's literal unknown word is another word there.
Every order falls back to the discounts 0.5, 1 and 1.5 where its own cannot be told, as ours does.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from kenlm_cases import CASES, STAND_IN, UNKNOWN, Case, Text, corpora

HERE = Path(__file__).parent / "kenlm"


def lines(texts: list[Text]) -> str:
    """One text a line."""
    return "".join(" ".join(STAND_IN if word == UNKNOWN else word for word in text) + "\n" for text in texts)


def arpa(programs: Path, case: Case, texts: list[Text]) -> str:
    """KenLM's model of texts."""
    flags = [
        "-o",
        str(case.order),
        "-S",
        "10%",
        "--discount_fallback",
        *(["--prune", *map(str, case.prune)] if case.prune else []),
    ]
    return subprocess.run([programs / "lmplz", *flags], input=lines(texts), capture_output=True, text=True, check=True).stdout


def perplexity(programs: Path, model: str, texts: list[Text]) -> dict[str, float]:
    """Of held-out texts by KenLM's query, with and without unknown words, and how many those are."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.arpa").write_text(model, "utf-8")
        subprocess.run([programs / "build_binary", f"{folder}/model.arpa", f"{folder}/model"], capture_output=True, check=True)
        said = subprocess.run(
            [programs / "query", "-v", "summary", f"{folder}/model"],
            input=lines(texts),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    found = dict(re.findall(r"^(Perplexity \w+ OOVs|OOVs):\s+(\S+)", said, re.MULTILINE))
    return {
        "including": float(found["Perplexity including OOVs"]),
        "excluding": float(found["Perplexity excluding OOVs"]),
        "unknown": float(found["OOVs"]),
    }


def main() -> None:
    """Write the reference."""
    programs, texts = Path(sys.argv[1]), corpora()
    HERE.mkdir(exist_ok=True)
    figures = {}
    for case in CASES:
        train, held_out = texts[case.corpus]
        model = arpa(programs, case, train)
        (HERE / f"{case.name}.arpa.gz").write_bytes(gzip.compress(model.encode(), 9, mtime=0))
        figures[case.name] = perplexity(programs, model, held_out)
        print(case.name, figures[case.name])
    (HERE / "perplexity.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
