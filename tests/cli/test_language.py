"""Models of language from the command: whole runs with every kind of tokens, JSON, bad input, what verbs refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import REVIEWS, Command, csv_of, reviews

Put = Callable[[str, str | bytes], Path]
TEXT = "".join(f"the {('cat', 'dog')[i % 2]} {i} sat on a mat, and {('purred', 'barked')[i % 2]}.\n" for i in range(120))
NGRAM = ["--model", "ngram:order=3"]


@pytest.fixture
def run(command: Command, put: Put) -> Path:
    """The directory of a small finished run."""
    ended = command("fit", put("corpus.txt", TEXT), *NGRAM, "--out", "run", "--quiet")
    assert ended.code == 0, ended.err
    return Path("run").absolute()


@pytest.mark.parametrize("tokens", ["words", "words:min_count=2,lower=true", "chars", "bytes", "bpe:size=300"])
@pytest.mark.parametrize("texts", ["line", "file"])
def test_whole_run(command: Command, put: Put, tokens: str, texts: str) -> None:
    """Fit, score, next, generate, explain, evaluate and report, with every kind of tokens."""
    corpus = put("corpus.txt", TEXT)
    ended = command("fit", corpus, *NGRAM, "--tokenizer", tokens, "--document-unit", texts, "--out", "run")
    assert ended.code == 0, ended.err
    assert "bits_per_byte" in ended.out
    assert "unigram model" in ended.out
    assert "lm: a language model" in ended.err
    assert {"run.json", "config.json", "tokenizer.json", "model.safetensors", "report.html"} <= {
        p.name for p in Path("run").iterdir()
    }
    heads, *scored = [line.split("\t") for line in command("score", "run", "the cat sat", "zebra").out.splitlines()]
    assert heads == ["bits", "perplexity", "text"]
    assert [line[2] for line in scored] == ["the cat sat", "zebra"]
    assert float(scored[0][1]) < float(scored[1][1])
    for table in ("word", "token"):
        lines = [line.split("\t") for line in command("score", "run", "the cat sat", "zebra", "--by", table).out.splitlines()]
        first = [float(line[lines[0].index("bits")]) for line in lines[1:] if line[0] == "1"]
        assert sum(first) == pytest.approx(float(scored[0][0]), abs=1e-3)
    assert command("next", "run", "the cat", "--top", 3).out.count("\n") == 3
    assert command("generate", "run", "--prompt", "the", "--max-new-tokens", 5).out.startswith("the")
    ended = command("explain", "run", "the cat")
    assert ended.out.startswith("text\tpart")
    assert "text 1: " in ended.err
    assert "left over" in ended.err
    assert "nats_per_token" in command("evaluate", "run", corpus).out
    page = Path("run/report.html").read_text()
    assert all(word in page for word in ("Bits per byte", "Most and least surprising", "Samples from the model"))
    assert command("report", "run").code == 0
    assert Path("run/report.html").read_text() == page


def test_json(command: Command, put: Put) -> None:
    """Every verb prints one object, with the figures' intervals."""
    corpus = put("corpus.txt", TEXT)
    fit = command("fit", corpus, *NGRAM, "--out", "run", "--json").json
    metrics = fit["result"]["metrics"]
    assert list(metrics) == ["nats_per_token", "perplexity", "bits_per_byte", "accuracy", "unknown_rate"]
    assert all(metric["low"] <= metric["value"] <= metric["high"] for metric in metrics.values())
    assert (fit["task"], fit["config"]["tokenizer"], fit["status"]) == ("lm", "words", "finished")
    score = command("score", "run", "the cat", "--json").json
    assert [each["token"] for each in score["texts"][0]["tokens"]] == ["the", "cat", "</s>"]
    assert score["texts"][0]["logp"] == pytest.approx(-sum(each["nats"] for each in score["texts"][0]["tokens"]))
    assert score["perplexity"] == pytest.approx(score["texts"][0]["perplexity"])
    assert score["bits"] == pytest.approx(sum(each["bits"] for each in score["texts"][0]["words"]))
    assert score["nats"] == pytest.approx(-score["texts"][0]["logp"])
    drawn = command("generate", "run", "--samples", 2, "--json").json
    assert [len(each["samples"]) for each in drawn["prompts"]] == [2]
    assert drawn == command("generate", "run", "--samples", 2, "--json").json
    beams = command("generate", "run", "--prompt", "the", "--beam", 3, "--samples", 2, "--no-repeat-ngram", 1, "--json").json
    assert len({*beams["prompts"][0]["samples"]}) == 2
    choices = ["generate", "run", "--prompt", "the", "--choice", " stone", "--choice", " cat"]
    assert command(*choices).out.splitlines()[0].endswith("\tthe cat")
    told = command(*choices, "--json").json["prompts"][0]["choices"]
    assert [each["text"] for each in told] == [" cat", " stone"]
    assert sum(each["probability"] for each in told) == pytest.approx(1)
    following = command("next", "run", "the", "--json").json["next"]
    assert sum(each["probability"] for each in following) <= 1 + 1e-9
    assert {"cat", "dog"} == {each["token"] for each in following[:2]}
    (explained,) = command("explain", "run", "the cat", "--json").json["explanations"]
    assert explained["value"] == pytest.approx(score["bits"])
    told = explained["details"]
    assert sum(order["share"] for order in told[1]["orders"]) == pytest.approx(told[1]["probability"])
    assert told[1]["orders"][2]["context"] == ["the"]
    assert command("evaluate", "run", corpus, "--json").json["trained_on"] is True


