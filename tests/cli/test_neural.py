"""Neural models of language from the command: whole runs, resume after a kill, torchrun, other programs' forms, bad input."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

import forks
import lossworks

from .conftest import REVIEWS, Command

Put = Callable[[str, str | bytes], Path]
TEXT = "".join(f"the {('cat', 'dog')[i % 2]} {i} sat on a mat, and {('purred', 'barked')[i % 2]}.\n" for i in range(120))
SMALL = {"transformer": "transformer:layers=1,heads=2,dim=16,context=32", "rnn": "rnn:layers=1,dim=16"}
QUICK = ["--task", "lm", "--steps", "12", "--batch-tokens", "256"]
STREAM = ["--tokenizer", "chars", "--document-unit", "file"]


@pytest.mark.parametrize(
    ("model", "tokens", "texts"),
    [
        ("transformer", "chars", "file"),
        ("transformer", "words", "line"),
        ("rnn", "bytes", "line"),
        ("rnn", "bpe:size=300", "file"),
    ],
)
def test_whole_run(command: Command, put: Put, model: str, tokens: str, texts: str) -> None:
    """Fit, score, next, generate, evaluate and report, with every kind of tokens."""
    corpus = put("corpus.txt", TEXT)
    ended = command(
        "fit", corpus, "--model", SMALL[model], *QUICK, "--tokenizer", tokens, "--document-unit", texts, "--out", "run"
    )
    assert ended.code == 0, ended.err
    assert "bits_per_byte" in ended.out
    assert {"run.json", "config.json", "tokenizer.json", "model.safetensors", "report.html"} <= {
        path.name for path in Path("run").iterdir()
    }
    assert not Path("run/checkpoints").exists()
    record = json.loads(Path("run/run.json").read_text())
    assert record["result"]["training"]["steps"] == 12
    assert record["result"]["training"]["peak_memory"] > 5e7  # bytes; PyTorch alone is more
    assert command("score", "run", "the cat sat").code == 0
    assert command("next", "run", "the cat", "--top", 3).out.count("\n") == 3
    assert command("generate", "run", "--prompt", "the", "--max-new-tokens", 5).out.startswith("the")
    other = put("other.txt", TEXT.upper())
    told = command("evaluate", "run", other)
    assert "nats_per_token" in told.out
    assert "A 5-gram model counted on the same tokens reaches" in told.out
    assert "counted" not in told.err
    told = command("evaluate", "run", corpus)
    assert ("A 5-gram model" in told.out, "of the very texts that are counted it knows each" in told.err) == (False, True)
    corpus.rename("elsewhere.txt")
    assert "the texts that it was trained on are not there" in command("evaluate", "run", other).err
    assert "counted" not in command("evaluate", "run", other, "-q").err
    page = Path("run/report.html").read_text()
    assert "Learning" in page
    assert record["config"]["dtype"] in page


@pytest.mark.parametrize(
    ("flags", "others"), [(["--steps", 2], "--steps"), (["--epochs", 1, "--steps", 2], "--steps and --epochs")]
)
def test_two_lengths(command: Command, put: Put, flags: list[object], others: str) -> None:
    """Minutes beside another length are refused, for they would be passed over."""
    ended = command("fit", put("a.txt", TEXT), "--task", "lm", "--model", "rnn", "--minutes", 1, *flags, "--out", "run")
    assert (ended.code, f"and so does {others}. Leave one of them out." in ended.err) == (2, True), ended.err
    assert not Path("run").exists()


def test_few_tokens_are_told_once(command: Command, put: Put) -> None:
    """A network with fewer training tokens than a small one has weights is told to count, once; no other is."""
    lines = ["fit", put("corpus.txt", TEXT), "--task", "lm", "--tokenizer", "words", "--out"]
    for name, rest in (("steps", ["--steps", 2]), ("minutes", ["--minutes", "0.02"])):
        ended = command(*lines, name, "--model", "rnn:layers=1,dim=64", *rest)
        assert re.search(  # as many as are said to be trained on
            r", ([\d,]+) tokens, [^$]*note   \1 training tokens are few for a network, .* has [\d,]+ weights\. ",
            ended.err,
        )
        assert ended.err.count("--model ngram") == 1
        assert Path(name, "report.html").read_text().count("training tokens are few") == 1
    for name, rest in (
        ("small", ["rnn:layers=1,dim=4", "--steps", 2]),
        ("ngram", ["ngram"]),
        ("on", ["--from", "steps", "--steps", 2]),
    ):
        ended = command(*lines, name, *(["--model"] if name != "on" else []), *rest)
        assert ended.code == 0, ended.err
        assert "are few for" not in ended.err


def test_time_is_kept_and_said(command: Command, put: Put) -> None:
    """With minutes alone, sizes and steps are chosen and said."""
    ended = command("fit", put("corpus.txt", TEXT), "--model", "transformer", "--task", "lm", "--tokenizer", "chars",
                    "--document-unit", "file", "--minutes", "0.05", "--out", "run")  # fmt: skip
    assert ended.code == 0, ended.err
    assert "weights, the " in ended.err
    assert re.search(r"training \d+ of \d+ steps", ended.err)
    config = json.loads(Path("run/run.json").read_text())["config"]
    assert config["model"].startswith("transformer:layers=")
    assert config["steps"] > 0


def _weights(run: str) -> dict[str, torch.Tensor]:
    return dict(lossworks.load(run).model.network.named_parameters())  # type: ignore[union-attr]


def _killed_at_its_second_checkpoint(*arguments: str) -> None:
    written = count(1)

    def look(event: str, about: tuple[Any, ...]) -> None:
        if event == "os.rename" and Path(about[1]).match("checkpoints/step-*") and next(written) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)
    forks.command(*arguments)


def test_killed_and_resumed(command: Command, put: Put, tmp_path: Path) -> None:
    """SIGKILL in the midst of it, dropout on and states carried; --resume ends in the bits of a run that was left alone."""
    model = "rnn:dim=16,dropout=0.2"
    corpus = put("corpus.txt", TEXT)
    fit = ["fit", str(corpus), "--model", model, "--task", "lm", *STREAM, "--dtype", "float32",
           "--steps", "40", "--batch-tokens", "128", "--quiet", "--checkpoint-every", "0.01", "--out"]  # fmt: skip
    assert command(*fit, "whole").code == 0
    killed = forks.begun(lambda: _killed_at_its_second_checkpoint(*fit, "killed"), tmp_path)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert json.loads(Path("killed/run.json").read_text())["status"] == "running"
    assert command(*fit, "killed", "--resume").code == 0
    whole, resumed = _weights("whole"), _weights("killed")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert "resume" in Path("killed/log.jsonl").read_text()


def _torchrun(processes: int, *arguments: str) -> None:
    """What torchrun does, with processes that are forked."""
    config = LaunchConfig(1, 1, processes, run_id="test", rdzv_backend="c10d", rdzv_endpoint="localhost:0", start_method="fork")
    elastic_launch(config, _one_of_several)(*arguments)


def _one_of_several(*arguments: str) -> None:
    """The command; then which threads of the group are left, that now and then abort a process that ends."""
    forks.as_program(lambda: forks.command(*arguments))
    names = [each.read_text() for each in Path("/proc/self/task").glob("*/comm")]
    Path(f"threads-{os.environ['RANK']}").write_text("".join(name for name in names if "gloo" in name))


def test_torchrun(command: Command, put: Put, tmp_path: Path) -> None:
    """Two processes leave one run, in the bits of one process with as many shards."""
    corpus = put("corpus.txt", TEXT)
    fit = ["fit", str(corpus), "--model", SMALL["transformer"], *QUICK, *STREAM, "--dtype", "float32",
           "--quiet", "--optimizer", "adamw:lr=0.003", "--out"]  # fmt: skip
    two = forks.begun(lambda: _torchrun(2, *fit, "two"), tmp_path)
    two.join()
    assert two.exitcode == 0, Path(forks.SAID).read_text()
    assert [Path(f"threads-{rank}").read_text() for rank in range(2)] == ["", ""]
    assert command(*fit, "one", "--shards", "4").code == 0
    one, both = _weights("one"), _weights("two")
    assert all(torch.equal(one[name], both[name]) for name in one)
    losses = [json.loads(Path(run, "run.json").read_text())["result"]["training"]["scores"] for run in ("one", "two")]
    assert losses[0] == losses[1]


def test_torchrun_of_what_is_counted(command: Command, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that one process trains is refused to several."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    ended = command("fit", put("corpus.txt", TEXT), "--model", "ngram", "--out", "run")
    assert ended.code == 2
    assert "trained by one" in ended.err


def test_export(command: Command, put: Put) -> None:
    """A Llama directory that transformers reads, back as a run with the same answers; ONNX; what does not fit is named."""
    corpus = put("corpus.txt", TEXT)
    assert command("fit", corpus, "--model", SMALL["transformer"], *QUICK, *STREAM, "--out", "run").code == 0
    assert command("export", "run", "llama", "--to", "hf").code == 0
    ended = command("import", "llama", "--out", "again")
    assert ended.code == 0, ended.err
    run, again = lossworks.load("run"), lossworks.load("again")
    np.testing.assert_allclose(run.score(["the cat"])[0].nats, again.score(["the cat"])[0].nats, atol=1e-5)  # type: ignore[union-attr]
    assert command("generate", "again", "--prompt", "the", "--max-new-tokens", 5).out == command(
        "generate", "run", "--prompt", "the", "--max-new-tokens", 5
    ).out  # fmt: skip
    assert command("report", "again").code == 0
    assert lossworks.export(run, "by-python", to="hf") == []
    assert Path("by-python/model.safetensors").read_bytes() == Path("llama/model.safetensors").read_bytes()
    third = lossworks.import_model("by-python", "third")
    np.testing.assert_array_equal(third.score(["the cat"])[0].nats, again.score(["the cat"])[0].nats)  # type: ignore[union-attr]
    assert "n-grams" in command("export", "run", "x.arpa").err
    assert "Did you mean 'onnx'" in command("export", "run", "x", "--to", "onx").err
    transformers = pytest.importorskip("transformers")
    ids = transformers.AutoTokenizer.from_pretrained("llama")("the cat")["input_ids"]
    assert ids == [run.tokenizer.vocabulary.start, *run.trained.encode(["the cat"]).ids.tolist()]  # type: ignore[union-attr]
    pytest.importorskip("onnxscript")
    assert command("export", "run", "model.onnx").code == 0  # as the file is called
    assert Path("model.onnx").stat().st_size > 1000


@pytest.mark.filterwarnings("ignore")
def test_hugging_face(command: Command, put: Put) -> None:
    """Of Hugging Face's: evaluated and generated from as it is, fitted further whole and by adapters, and exported."""
    pytest.importorskip("transformers")
    corpus = put("corpus.txt", TEXT)
    assert command("fit", corpus, "--model", SMALL["transformer"], *QUICK, *STREAM, "--out", "run").code == 0
    assert command("export", "run", "llama", "--to", "hf").code == 0
    ours = command("evaluate", "run", corpus, "--json").json["metrics"]["bits_per_byte"]["value"]
    theirs = command("evaluate", "hf:llama", corpus, "--json").json["metrics"]["bits_per_byte"]["value"]
    assert theirs == pytest.approx(ours, rel=1e-4)
    assert command("generate", "hf:llama", "--prompt", "the", "--max-new-tokens", 5).out.startswith("the")
    how = [corpus, "--document-unit", "file", "--steps", "30", "--batch-tokens", "256", "--lr", "0.003", "--loss", "focal"]
    for model, out in (("hf:llama", "further"), ("hf:llama,lora=2", "adapted")):
        if "lora" in model:
            pytest.importorskip("peft")
        ended = command("fit", *how, "--model", model, "--task", "lm", "--out", out)
        assert ended.code == 0, ended.err
        assert command("evaluate", out, corpus, "--json").json["metrics"]["bits_per_byte"]["value"] < ours
        assert command("score", out, "the cat").code == 0
    assert command("export", "further", "out", "--to", "hf").code == 0
    assert Path("out/model.safetensors").exists()


