"""A language model and its tokenizer as a directory of Hugging Face's: ours as Llama, one of transformers as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api import Language
from ..core.errors import UsageError
from ..models.hf.library import PREDICTS_END
from ..models.hf.model import NeuralHf
from ..record import write_atomic, write_json
from ..record.files import write_folder
from .llama import export_llama

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def export_hf(model: Language, path: Path) -> list[str]:
    """Write the directory, whole or not at all, and return what there is to know of it, in words."""
    network, tokenizer = model.model, model.tokenizer.library()

    def write(part: Path) -> None:
        network.write(part) if isinstance(network, NeuralHf) else export_llama(network, part)
        if tokenizer is not None:
            write_tokenizer(tokenizer, network, part)

    write_folder(path, write, "*config.json")
    if tokenizer is None:
        return ["its tokenizer has no form that Hugging Face's programs know, so it was left out: give them token numbers"]
    return []


def write_tokenizer(tokenizer: Tokenizer, model: Any, folder: Path) -> None:
    """Write its two files. ``AutoTokenizer`` then puts the start token first, as the model wants it; whether the model predicts
    the end token after a text, as such models seldom do, is said beside that.
    """
    from tokenizers.processors import TemplateProcessing

    size, vocabulary = tokenizer.get_vocab_size(), model.vocabulary
    if size > vocabulary.size:
        raise UsageError(f"the tokenizer has {size} tokens and the model {vocabulary.size}. Give the one it was trained with.")
    marks = {"bos_token": vocabulary.start, "eos_token": vocabulary.end, "unk_token": vocabulary.unknown}
    spelled = {name: tokenizer.id_to_token(number) for name, number in marks.items() if number is not None}
    named = {name: token for name, token in spelled.items() if token is not None}
    copy = type(tokenizer).from_str(tokenizer.to_str())
    if first := named.get("bos_token"):
        copy.post_processor = TemplateProcessing(single=f"{first} $A", special_tokens=[(first, vocabulary.start)])
    write_atomic(folder / "tokenizer.json", lambda file: copy.save(str(file)))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False, PREDICTS_END: model.ends}
    length = {} if model.context is None else {"model_max_length": model.context}
    write_json(folder / "tokenizer_config.json", about | length | named)