def test_tables_and_stdin(command: Command, put: Put) -> None:
    """Text from a column of a table and from stdin; with labels it is classes, unless told otherwise."""
    table = put("reviews.csv", csv_of(reviews()))
    as_classes = command("fit", table, *NGRAM, "--out", "classes", "--json").json
    assert as_classes["task"] == "classify"
    assert as_classes["result"]["metrics"]["accuracy"]["value"] == 1.0
    as_language = command("fit", table, *NGRAM, "--task", "lm", "--out", "language", "--json").json
    assert (as_language["task"], as_language["data"]["text_column"]) == ("lm", "text")
    piped = command("fit", "-", "--task", "lm", "--out", "piped", "--json", stdin=TEXT.encode())
    assert piped.json["config"]["model"] == "ngram"


def test_config_file(command: Command, put: Put) -> None:
    """A TOML file spells the settings, flags win over it, an unknown key is an error."""
    corpus, config = put("corpus.txt", TEXT), put("fit.toml", 'model = "ngram:order=2"\ntokens = "chars"\nseed = 3\n')
    fit = command("fit", corpus, "--config", config, "--tokenizer", "bytes", "--out", "run", "--json").json
    assert (fit["config"]["model"], fit["config"]["tokenizer"], fit["config"]["seed"]) == ("ngram:order=2", "bytes", 3)
    assert "penalty" in command("fit", corpus, "--config", put("b.toml", 'task = "lm"\npenalty = "l1"\n')).err


def test_folds_win_over_the_file(command: Command, put: Put) -> None:
    """--folds is in the place of a TOML file's share of test rows, whatever that is; both as flags are refused."""
    for share in (0.1, 0.3):
        config = put("fit.toml", f'model = "naive_bayes"\ntest = {share}\n')
        record = command("fit", REVIEWS, "--config", config, "--folds", 2, "--out", f"run{share}", "--json").json
        assert (record["config"]["test"], record["data"]["parts"]["test"], record["result"]["rows"]) == (0.0, 0, 656)
    refused = command("fit", REVIEWS, "--config", config, "--folds", 2, "--test", 0.1, "--out", "both")
    assert "--test does not go with --folds" in refused.err


