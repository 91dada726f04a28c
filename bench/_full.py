"""Commands on a disk that becomes full under them: file systems in memory, of so many pages and files: mounting takes root.

Each is a process of its own (``_killed.call``) whose output, and whose folder for temporary files, are on that disk.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from _killed import bits, call, write_data

_NET = "transformer:layers=1,heads=1,dim=8,context=16"
_FIT = "--checkpoint-every 0 --quiet --out disk/out"
_LM = "fit text.txt --task lm --model"
MADE = {
    "L": "fit rows.csv --model linear:bits=10 --epochs 2 --quiet --out L",
    "N": "fit text.txt --task lm --model ngram:order=2 --tokenizer words --quiet --out N",
    "M": "fit text.txt --task lm --model ngram:order=3 --tokenizer words --quiet --out M",
    "T": f"{_LM} {_NET} --tokenizer bpe:size=270 --steps 3 --quiet --out T",
    "E": f"fit rows.csv --model {_NET} --epochs 1 --quiet --out E",
    "G": "fit facts.tsv --task graph --model complex:dim=4 --epochs 1 --quiet --out G",
    "arpa": "export N model.arpa --quiet",
    "llama": "export T llama --to hf --quiet",
}
"""What the commands are given, made beforehand on a disk with room."""
JOBS = {
    "fit, linear": f"fit rows.csv --model linear:bits=10 --epochs 3 {_FIT}",
    "fit, bag by Adam": f"fit rows.csv --model bag:dim=4 --optimizer adam --epochs 2 {_FIT} --async-checkpoints",
    "fit, encoder": f"fit rows.csv --model {_NET} --epochs 1 {_FIT}",
    "fit, naive_bayes": f"fit rows.csv --model naive_bayes {_FIT}",
    "fit, n-grams of classes": f"fit rows.csv --model ngram:order=2 {_FIT}",
    "fit, folds": f"fit rows.csv --model linear:bits=10 --epochs 2 --folds 3 {_FIT}",
    "fit, transformer": f"{_LM} {_NET} --tokenizer bpe:size=270 --steps 3 --batch-tokens 200 {_FIT}",
    "fit, rnn": f"{_LM} rnn:layers=1,dim=8 --tokenizer chars --steps 3 --batch-tokens 400 {_FIT}",
    "fit, hmm": f"{_LM} hmm:states=3,iterations=3 {_FIT}",
    "fit, ngram": f"{_LM} ngram:order=3 {_FIT}",
    "fit, graph": f"fit facts.tsv --task graph --model complex:dim=8 --epochs 2 {_FIT}",
    "compare": "compare rows.csv --loss cross_entropy --loss mse --model linear:bits=10 --epochs 2 --seeds 2 --trials 2 --quiet "
    "--out disk/out",
    "compare, language": "compare text.txt --task lm --model ngram:order=2 --model ngram:order=3 --seeds 2 --trials 1 --quiet "
    "--out disk/out",
    "fuse": "fuse N M --on more.txt --quiet --out disk/out",
    "predict, .csv": "predict L many.csv --quiet --out disk/out.csv",
    "predict, .jsonl": "predict L many.csv --quiet --out disk/out.jsonl",
    "predict, .parquet": "predict L many.csv --quiet --out disk/out.parquet",
    "evaluate --html": "evaluate L rows.csv --slices --quiet --html disk/out.html",
    "score --html": "score N lovely --quiet --html disk/out.html",
    "explain --html": "explain L lovely --quiet --html disk/out.html",
    "explain --data --html": "explain L --data rows.csv --quiet --html disk/out.html",
    "explain --learning": "explain L --learning --quiet --html disk/out.html",
    "export, arpa": "export N disk/out.arpa --quiet",
    "export, arpa.gz": "export N disk/out.arpa.gz --quiet",
    "export, hf": "export T disk/out --to hf --quiet",
    "export, onnx": "export E disk/out.onnx --to onnx --quiet",
    "export, html": "export L disk/out.html --quiet",
    "export --quantize, run": "export L disk/out --quantize --quiet",
    "export --quantize, onnx": "export E disk/out.onnx --to onnx --quantize --quiet",
    "import, arpa": "import model.arpa --quiet --out disk/out",
    "import, llama": "import llama --quiet --out disk/out",
    "report": "report disk/L --quiet",
    "landscape": "landscape L --resolution 3 --quiet --out disk/out.html",
    "plan": "plan runs.csv --params 1e9 --tokens 1e11 --quiet --out disk/out.html",
    "show": "show focal --out disk/out.html",
    "data prepare": "data prepare text.txt --near 0.8 --tokenizer bpe:size=270 --test 0.1 --quiet --out disk/out",
    "data check": "data check text.txt --quiet --html disk/out.html",
    "data check --labels": "data check rows.csv --labels --folds 2 --quiet --html disk/out.html --out disk/out.csv",
    "languages build": "languages build langs --quiet --out disk/out",
    "tokens build": "tokens build text.txt --tokenizer bpe:size=270 --quiet --out disk/out.json",
}
MANY = 1 << 16
"""Pages, and files, that are enough for any of them."""
RESUMED = ("fit", "compare")
BEGUN = (*RESUMED, "data prepare", "import", "fuse", "languages build")
"""Jobs that leave a record of what was begun, for the same command to go on with."""
REMEDY = ("Free some space", "or the space in --out")
LEFT = ("*.part", "*.before", "*.lock", "lossworks-*", ".*-*", "tmp*")
"""Names of what is there only while something is written."""


def write_inputs(folder: Path) -> None:
    """Small files of data, and from them runs and exports; then all temporary files go to ``disk``."""
    write_data(folder)
    rows = (folder / "rows.csv").read_text().splitlines()
    (folder / "many.csv").write_text("\n".join(rows + rows[1:] * 20) + "\n")
    (folder / "more.txt").write_text("".join(f"an awful thing, {i} of {i % 3}\n" for i in range(100)))
    table = [f"{10**i},{t * 10 ** (i + 1)},{4 - i / 3 - t / 99:.3f}" for i in range(3, 8) for t in (5, 10, 20, 40)]
    (folder / "runs.csv").write_text("\n".join(["params,tokens,loss", *table]) + "\n")
    (folder / "langs").mkdir()
    for code, words in (("deu", "der die das und ein"), ("eng", "the of and a thing"), ("fra", "le la les et une")):
        (folder / f"langs/{code}.txt").write_text("".join(f"{words} {words[i % 9 :]} {i}\n" for i in range(60)))
    for line in MADE.values():
        ended = call(line, folder)
        if ended.code:
            raise ChildProcessError(f"{line}: {ended.said}")
    (folder / "disk").mkdir()
    tempfile.tempdir = str(folder / "disk")
    os.environ["TMPDIR"] = tempfile.tempdir


@contextmanager
def disk(folder: Path, pages: int, files: int) -> Iterator[Path]:
    """A file system at ``folder/disk`` of so many pages of 4 kB and so many files and folders, its root one of them."""
    point = folder / "disk"
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={pages * 4}k,nr_inodes={files}", "tmpfs", point], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", "--lazy", point], check=True)


def filled(job: str, folder: Path, growth: float, tell: Callable[[str], None]) -> Counter[str]:
    """Run a job on disks that are too small, by pages, then by files, each ``growth`` times the last, up to one that is enough.

    Returns: ``full`` disks; of these ``unclear`` (no error with a remedy, or another exit code), ``torn`` (half written, or an
    old file is not as it was) and ``stuck`` (with room made, the command did not end in the bits of one that had it).
    """
    found = Counter[str](full=0, unclear=0, torn=0, stuck=0)
    with disk(folder, MANY, MANY) as point:
        given(job, folder, point)
        ended = call(JOBS[job], folder)
        if ended.code or list(_left(point)):
            raise ChildProcessError(f"{job}: {ended.code}, {[*_left(point)]}, {ended.said}")
        wanted = bits(point)
        once = sum(1 for _ in point.iterdir()) == 1 and next(point.iterdir()).is_file()  # one file, which may be an old one's
    for kind in (0, 1):
        size = number = 1
        while _is_full(job, folder, (size, MANY) if not kind else (MANY, size), once and number % 2, wanted, found, tell):
            size, number = max(size + 1, int(size * growth)), number + 1
    return found


def given(job: str, folder: Path, point: Path) -> None:
    """Put there what a job finds in the place of its output."""
    if job == "report":
        shutil.copytree(folder / "L", point / "L")


def _left(point: Path) -> Iterator[Path]:
    return (path for pattern in LEFT for path in point.rglob(pattern))


def _is_full(
    job: str,
    folder: Path,
    size: tuple[int, int],
    replaces: int,
    wanted: dict[str, str],
    found: Counter[str],
    tell: Callable[[str], None],
) -> bool:
    """One disk, with an old file in the place of the output where ``replaces``; whether it was too small."""
    with disk(folder, *size) as point:
        try:
            given(job, folder, point)
            for name in wanted if replaces else ():
                (point / name).write_bytes(b"old " * 2000)
        except OSError:
            return True  # not even for what is given
        before = {path: path.read_bytes() for path in point.rglob("*") if path.is_file()}
        ended = call(JOBS[job], folder)
        if not ended.code:
            return False
        told = f"{job}, {size[0]} pages, {size[1]} files: {ended.code}, {ended.said[-600:]!r}"
        found["full"] += 1
        if ended.code != 2 or not any(remedy in ended.said for remedy in REMEDY) or "Traceback" in ended.said:
            found["unclear"] += 1
            tell(f"unclear: {told}")
        if torn := [*_torn(point, before, job)]:
            found["torn"] += 1
            tell(f"torn: {torn}, {told}")
        if found["full"] % 3 == 0:
            subprocess.run(["mount", "-o", f"remount,size=256m,nr_inodes={MANY}", point], check=True)
            again = " --resume" if job.startswith(RESUMED) and (point / "out/run.json").exists() else ""
            last, now = call(JOBS[job] + again, folder), bits(point)
            if last.code or now != wanted:
                found["stuck"] += 1
                names = [name for name in wanted.keys() | now.keys() if wanted.get(name) != now.get(name)]
                tell(f"stuck: {names}, {last.said[-600:]!r}; {told}")
    return True


def _torn(point: Path, given: dict[Path, bytes], job: str) -> Iterator[str]:
    """What is half written or changed."""
    yield from (f"left: {path}" for path in _left(point))
    for path, content in given.items():
        if not path.exists() or path.read_bytes() != content:
            yield f"changed: {path}"
    for path in point.rglob("*.json"):
        try:
            json.loads(path.read_text("utf-8"))
        except ValueError:
            yield f"half: {path}"
    if not job.startswith(BEGUN):  # onnxruntime keeps a file of its own where temporary files are
        yield from (f"new: {path}" for path in point.rglob("*") if path not in given and path.is_file() and path.name != ".ses")
