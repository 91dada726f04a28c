"""Models of language in use, from the command: texts drawn as they come, pages of scored texts, models side by side."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from api.language import neural
from lossworks.api import Language, Model

from .conftest import REVIEWS, SMALL, Command

Put = Callable[[str, str | bytes], Path]
TEXT = "".join(f"the {('cat', 'dog')[i % 2]} {i} sat on a mat, é电 {('purred', 'barked')[i % 2]}.\n" for i in range(120))


@pytest.fixture
def run(command: Command, put: Put) -> str:
    """The directory of a small run over bytes."""
    ended = command(
        "fit", put("corpus.txt", TEXT), "--task", "lm", "--model", "ngram:order=5", "--tokenizer", "bytes", "--out", "run"
    )
    assert ended.code == 0, ended.err
    return "run"


class Spans(HTMLParser):
    """What each coloured token is titled and holds, and every tag."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        title = dict(attrs).get("title")
        self._inside = tag == "span" and title is not None
        if self._inside:
            self.found.append((str(title), ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[-1] = (self.found[-1][0], self.found[-1][1] + data)


def test_page(command: Command, run: str) -> None:
    """One file that loads nothing, light and dark, each token titled with its surprisal; what texts hold stays text."""
    text = "the cat <script>alert('x')</script> & \"é\""
    ended = command("score", run, text, "", "--html", "page.html")
    assert ended.out == "page.html\n"
    page = Path("page.html").read_text()
    told = command("score", run, text, "--json").json["texts"][0]
    spans = Spans(page)
    shown = spans.found[: len(told["tokens"]) - 1]  # the two bytes of a letter are shown as one
    assert "".join(body for _, body in shown) == text + "</s>"
    titles = " · ".join(title for title, _ in shown).split(" · ")
    for title, token in zip(titles, told["tokens"], strict=True):
        assert f"{token['bits']:.2f} bits, probability {token['probability']:.3g}" in title
    assert "the word 'cat':" in shown[5][0]
    assert "<script" not in page
    assert not {"script", "img", "iframe"} & set(spans.tags)
    assert "prefers-color-scheme: dark" in page
    assert not [word for word in ("http:", "https:", "@import") if word in page.lower()]
    assert command("score", run, "caf\udce9", "--html", "c.html").code == 0
    assert command("score", run, text, "--html", "none/page.html").code == 2
    assert command("score", run, text, "--html", "b.html", "--json").json["page"] == "b.html"


def test_score_reads_texts_as_the_model_does(command: Command, put: Put) -> None:
    """A blank line is no text; a model of a whole file takes a file for one text."""
    corpus = put("corpus.txt", TEXT)
    lines = put("lines.txt", "the cat\n\nthe dog\n")
    for kind, count in (("line", 2), ("paragraph", 2), ("file", 1)):
        command(
            "fit",
            corpus,
            "--task",
            "lm",
            "--model",
            "ngram:order=3",
            "--tokenizer",
            "chars",
            "--document-unit",
            kind,
            "--out",
            kind,
            "-q",
        )
        assert len(command("score", kind, lines, "--json").json["texts"]) == count


def test_prompts(command: Command, put: Put, run: str) -> None:
    """Several prompts, given singly, in a file or by stdin, each with its samples; what is printed is what JSON has."""
    put("prompts.txt", "the cat\n\nthe dog\n")
    flags = [
        "--prompt",
        "a",
        "--prompts",
        "prompts.txt",
        "--samples",
        2,
        "--max-new-tokens",
        12,
        "--stop",
        "mat",
        "--min-p",
        0.1,
        "--seed",
        3,
    ]
    told = command("generate", run, *flags, "--json").json
    assert [each["prompt"] for each in told["prompts"]] == ["a", "the cat", "the dog"]
    texts = [text for each in told["prompts"] for text in each["samples"]]
    assert len(texts) == 6
    assert not [text for text in texts if "mat" in text]
    assert command("generate", run, *flags).out == "\n\n".join(texts) + "\n"
    alone = command("generate", run, "--prompt", "the dog", *flags[4:], "--json").json
    assert alone["prompts"][0] == told["prompts"][2]
    piped = command("generate", run, "--prompts", "-", "--max-new-tokens", 3, "--json", stdin="the\n电\n".encode())
    assert [each["prompt"] for each in piped.json["prompts"]] == ["the", "电"]


class Terminal(io.StringIO):
    """What a terminal is told, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.written.append(text)
        return len(text)


def test_stream(command: Command, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal is told token by token, of whole characters only."""
    whole = command("generate", run, "--prompt", "the", "--max-new-tokens", 60, "--temperature", 0).out
    assert "é电" in whole
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        command("generate", run, "--prompt", "the", "--max-new-tokens", 60, "--temperature", 0)
    assert "".join(terminal.written) == whole
    assert terminal.written[:3] == ["the", " ", whole[4]]
    assert {"é", "电"} <= set(terminal.written)


def test_beyond_the_context(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """That a prompt is longer than the context is said on stderr, once, and only then."""
    monkeypatch.setattr("lossworks.api.load_language", lambda run: neural(context=16))
    long = command("generate", "run", "--prompt", "the cat sat on a mat", "--prompt", "the", "--max-new-tokens", 3)
    assert long.err.count("context of 16 tokens") == 1
    assert "1 of 2 prompts are longer" in long.err
    assert "by 5 tokens" in long.err
    assert command("generate", "run", "--prompt", "the cat", "--max-new-tokens", 3).err == ""
    assert command("generate", "run", "--prompt", "the cat sat on a mat", "--max-new-tokens", 3, "--quiet").err == ""
    assert "the prompt is longer" in command("next", "run", "the cat sat on a mat").err


def test_side_by_side(command: Command, put: Put, run: str) -> None:
    """Runs of other tokens in one table, ordered by bits a byte, with its readings; one run is told of as ever."""
    other = put("other.txt", TEXT.replace("on", "in").replace("barked", "slept"))
    for tokens in ("words", "chars"):
        command("fit", "corpus.txt", "--task", "lm", "--model", "ngram:order=2", "--tokenizer", tokens, "--out", tokens, "-q")
    ended = command("evaluate", run, "words", "chars", other)
    assert ended.code == 0, ended.err
    told = command("evaluate", run, "words", "chars", other, "--json").json
    lines = ended.out.splitlines()
    assert "ordered by bits/byte" in lines[0]
    assert all(name in lines[1] for name in ("bits/byte", "bits/character", "nats/token", "perplexity", "of tokens"))
    assert [line.split()[0] for line in lines[2:8:2]] == [row["run"] for row in told["runs"]]
    for line, row in zip(lines[2:8:2], told["runs"], strict=True):
        assert line.split()[-1] == row["tokenizer_spec"]
        assert f"{row['metrics']['bits_per_byte']['value']:.4f}" in line
    assert "Perplexity and nats/token compare only between models of the same tokens." in ended.out
    assert "an unknown token is charged 8 for each of its bytes" in ended.out
    assert "To words more than 5% of the tokens are unknown, so the best is sought among the others." in ended.out
    command("fit", "corpus.txt", "--task", "lm", "--model", "ngram:order=1", "--out", "other", "-q")
    alike = command("evaluate", "words", "other", other).out
    assert "so none is called the best" in alike
    assert alike.splitlines()[1].split()[1:4] == ["above", "the", "first"]
    assert "unigram model" in command("evaluate", run, other).out
    assert command("evaluate", run, "corpus.txt").err.count("trained on rows") == 1
    assert "run was trained on rows" in command("evaluate", run, "chars", "corpus.txt").err
    own = command("evaluate", run, "chars")
    assert re.match(r"the test part of .*corpus.txt: 422 characters", own.out)
    assert "was trained on" not in own.err
    assert command("evaluate", run).out.startswith("the test part of ")


def test_two_tokenizers_of_one_name(command: Command, put: Put, run: str) -> None:
    """Tokenizers made by one spec from other texts are told apart; their perplexities do not compare."""
    put("more.txt", TEXT.replace("cat", "horse"))
    for name in ("corpus", "more"):
        command(
            "fit", f"{name}.txt", "--task", "lm", "--model", "ngram:order=2", "--tokenizer", "bpe:size=280", "--out", name, "-q"
        )
    out = command("evaluate", "corpus", "more", put("other.txt", TEXT.replace("on", "in"))).out
    assert out.count("bpe:size=280 (") == 2
    assert "compare only" in out


def test_mean_losses(command: Command, fitted: Path, run: str) -> None:
    """Every loss named has a line with its interval and the baseline's; one that does not fit is refused, and says why."""
    flags = ("--loss", "cross_entropy", "--loss", "focal:gamma=2+1e-3*z_loss")
    out = command("evaluate", fitted, REVIEWS, *flags).out
    told = command("evaluate", fitted, REVIEWS, *flags, "--json").json
    assert told["losses"]["metrics"]["cross_entropy"] == pytest.approx(told["metrics"]["nll"])
    (table,) = re.findall(r"^Mean loss\n(.*\n.*\n.*\n)", out, re.M)
    for each in (table.splitlines()[1].split()[0], table.splitlines()[2].split()[0]):
        assert each in flags
    assert "constant baseline" in table
    assert f"{told['losses']['metrics'][flags[3]]['value']:.4f}" in table
    refused = command("evaluate", fitted, REVIEWS, "--loss", "huber")
    assert refused.code == 2
    assert "it is not over outcomes. Losses that are: asymmetric" in refused.err
    assert "Mean loss" in command("evaluate", run, "corpus.txt", "--loss", "focal").out


def test_classifiers_side_by_side(command: Command, fitted: Path, run: str) -> None:
    """Classifiers of the same labels in one table; beside a model of language they are refused."""
    command("fit", REVIEWS, "--out", "second", *SMALL, "--seed", 1, "-q")
    ended = command("evaluate", fitted, "second", REVIEWS)
    assert "accuracy" in ended.out
    assert "second" in ended.out
    told = command("evaluate", fitted, "second", REVIEWS, "--json").json
    alone = command("evaluate", "second", REVIEWS, "--json").json
    assert told["runs"][1]["metrics"] == alone["metrics"]
    assert "nothing compares" in command("evaluate", fitted, run, REVIEWS).err
    assert "language models" in command("evaluate", fitted, "second", REVIEWS, "--stride", 2).err
    assert "--loss is of one model" in command("evaluate", fitted, "second", REVIEWS, "--loss", "focal").err
    assert json.loads(command("evaluate", fitted, run, REVIEWS, "--json").out)["exit_code"] == 2


def test_answers_are_printed_as_they_come(
    command: Command, put: Put, run: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A block of texts is on stdout before the next one is read by the model, so that none has to be held."""
    assert command("fit", REVIEWS, *SMALL, "--out", "labels").code == 0
    seen = list[str]()

    def watched(ask: Callable[[Any, list[str]], Any]) -> Callable[[Any, list[str]], Any]:
        def asking(self: Any, texts: list[str]) -> Any:
            seen.append(capfd.readouterr().out)
            return ask(self, texts)

        return asking

    monkeypatch.setattr(Language, "score", watched(Language.score))
    monkeypatch.setattr(Model, "predict_proba", watched(Model.predict_proba))
    for verb in (("score", run), ("score", run, "--by", "word"), ("predict", "labels")):
        seen.clear()
        assert command(*verb, "cat", "dog").code == 0
        assert ("cat" in seen[0], "cat" in seen[1]) == (False, True)