def test_classes(command: Command) -> None:
    """Classes by language models flow as any classifier: predict, evaluate, report, and an explanation by tokens."""
    assert command("fit", REVIEWS, "--model", "ngram:order=2", "--tokenizer", "words", "--out", "run", "-q").code == 0
    assert command("predict", "run", "I love it, wonderful!").out.splitlines()[1].startswith("positive")
    assert "accuracy" in command("evaluate", "run", REVIEWS).out
    (explained,) = command("explain", "run", "wonderful", "--json").json["explanations"]
    assert explained["details"][0]["token"] == "wonderful"
    assert explained["details"][0]["evidence"]["positive"] > 0 > explained["details"][0]["evidence"]["negative"]
    assert "ngram:order=2 model" in Path("run/report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "plain.txt", "--model", "linear"], "--task lm"),
        (["fit", "texts.jsonl"], "--task lm"),
        (["fit", "empty.txt", *NGRAM], "is empty"),
        (["fit", "blank.txt", *NGRAM], "no rows"),
        (["fit", "nul.txt", *NGRAM], "NUL byte"),
        (["fit", "latin.txt", *NGRAM], "--encoding cp1252"),
        (["fit", "missing.txt", *NGRAM], "no file"),
        (["fit", "corpus.txt", "--model", "ngram:order=0"], "order is 0"),
        (["fit", "corpus.txt", "--model", "ngram:ordr=2"], "Did you mean 'order'"),
        (["fit", "corpus.txt", *NGRAM, "--class-weight", "balanced"], "--class-weight is for classifiers"),
        (["fit", "corpus.txt", *NGRAM, "--tokenizer", "none.json"], "none.json"),
        (["fit", "corpus.txt", *NGRAM, "--tokenizer", "corpus.json"], "damaged, or no tokenizer"),
        (["fit", "corpus.txt", *NGRAM, "--memory", "2X"], "wanted bytes"),
        (["predict", "run", "a"], "lossworks score"),
        (["landscape", "run"], "language model"),
        (["score", "classes", "a"], "lossworks predict"),
        (["next", "run", "a", "--top", "0"], "top is 0"),
        (["generate", "run", "--temperature", "-1"], "temperature is -1"),
        (["generate", "run", "--samples", "0"], "samples is 0"),
        (["generate", "run", "--min-p", "1.5"], "min_p is 1.5"),
        (["generate", "run", "--stop", ""], "not empty"),
        (["generate", "run", "--beam", "2", "--top-k", "3"], "beam search draws nothing"),
        (["generate", "run", "--beam", "2", "--samples", "3"], "a beam of 2 finds no more than 2"),
        (["generate", "run", "--choice", "a"], "two or more texts"),
        (["generate", "run", "--choice", "a", "--choice", "b", "--samples", "2"], "--choice draws nothing"),
        (["generate", "run", "--prompts", "none.txt"], "none.txt"),
        (["score", "run", "a", "--by", "sentence"], "sentence"),
        (["evaluate", "run", "corpus.txt", "--stride", "4"], "no context"),
        (["evaluate", "corpus.txt"], "one run directory or more"),
        (["evaluate", "run", "run", "corpus.txt"], "named twice"),
    ],
)
def test_bad_input(command: Command, put: Put, arguments: list[str], words: str) -> None:
    """Each is exit code 2 and one sentence with the remedy; no half-made run is left."""
    for name, content in (
        ("corpus.txt", TEXT),
        ("empty.txt", ""),
        ("blank.txt", "\n \n"),
        ("nul.txt", "a\0b\n"),
        ("corpus.json", "{}"),
    ):
        put(name, content)
    put("plain.txt", TEXT.replace(",", ""))
    put("texts.jsonl", '{"text": "a b"}\n{"text": "c"}\n')
    put("latin.txt", "caf\xe9\n".encode("latin-1"))
    if arguments[1] == "run":
        command("fit", "corpus.txt", *NGRAM, "--out", "run", "-q")
    if arguments[1] == "classes":
        command("fit", put("r.csv", csv_of(reviews())), "--out", "classes", "-q", "--epochs", "1")
    ended = command(*arguments, *(["--out", "new"] if arguments[0] == "fit" else []))
    assert ended.code == 2
    assert words in ended.err, ended.err
    assert not Path("new").exists()


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "unigrams.safetensors", "run.json"])
@pytest.mark.parametrize("spoil", ["missing", "empty", "cut", "other"])
def test_damaged_run(command: Command, run: Path, name: str, spoil: str) -> None:
    """Any file of a run that is missing or damaged is named."""
    path = run / name
    whole = path.read_bytes()
    path.unlink()
    if spoil != "missing":
        path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "other": b'{"format": 1}'}[spoil])
    ended = command("score", "run", "a")
    assert ended.code == 2, ended.out
    assert f"run/{name}" in ended.err


def test_terminal_colours(command: Command, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal each token is shown with its spaces, and the sums below; no text steers the screen."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    ended = command("score", "run", "the cat sat")
    assert "\x1b[" in ended.out
    assert re.sub(r"\x1b\[[\d;]*m", "", ended.out).splitlines()[0].split() == ["the", "cat", "sat", "</s>"]
    assert re.search(r"[\d.]+ bits in 3 words \([\d.]+ a word\), perplexity [\d.]+ over 4 tokens", ended.out)
    for arguments in (["score", "run", "cat\x1b[2J"], ["score", "run", "cat\x1b[2J", "--by", "word"]):
        assert "\x1b[2J" not in command(*arguments).out
    words = command("score", "run", "the  zebra", "--by", "word").out
    assert "'<unk>'" in words
    assert "zebra" in words


def test_list_and_show(command: Command) -> None:
    """The new families are told of like the others."""
    listed = command("list", "models", "--json").json["models"]
    assert {"ngram", "hmm"} <= {member["name"] for member in listed}
    shown = json.dumps(command("show", "ngram:order=2", "--json").json)
    assert "Chen & Goodman" in shown


def test_a_text_that_ends_at_once(command: Command, put: Put) -> None:
    """Where nothing is drawn after the beginning it is said why, but not where something is, is asked for, or is stopped."""
    corpus = put("lines.txt", "a b\nc d e\n" * 50)
    assert command("fit", corpus, "--task", "lm", "--tokenizer", "words", "--out", "run", "-q").code == 0
    ended = command("generate", "run", "--prompt", "a b", "--temperature", 0)
    assert ended.out == "a b\n"
    assert "nothing was drawn, for the model took the text to be at its end. To it a text is a line." in ended.err
    assert "--document-unit file" in ended.err
    for more in (["-q"], ["--json"], ["--stop", " "], ["--prompt", "a"]):
        assert not command("generate", "run", "--prompt", "a b", "--temperature", 0, *more).err
