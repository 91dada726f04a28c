"""Models in the form of other programs: ARPA, a directory of Hugging Face's, ONNX."""

from __future__ import annotations

from pathlib import Path

from ..api import Language, Model
from ..core.errors import UnknownName, UsageError
from ..inference import NetworkPredictor
from ..models.language import Watch
from ..models.neural import NeuralModel
from .arpa import export_arpa
from .hugging_face import export_hf
from .onnx import export_onnx

FORMATS = ("arpa", "hf", "onnx", "html", "js", "run")
QUANTIZED = ("run", "onnx", "html", "js")
"""Those that ``quantize`` writes: all of them but ONNX are always quantised."""
_ENDS = {".onnx": "onnx", ".html": "html", ".js": "js", ".mjs": "js"}


def format_of(path: Path | str, to: str | None, usual: str = "arpa") -> str:
    """The format that is asked for; where none is, the one that the end of a path names, else the ``usual`` one."""
    return to or _ENDS.get(Path(path).suffix.lower(), usual)


def export(
    model: Language | Model, path: Path | str, *, to: str | None = None, watch: Watch = lambda event, fields: None
) -> list[str]:
    """Write a model from ``fit`` or ``load``; what there is to know of the outcome is returned in words.

    Args:
        path: a file, of "hf" a folder, replaced as a whole or not at all; an ARPA file is packed where it ends in ``.gz``.
        to: "arpa", n-grams as KenLM and SRILM read them; "hf", a directory that Hugging Face's transformers, and whatever takes
            such, reads: of a Transformer of ours Llama's; "onnx", networks for any runtime. None: as ``format_of`` the path.
        watch: of an ARPA file told ``("write", {"rows": n-grams done, "of": all})``.

    Raises:
        UsageError: the format does not hold such a model.
        RecordError: the place cannot be written.
    """
    to = format_of(path, to)
    if to not in FORMATS:
        raise UnknownName("format", to, FORMATS)
    if to in QUANTIZED and to != "onnx":
        call = f"lossworks.quantize(model, {str(path)!r})"
        raise UsageError(f"the format {to!r} holds a quantised model. {call} writes it, and tells what that changed.")
    if to == "arpa":
        export_arpa(model, Path(path), watch)
        return []
    kind = model.record.get("config", {}).get("model", "of another kind")
    network = model.model if isinstance(model, Language) else model.predictor
    if to == "onnx":
        if not isinstance(network, NeuralModel | NetworkPredictor):
            raise UsageError(f"an ONNX file holds networks, and the model is {kind}. ARPA files hold n-grams: --to arpa.")
        export_onnx(network, Path(path))
        return []
    if not isinstance(model, Language) or not isinstance(network, NeuralModel):
        raise UsageError(f"a directory of Hugging Face's holds causal language models, and the model is {kind}. Try --to onnx.")
    return export_hf(model, Path(path))
