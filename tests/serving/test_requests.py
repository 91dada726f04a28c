"""What is asked and what is answered: the same as the command says, right or wrong; together as alone."""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import lossworks
from lossworks.api import answered
from lossworks.api.predicted import answers
from lossworks.core.errors import UsageError
from lossworks.serving import Limits, Runs, batches
from lossworks.serving.runs import named

from .conftest import TEXTS, Answer, Asker, served, until

PREDICT, SCORE, GENERATE = "/runs/labels/predict", "/runs/words/score", "/runs/words/generate"


def test_whatever_stands_beside_it(ask: Asker, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of many requests at once, which ask in several ways, gets the bits of its text alone; and several were answered by
    one call.
    """
    monkeypatch.setattr(batches, "_BRIEF", 0)  # of what takes so little none would wait for another
    model = lossworks.load(runs["labels"])
    assert isinstance(model, lossworks.Model)
    ways: list[dict[str, Any]] = [{}, {"top": 1}, {"threshold": 0.99}, {"top": 2, "threshold": {"good": 0.5}}]
    asked = [(text, ways[(i // 8) % 4]) for i, text in enumerate(TEXTS)]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda one: ask(PREDICT, {"texts": [one[0]], **one[1]}).json, asked * 4))
    for (text, how), told in zip(asked * 4, found, strict=True):
        assert told == answered.predictions("labels", model, list(answers(model, [text], **how)))
    lines = dict(line.rsplit(" ", 1) for line in ask("/metrics", method="GET").body.decode().splitlines() if line[0] != "#")
    of = 'run="labels",verb="predict"'
    assert float(lines[f"lossworks_batch_texts_count{{{of}}}"]) < float(lines[f"lossworks_batch_texts_sum{{{of}}}"])


def test_language_models(ask: Asker, runs: dict[str, Path]) -> None:
    """Scores, drawn texts and choices are the model's own; pieces of a stream are the text, and its end is the whole answer."""
    model = lossworks.load(runs["words"])
    assert isinstance(model, lossworks.Language)
    told = answered.scores("words", model.score(TEXTS[:3]))
    assert ask(SCORE, {"texts": TEXTS[:3]}).json == json.loads(json.dumps(told))
    how = {"prompts": ["a", "an"], "samples": 2, "seed": 3, "max_new_tokens": 20, "top_k": 5, "stop": [","]}
    drawn = model.generate(["a", "an"], samples=2, seed=3, max_new_tokens=20, top_k=5, stop=[","])
    whole = answered.samples("words", 3, ["a", "an"], drawn)
    assert ask(GENERATE, how).json == whole
    streamed = ask(GENERATE, {**how, "stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    *pieces, last = streamed.body.decode().strip().split("\n\n")
    assert last.startswith("event: answer\ndata: ")
    assert json.loads(last.partition("data: ")[2]) == whole
    texts = [["", ""], ["", ""]]
    for piece in pieces:
        told = json.loads(piece.removeprefix("data: "))
        texts[told["prompt"]][told["sample"]] += told["text"]
    assert texts == drawn
    chosen = ask(GENERATE, {"prompts": ["a"], "choices": [" lovely", " awful"]}).json
    assert chosen == answered.choices("words", ["a"], [model.choose("a", [" lovely", " awful"])])


DEEP = "nested too deeply" if sys.version_info < (3, 13) else "is not JSON"  # Python has got more room than requests may have
WRONG: list[tuple[str, Any, int, str, str | None]] = [
    (PREDICT, b'{"texts": ["a"], "threshold": NaN}', 400, "is not JSON", None),
    (PREDICT, b"[" * 9000, 400, DEEP, None),
    (PREDICT, b'{"texts": ["\\ud800 alone"]}', 400, "surrogate", None),
    (PREDICT, b'{"texts": ["\xe9"]}', 400, "is not JSON", None),
    (PREDICT, ["good"], 400, 'wanted an object such as {"texts": ["some text"]}', None),
    (PREDICT, {}, 422, "texts is missing; wanted a list of texts", "texts"),
    (PREDICT, {"texts": "good"}, 422, "texts is a string; wanted a list of texts", "texts"),
    (PREDICT, {"texts": ["good", 3]}, 422, "text number 2 is 3, a int; wanted text", "texts"),
    (PREDICT, {"text": ["good"]}, 422, "unknown field 'text'. Did you mean 'texts'?", "text"),
    (PREDICT, {"texts": ["a"], "top": 0}, 422, "top is 0; wanted a whole number, 1 or more", "top"),
    (PREDICT, {"texts": ["a"], "threshold": 2}, 422, "the threshold is 2; wanted a probability", "threshold"),
    (PREDICT, {"texts": ["a"], "threshold": {"god": 0.9}}, 422, "Did you mean 'good'?", "threshold"),
    (PREDICT, {"texts": ["a"] * 41}, 422, "41 texts, and 40 are the most", "texts"),
    (PREDICT, {"texts": ["a" * 2001]}, 422, "2,001 characters, and 2,000 are the most", "texts"),
    (PREDICT, {"texts": ["a" * 10_001]}, 413, "more than 10,000 bytes", None),
    (SCORE, {"texts": ["a"], "top": 1}, 422, "unknown field 'top'", "top"),
    (GENERATE, {"top_p": 2}, 422, "top_p is 2; wanted above 0, and at most 1", None),
    (GENERATE, {"temperature": "x"}, 422, "temperature is 'x'; wanted a finite number", "temperature"),
    (GENERATE, {"stream": True, "beam": 0}, 422, "beam is 0; wanted 1 or more", None),
    (GENERATE, {"prompts": ["a", "b"], "samples": 2}, 422, "400 tokens are asked for", "max_new_tokens"),
    (GENERATE, {"choices": ["a", "b"], "seed": 1}, 422, "choices draw nothing", "choices"),
    (GENERATE, {"choices": ["a" * 1500, "b" * 1500]}, 422, "3,000 characters", "choices"),
    ("/predict", {"texts": ["a"]}, 404, "several runs are served. Name one: /runs/labels/predict", None),
    ("/runs/other/predict", {"texts": ["a"]}, 404, "no run is called 'other'. Served: labels, words", None),
    ("/runs/words/predict", {"texts": ["a"]}, 404, "knows no labels. Ask /runs/words/score", None),
    ("/runs/labels/score", {"texts": ["a"]}, 404, "labels holds no language model. Ask /runs/labels/predict", None),
    ("/runs/..%2f..%2flabels/predict", {"texts": ["a"]}, 404, "there is nothing at '/runs/../../labels/predict'", None),
    ("/../labels/run.json", None, 404, "there is nothing at", None),
    ("/health", {}, 405, "POST is not for /health. Known: POST /predict", None),
]


@pytest.mark.parametrize(("path", "asked", "status", "said", "field"), WRONG)
def test_wrong_calls(ask: Asker, path: str, asked: Any, status: int, said: str, field: str | None) -> None:
    """Each is answered with its status and JSON that says what is wrong, and in which field; nothing is told of the inside."""
    answer = ask(path, asked)
    told = answer.json
    assert (answer.status, told["status"], told.get("field")) == (status, status, field)
    assert said in told["error"]
    assert "Traceback" not in told["error"]


@pytest.mark.parametrize("headers", [{"Content_Type": "text/plain"}, {"Content_Encoding": "gzip"}])
def test_other_content(ask: Asker, headers: dict[str, str]) -> None:
    """What is no plain JSON is refused, so that no form of a web page can ask."""
    assert ask(PREDICT, {"texts": ["a"]}, **headers).status == 415


def test_health(ask: Asker) -> None:
    """Tells names, tasks and labels."""
    answer = ask("/health", method="GET")
    labels, words = answer.json["runs"]
    assert (answer.status, answer.json["status"]) == (200, "ready")
    assert labels == {"name": "labels", "task": "classify", "model": "linear:chars=3,bits=10", "labels": ["bad", "good"]}
    assert (words["name"], words["task"]) == ("words", "lm")


class Held:
    """A verb's call, held until it is released."""

    def __init__(self, asker: Asker, run: str, verb: str) -> None:
        self.verb, self.batches = asker.server.runs.served[run].verbs[verb]
        self.release, self.sizes = threading.Event(), list[int]()
        self.batches._answer = self

    def __call__(self, batch: Any) -> Any:
        self.sizes.append(len(batch))
        assert self.release.wait(30)
        return self.verb.answer(batch)


def test_what_waits(runs: dict[str, Path]) -> None:
    """One comes alone and does not wait; what comes meanwhile is one batch; too many are told to come again."""
    with served({"labels": runs["labels"]}, Limits(queue=3, timeout=60), names=["me"]) as ask, ThreadPoolExecutor(8) as pool:
        held = Held(ask, "labels", "predict")
        asked = [pool.submit(ask, "/predict", {"texts": [TEXTS[0]]})]
        until(lambda: held.sizes == [1])
        asked += [pool.submit(ask, "/predict", {"texts": [text]}) for text in TEXTS[1:4]]
        until(lambda: len(held.batches) == 3)
        full = ask("/predict", {"texts": ["a"]})
        assert (full.status, full.headers["retry-after"]) == (429, "1")
        assert "3 requests wait already" in full.json["error"]
        assert ask("/health", method="GET").status == 200
        held.release.set()
        assert [each.result().json["predictions"][0]["text"] for each in asked] == TEXTS[:4]
        assert held.sizes == [1, 3]


def test_out_of_time(runs: dict[str, Path]) -> None:
    """Is told to who waits too long, however the request waits; its place is free again."""
    with served({"words": runs["words"]}, Limits(queue=2, timeout=0.2)) as ask, ThreadPoolExecutor(2) as pool:
        held = Held(ask, "words", "generate")
        found = list(pool.map(lambda stream: ask("/generate", {"stream": stream}), (False, True)))
        assert [(each.status, "no answer within 0.2 s" in each.json["error"]) for each in found] == [(504, True)] * 2
        assert len(held.batches) == 0
        held.release.set()


def test_failures(runs: dict[str, Path], capfd: pytest.CaptureFixture[str]) -> None:
    """What fails beside others fails alone; what nobody foresaw is a line on stderr, and a client learns no more than that."""
    with served({"labels": runs["labels"]}) as ask, ThreadPoolExecutor(4) as pool:
        held = Held(ask, "labels", "predict")
        predict = held.verb.answers

        def fails(batch: Any) -> Any:
            if any(one.work.texts == ["secret"] for one in batch):
                raise ZeroDivisionError("inside")
            return predict(batch)

        held.verb.answers = fails  # type: ignore[method-assign]
        first = pool.submit(ask, "/predict", {"texts": ["a"]})
        until(lambda: held.sizes == [1])
        others = [pool.submit(ask, "/predict", {"texts": [text]}) for text in ("b", "secret", "c")]
        until(lambda: len(held.batches) == 3)
        held.release.set()
        answers: list[Answer] = [each.result() for each in (first, *others)]
    assert [answer.status for answer in answers] == [200, 200, 500, 200]
    assert "inside" not in answers[2].json["error"]
    assert capfd.readouterr().err == "lossworks: ZeroDivisionError: inside\n"


def test_names(tmp_path: Path) -> None:
    """A run is called as its directory, or as is said; two of one name, and none at all, are refused."""
    assert named(["runs/a/", "b=runs/c"]) == {"a": "runs/a/", "b": "runs/c"}
    with pytest.raises(UsageError, match=r"two runs are called a: x/a and y/a\. Give one another name: NAME=y/a"):
        named(["x/a", "y/a"])
    with pytest.raises(UsageError, match="no run to serve"):
        Runs({})
    with pytest.raises(UsageError, match="limit of queue is 0; wanted a whole number, 1 or more"):
        Limits(queue=0)
