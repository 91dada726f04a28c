"""``lossworks export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import print_json
from .running import opened

_EXAMPLES = {"": "page.html", "html": "page.html", "js": "model.js", "onnx": "model.onnx", "arpa": "model.arpa.gz"}
"""A name for the file of each format."""


def command(
    run: Annotated[Path, typer.Argument(help="A run directory made by `lossworks fit`.")],
    file: Annotated[
        Path | None,
        typer.Argument(help="The file to write, of hf and run a folder; ARPA is packed where its name ends in .gz.  [required]"),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="arpa: n-grams, for KenLM, SRILM. hf: a transformer, as Llama. onnx: any network. html: linear and bag as a "
            "page that answers by itself. js: as JavaScript. run: with --quantize.  "
            "[default: onnx, html, js for FILE.onnx, .html, .js, else arpa, with --quantize run]",
            show_default=False,
        ),
    ] = None,
    quantize: Annotated[
        bool,
        typer.Option(
            "--quantize",
            help="In few bytes, and what that changed: linear and bag as a run directory, others as ONNX in int8. "
            "A page or script always is.",
        ),
    ] = False,
    max_size: Annotated[
        str | None,
        typer.Option(
            "--max-size", help="The largest page, script or, with --quantize, run directory below this: 1MB.", show_default=False
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """A model in the form of other programs; `lossworks import` reads ARPA files and Llama directories back. Or in few bytes."""
    from ..api import load_text
    from ..core.errors import UsageError
    from ..interop.exporting import export, format_of
    from .progress import Watcher
    from .tables import say_notes

    if file is None:
        raise UsageError(f"which file is to be written? Name it: lossworks export {run} {_EXAMPLES.get(to or '', 'FOLDER')}")
    if quantize or format_of(file, to) in ("html", "js"):
        _quantize(run, file, to, max_size, json)
        return
    if max_size is not None or to == "run":
        raise UsageError(f"{'--to run' if max_size is None else '--max-size'} is for quantised models. Say --quantize too.")
    with Watcher(quiet or json) as watcher:
        said = export(load_text(run), file, to=to, watch=watcher)
    if json:
        print_json({"run": str(run), "file": str(file), "format": format_of(file, to), "notes": said})
    else:
        say_notes(said)
        print(file)


def _quantize(run: Path, file: Path, to: str | None, max_size: str | None, json: bool) -> None:
    from ..api import load_text
    from ..interop.quantizing import quantize
    from .paired import tell_paired
    from .tables import say_notes

    found = quantize(load_text(run), file, to=to, max_size=max_size)
    if json:
        print_json({"run": str(run), **found})
        return
    before, after = found["bytes"]
    kept = "; {1:,} of {0:,} features".format(*found["features"]) if "features" in found else ""
    times = f", {before / after:.1f} times smaller" if after < before else ""
    print(f"{file}: {before:,} → {after:,} bytes{times}{kept}")
    if found["held_out"] is None:
        say_notes([f"what that changed was not measured. {found['unmeasured']}"])
        print(f"Next:  lossworks evaluate {run} {file} DATA")
        return
    tell_paired(found["held_out"], f"On the test part of {run}")
    if found["format"] == "html":
        print(f"Next:  {opened(file)}")
