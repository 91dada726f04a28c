"""Language models that teach language models: what they are asked, what is learned from them, and what is refused."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lossworks
from lossworks.core.errors import LossworksError
from lossworks.data.layouts import Lanes, Layout, Packed, Positions, Windows
from lossworks.losses import build
from lossworks.models import LanguageModel
from lossworks.models.neural import causal_lm
from lossworks.models.ngram import NgramSpec
from lossworks.models.pool import FLOOR, PoolModel, Rule, UniformSpec
from lossworks.models.rnn import RnnSpec
from lossworks.models.transformer import TransformerSpec
from lossworks.scores import Fused
from lossworks.training.sequences import train_sequences
from lossworks.training.token_teacher import TokenTeacher
from lossworks.training.tokens import TokenObjective

from .test_neural_training import VOCABULARY, lines, stream
from .test_sequences import VOCABULARY as FEW
from .test_sequences import Bigram, V
from .test_sequences import texts as some

TEXT = "".join(f"the {('cat', 'dog')[i % 2]} {i} sat on a {('mat', 'rug')[i % 3 % 2]}.\n" for i in range(150))
SMALL = "transformer:layers=1,heads=2,dim=16,context=32"
QUICK: dict[str, Any] = {"model": SMALL, "steps": 4, "dtype": "float32", "valid": 0.2, "test": 0.1}


@cache
def ngram(*, ends: bool) -> LanguageModel:
    """Knows three tokens back."""
    return NgramSpec(order=4).fit(lines(60), VOCABULARY, ends=ends)


@cache
def pool() -> LanguageModel:
    """With the n-gram model, what knows nothing."""
    sources = [(NgramSpec(), ngram(ends=True)), (UniformSpec(), UniformSpec().made(VOCABULARY, True))]
    return PoolModel(sources, Rule("linear", np.array([0.7, 0.3])))


LAYOUTS: dict[str, Layout] = {
    "lines": Windows(Positions.of(lines(60), VOCABULARY, True), 5),
    "cut": Windows(Positions.of(stream(900), VOCABULARY, False), 16, 3),
    "packed": Packed(Positions.of(lines(60), VOCABULARY, True), 16, 3),
    "lanes": Lanes(Positions.of(stream(900), VOCABULARY, False), 8, 3, 3),
}


@pytest.mark.parametrize("which", LAYOUTS)
def test_asked_of_a_step_as_of_the_whole_texts(which: str) -> None:
    """At the positions of a step's rows it says what it says of them in their texts, wherever the rows are cut; and the positions
    are those of the tokens that the network gets.
    """
    layout = LAYOUTS[which]
    texts, ends = layout.positions.texts, layout.positions.end is not None
    model = pool() if which == "packed" else ngram(ends=ends)
    whole, stands = model.distributions(texts), model.targets(texts)
    for epoch in (0, 1):
        for rows in layout.steps(40, epoch):
            taken = layout.take(rows, epoch)
            at = layout.places(rows, epoch)[0][taken.inside.numpy()]
            assert stands[at].tolist() == taken.ids[taken.inside].tolist()
            found = TokenTeacher(model, layout).scores(rows, epoch, taken)
            np.testing.assert_allclose(found.log_probabilities, np.maximum(whole[at], FLOOR), atol=1e-5)


@pytest.mark.parametrize("spec", [TransformerSpec(layers=1, heads=2, dim=8, context=64), RnnSpec(layers=1, dim=8)])
def test_a_network_reads_what_stands_before_a_row(spec: Any) -> None:
    """At a text's start it says what it says of the text; further on it has read 16 tokens before the row, and no more."""
    layout = LAYOUTS["cut"]
    texts = layout.positions.texts
    model = spec.sequence_network(texts, VOCABULARY, ends=False, seed=1).model()
    rows, positions = np.arange(len(layout)), model.distributions(texts)
    at = layout.places(rows, 0)[0]
    first = int(np.argmin(at[:, 0]))
    found = TokenTeacher(model, layout).scores(rows, 0, layout.take(rows, 0)).log_probabilities.view(len(rows), 16, -1)
    cut = texts.ids[max(at[first, 0] - 16, 0) : at[first, 0] + 16].astype(np.uint32)
    alone = model.distributions(type(texts)(cut, np.array([0, len(cut)])))[-16:]
    np.testing.assert_allclose(found[first], alone, atol=1e-4)
    if at[first, 0] <= 16:
        np.testing.assert_allclose(found[first], positions[at[first]], atol=1e-4)