BAD: dict[str, tuple[Any, list[str], str]] = {
    "no UTF-8": (b"caf\xe9 " * 100, [], "utf-8"),
    "empty": ("", [], "no texts|empty|holds no|no rows"),
    "loss": (TEXT, ["--loss", "dpo"], "outcomes"),
    "loss's name": (TEXT, ["--loss", "focl"], "focal"),
    "dtype": (TEXT, ["--dtype", "float8"], "float32"),
    "minutes": (TEXT, ["--minutes", "-1"], "above 0"),
    "device": (TEXT, ["--device", "cuda:99"], "device"),
    "spec": (TEXT, ["--model", "transformer:dim=15"], "even width"),
    "no such directory": (TEXT, ["--model", "hf:nowhere/at/all"], "nowhere"),
    "no path": (TEXT, ["--model", "hf"], "hf:PATH"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(command: Command, put: Put, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is refused with exit code 2, what was got and what to do; no run is left behind."""
    text, flags, said = BAD[case]
    if "hf" in " ".join(flags):
        pytest.importorskip("transformers")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    ended = command(
        "fit", put("corpus.txt", text), "--task", "lm", "--model", SMALL["transformer"], "--steps", "2", *flags, "--out", "run"
    )
    assert ended.code == 2, ended.err
    assert re.search(said, ended.err, re.IGNORECASE), ended.err
    assert not Path("run").exists() or json.loads(Path("run/run.json").read_text())["status"] == "failed"


def test_short_corpus_and_long_prompt(command: Command, put: Put) -> None:
    """A text shorter than one context trains; a prompt longer than it is read in windows; unknown characters are said."""
    model = "transformer:layers=1,heads=2,dim=16,context=64"
    ended = command("fit", put("corpus.txt", "abc abd"), "--task", "lm", "--model", model,
                    *STREAM, "--steps", "3", "--out", "run")  # fmt: skip
    assert ended.code == 0, ended.err
    assert "no texts were held out" in ended.out
    assert command("generate", "run", "--prompt", "abc " * 100, "--max-new-tokens", 3).code == 0
    scored = command("score", "run", "zzz", "--json").json["texts"][0]
    assert [token["token"] for token in scored["tokens"]] == ["<unk>"] * 3


def test_damaged_model(command: Command, put: Put) -> None:
    """A cut file is refused with what to do."""
    assert command("fit", put("corpus.txt", TEXT), "--model", SMALL["rnn"], *QUICK, "--out", "run").code == 0
    path = Path("run/model.safetensors")
    path.write_bytes(path.read_bytes()[: os.path.getsize(path) // 2])
    ended = command("score", "run", "the")
    assert ended.code == 2
    assert "damaged" in ended.err


@pytest.mark.parametrize("flags", [[], ["--task", "classify"]])
def test_labels_take_the_encoder(command: Command, flags: list[str]) -> None:
    """Where texts have labels the family is its encoder, found by looking or told; what is for language alone is refused."""
    ended = command("fit", REVIEWS, "--model", "transformer:dim=16,heads=2", *flags, "--epochs", "1", "--out", "run")
    assert ended.code == 0, ended.err
    assert json.loads(Path("run/run.json").read_text())["config"]["model"].startswith("transformer_encoder:")
    assert command("predict", "run", "I love it").code == 0
    refused = command("fit", REVIEWS, "--model", "transformer", *flags, "--minutes", "1", "--out", "other")
    assert refused.code == 2
    assert "--minutes" in refused.err
