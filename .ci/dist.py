"""``make dist``: builds the sdist and, out of it, the wheel; looks into both; installs the wheel without extras, and uses it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
PIP = ("pip", "--disable-pip-version-check", "install", "--quiet", "--constraint", ROOT / "constraints.txt")
GENERATED = re.compile(r"PKG-INFO|setup\.cfg|src/lossworks\.egg-info/.*")  # what setuptools adds to an sdist
SDIST = {"LICENSE", "MANIFEST.in", "README.md", "pyproject.toml"}
REVIEWS = "import shutil, importlib.resources as r; shutil.copy(r.files('lossworks.data') / 'reviews.csv', 'reviews.csv')"
JOB = (
    f'python -W error -c "{REVIEWS}"',
    "lossworks --help",
    "lossworks fit reviews.csv --out runs/first --quiet",
    "lossworks predict runs/first 这个产品让我很失望。",
    "lossworks list losses",
    "lossworks show focal",
    "lossworks doctor",
    "python -m lossworks report runs/first",
    'python -c \'import lossworks; print(lossworks.load("runs/first").predict(["I love it!"]))\'',
)
NEEDS = {  # extra → what cannot be done without it, and must name it
    "sklearn": "python -c 'import lossworks; lossworks.TextClassifier'",
    "excel": "lossworks fit book.xlsx",
    "hf": "lossworks fit reviews.csv --model hf_classifier:somewhere",
    "keras": "python -c 'import lossworks.interop.keras'",
    "onnx": "lossworks export runs/first model.onnx --to onnx",
    "dask": "lossworks data prepare reviews.csv --out prepared --dask tcp://127.0.0.1:1",
    "postgresql": "lossworks compare reviews.csv --loss mse --loss focal --storage postgresql://127.0.0.1:1/none --minutes 1",
    "serve": "lossworks serve runs/first",
    "tensorboard": "lossworks fit reviews.csv --log tensorboard --out runs/logged",
    "wandb": "lossworks fit reviews.csv --log wandb --out runs/logged",
    "mlflow": "lossworks fit reviews.csv --log mlflow --out runs/logged",
}


def main() -> None:
    """Build, look, install and use; the first thing that is wrong ends it."""
    wheel, sdist = build()
    look_into(wheel, sdist)
    with tempfile.TemporaryDirectory() as scratch:
        use(wheel, Path(scratch))
    print(f"wheel {megabytes([wheel])}, sdist {megabytes([sdist])}")


def build() -> tuple[Path, Path]:
    """The wheel, made of nothing but what the sdist holds, and the sdist."""
    for old in DIST.glob("lossworks-*"):
        old.unlink()
    paths = os.environ | {"PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    subprocess.run([sys.executable, "-m", "build", "--outdir", DIST, ROOT], check=True, stdout=subprocess.DEVNULL, env=paths)
    (wheel,), (sdist,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    return wheel, sdist


def look_into(wheel: Path, sdist: Path) -> None:
    """Both hold each file of the package that git knows, and nothing else, nor names of this machine's folders."""
    tracked = subprocess.run(["git", "ls-files", "src"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    with zipfile.ZipFile(wheel) as file:
        inside = {name: file.read(name) for name in file.namelist()}
    same("wheel", {f"src/{name}" for name in inside if ".dist-info/" not in name}, tracked)
    licences = {name.partition("/licenses/")[2] for name in inside if "/licenses/" in name}
    same("licences of the wheel", licences, ["LICENSE", "src/lossworks/report/plotly.LICENSE"])
    here = (bytes(ROOT), bytes(Path.home()) + b"/")
    named = [name for name, content in inside.items() if any(folder in content for folder in here)]
    same("paths of this machine in the wheel", named, [])
    with tarfile.open(sdist) as tar:
        names = (member.name.partition("/")[2] for member in tar if member.isfile())
        same("sdist", [name for name in names if not GENERATED.fullmatch(name)], [*tracked, *SDIST])


def same(what: str, found: Iterable[str], wanted: Iterable[str]) -> None:
    """End with what is there and should not be, or is not there and should be."""
    more, fewer = sorted({*found} - {*wanted}), sorted({*wanted} - {*found})
    if more or fewer:
        sys.exit(f"{what}: has {', '.join(more) or 'nothing'} too much, lacks {', '.join(fewer) or 'nothing'}")


def use(wheel: Path, folder: Path) -> None:
    """Install into a new environment, do the main job in another folder, and try what needs an extra."""
    venv.create(folder / "env", with_pip=True)
    work, packages = folder / "work", folder / "env/lib"
    work.mkdir()
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "LOSSWORKS_THREADS")
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    env["PATH"] = f"{folder / 'env/bin'}{os.pathsep}{env['PATH']}"

    def run(line: str | Iterable[object], code: int = 0) -> str:
        words = ["bash", "-c", line] if isinstance(line, str) else [*map(str, line)]
        done = subprocess.run(words, cwd=work, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != code:
            sys.exit(f"{line}: exit code {done.returncode}, wanted {code}\n{done.stdout}")
        return done.stdout

    sizes = [megabytes(packages.rglob("*"))]
    for package in ("torch", wheel):
        run((*PIP, package))
        sizes.append(megabytes(packages.rglob("*")))
    run("pip check")
    for line in JOB:
        run(line)
        print(f"works: {line}")
    (work / "book.xlsx").write_bytes(b"")
    for extra, line in NEEDS.items():
        if f"lossworks[{extra}]" not in (said := run(line, 1 if line.startswith("python") else 2)):
            sys.exit(f"{line}: does not say that it needs lossworks[{extra}]:\n{said}")
    print(f"each of these names its extra where it is missing: {', '.join(NEEDS)}")
    print(f"installed: {sizes[-1]}; with PyTorch and what it needs alone {sizes[1]}; empty {sizes[0]}")


def megabytes(paths: Iterable[Path]) -> str:
    """The size of files together."""
    return f"{sum(path.stat().st_size for path in paths if path.is_file() and not path.is_symlink()) / 1e6:,.1f} MB"


if __name__ == "__main__":
    main()