@pytest.mark.parametrize(
    "loss", ["0.3*cross_entropy+0.7*forward_kl:temperature=2", "0.5*cross_entropy+0.5*jensen_shannon", "reverse_kl"]
)
def test_the_losses_of_a_step_by_hand(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From whole distributions and on fused scores alike, with the same gradient; what the teacher holds impossible is finite."""
    layout, spec = LAYOUTS["packed"], TransformerSpec(layers=1, heads=2, dim=8, context=16)
    network = spec.sequence_network(layout.positions.texts, VOCABULARY, seed=1)
    made: Any = build(loss)
    objective = TokenObjective(network, made, layout, None, 40, 40, 0, TokenTeacher(pool(), layout))
    seen = []
    for few in (1 << 20, 0):
        monkeypatch.setattr(causal_lm, "_FEW", few)
        (batch,) = objective.micro_batches(np.arange(2), 0, 40)
        assert isinstance(network.scores(*batch), Fused) is (few == 0)
        values = objective.losses(batch).values
        network.zero_grad()
        values.sum().backward()
        seen.append([values.detach(), *(p.grad.clone() for p in network.parameters() if p.grad is not None)])
    for one, other in zip(*seen, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    monkeypatch.setattr(causal_lm, "_FEW", 1 << 20)
    p, q = network.scores(batch[0]).logits.log_softmax(-1), batch[1].log_probabilities
    target = batch[0].ids[batch[0].inside]
    surprise = -p.gather(-1, target[:, None])[:, 0]
    if "temperature" in loss:
        soft, softened = (p / 2).log_softmax(-1), (q / 2).log_softmax(-1)
        wanted = 0.3 * surprise + 0.7 * 4 * (softened.exp() * (softened - soft)).sum(-1)
    elif "jensen" in loss:
        m = ((p.exp() + q.exp()) / 2).log()
        wanted = 0.5 * surprise + 0.25 * ((p.exp() * (p - m)).sum(-1) + (q.exp() * (q - m)).sum(-1))
    else:
        wanted = (p.exp() * (p - q)).sum(-1)
    torch.testing.assert_close(seen[0][0], wanted.detach(), atol=1e-4, rtol=1e-4)
    assert seen[0][0].isfinite().all()


def test_a_student_comes_to_say_what_its_teacher_says() -> None:
    """A table of which token follows which, taught alone by a model that counts them, ends as that model."""
    texts = some([60] * 20)
    teacher = NgramSpec(order=2).fit(texts, FEW)
    network = Bigram()
    train_sequences(network, texts, FEW, teacher=teacher, loss="forward_kl", optimizer="adam:lr=0.1", epochs=150, window=64)
    for token in range(3, V):
        found = network.table.weight[:, token].log_softmax(0).exp().detach().numpy()
        np.testing.assert_allclose(found, np.exp(teacher.next(teacher.advance(teacher.start(), token))), atol=0.01)


def _fit(folder: Path, name: str, data: Any = TEXT, **how: Any) -> Any:
    if isinstance(data, str):
        (folder / "text.txt").write_text(data, "utf-8")
        data = str(folder / "text.txt")
    return lossworks.fit(data, out=folder / name, **how)


def test_a_run_teaches_and_gives_its_tokens(tmp_path: Path) -> None:
    """The student has its teacher's tokenizer and what is one text; it is another than one that was not taught; resumed it is
    the same; a Transformer teaches too; other tokens are refused, and so is what does not fit together.
    """
    teacher = str(tmp_path / "teacher")
    _fit(tmp_path, "teacher", task="lm", model="ngram:order=3", tokenizer="chars", document_unit="file", valid=0.2, test=0.1)
    student = _fit(tmp_path, "student", teach=teacher, **QUICK)
    config = json.loads((tmp_path / "student" / "run.json").read_text())["config"]
    assert (config["teach"], config["document_unit"]) == (teacher, "file")
    assert config["loss"] == "0.5*cross_entropy+0.5*forward_kl"
    assert Path(config["tokenizer"]) == tmp_path / "teacher" / "tokenizer.json"
    tokens = {"tokenizer": config["tokenizer"], "document_unit": "file"}
    plain = _fit(tmp_path, "plain", **QUICK, **tokens)
    again = _fit(tmp_path, "again", teach=str(tmp_path / "student"), **QUICK)
    scored = [model.score([TEXT[:80]])[0].nats for model in (student, plain, again)]
    assert not np.allclose(scored[0], scored[1], atol=1e-4)
    assert not np.allclose(scored[0], scored[2], atol=1e-4)
    smoothed = lossworks.fit(
        str(tmp_path / "text.txt"), teach="uniform", loss="0.9*cross_entropy+0.1*forward_kl", **QUICK, **tokens
    )
    assert np.isfinite(smoothed.score(["the"])[0].nats).all()  # type: ignore[union-attr]

    rows = [(f"{word} {i}", word) for i in range(30) for word in ("good", "bad")]
    labels = str(tmp_path / "labels")
    lossworks.fit(rows, out=labels, epochs=1)
    for number, (data, said, how) in enumerate(
        (
            (TEXT, "has other tokens than .*teacher.*Leave --tokenizer", {"teach": teacher, "tokenizer": "words", **QUICK}),
            (TEXT, "differ in whether texts have an end", {"teach": teacher, "document_unit": "line", **QUICK}),
            (TEXT, "knows labels, and what is trained is a language model", {"teach": labels, **QUICK}),
            (TEXT, "compares with no teacher", {"teach": teacher, "loss": "focal", **QUICK}),
            (TEXT, "name --optimizer or --loss too|ngram is counted", {"teach": teacher, "model": "ngram"}),
            (rows, "a language model, which knows no labels", {"teach": teacher}),
            (rows, "a language model, which knows no labels", {"teach": teacher, "model": SMALL, "task": "classify"}),
        )
    ):
        with pytest.raises(LossworksError, match=said):
            _fit(tmp_path, f"refused{number}", data, **how)
    settings = {"task": "lm", "steps": 4, "teach": teacher}
    with pytest.raises(LossworksError, match="unknown part of an arm: 'teach'"):
        lossworks.compare(str(tmp_path / "text.txt"), model=[SMALL, "rnn:dim=8"], settings=settings)
