"""Directories as Hugging Face's hold them: tiny models of random weights, each with a tokenizer of its own kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

import lossworks

WORDS = ["a lovely great fine superb thing, number 0 1 2 3 4 5 6 7 8 9", "awful broken poor dreadful"]
TEXTS = ["a lovely thing", "", "awful ζ [SEP] 7", "poor " * 60, "great fine superb, number 3", "<|endoftext|>"]
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}


def rows(count: int = 60) -> list[tuple[str, str]]:
    """Rows of two classes that a word tells apart."""
    words = (["lovely", "great", "fine", "superb"], ["awful", "broken", "poor", "dreadful"])
    return [(f"a {words[i % 2][i // 2 % 4]} thing, number {i}", ("good", "bad")[i % 2]) for i in range(count)]


def bert(folder: Path, **more: Any) -> Path:
    """A BERT with its language modelling head, and WordPiece between [CLS] and [SEP]."""
    made = _wordpiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    config = transformers.BertConfig(vocab_size=made.get_vocab_size(), **SIZES, max_position_embeddings=24, **more)
    return _written(folder, transformers.BertForMaskedLM, config, made)


def roberta(folder: Path) -> Path:
    """A RoBERTa, whose places begin behind that of its padding."""
    made = _wordpiece(["<s>", "<pad>", "</s>", "<unk>"])
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    marks = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    config = transformers.RobertaConfig(vocab_size=made.get_vocab_size(), **SIZES, max_position_embeddings=26, **marks)
    return _written(folder, transformers.RobertaForMaskedLM, config, made)


def distilbert(folder: Path) -> Path:
    """A DistilBERT, whose head has two layers."""
    made = _wordpiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    sizes = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24, "max_position_embeddings": 24}
    config = transformers.DistilBertConfig(vocab_size=made.get_vocab_size(), **sizes)
    return _written(folder, transformers.DistilBertForMaskedLM, config, made)


def gpt2(folder: Path) -> Path:
    """A GPT-2, and byte-level BPE without marks."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made.train_from_iterator(
        WORDS,
        trainers.BpeTrainer(vocab_size=300, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False),
    )
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 24, "bos_token_id": 0, "eos_token_id": 0}
    config = transformers.GPT2Config(vocab_size=made.get_vocab_size(), **sizes)
    return _written(folder, transformers.GPT2LMHeadModel, config, made)


KINDS = {"bert": bert, "roberta": roberta, "distilbert": distilbert, "gpt2": gpt2}


def _wordpiece(specials: list[str]) -> Any:
    """Of the words above and all single letters and digits."""
    single = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = " ".join(WORDS).replace(",", " ,").split()
    names = dict.fromkeys([*specials, *words, *single, *(f"##{one}" for one in single)])
    unknown = next(mark for mark in specials if "unk" in mark.lower())
    made = Tokenizer(models.WordPiece({name: number for number, name in enumerate(names)}, unk_token=unknown))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return made


def _written(folder: Path, kind: Any, config: Any, made: Any) -> Path:
    torch.manual_seed(0)
    model = kind(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder)
    made.enable_truncation(5)  # as some come; whoever reads texts cuts and pads them
    made.enable_padding(length=9)
    made.save(str(folder / "tokenizer.json"))
    return folder


def fitted(folder: Path, rows: list[tuple[str, str]], out: Path | None = None, more: str = "", **choices: Any) -> Any:
    """The model that one epoch on ``rows`` makes of a directory."""
    return lossworks.fit(rows, model=f"hf_classifier:{folder}{more}", out=out, **{"epochs": 1, "lr": 0.003, **choices})
