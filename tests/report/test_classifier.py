"""The page in which a classifier answers: in a real browser, for any text, what ``predict`` says."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

import lossworks
from lossworks.api import Model
from lossworks.data import HashedFeatures
from lossworks.inference import NetworkPredictor
from lossworks.inference.quantized import TABLE, Table, restored
from lossworks.interop.javascript import page, script
from lossworks.models.base import build
from lossworks.record.tensors import under
from lossworks.tasks import label_task

from .browsing import illegible, look, requests, said, unreadable
from .records import HOSTILE

REVIEWS = Path(lossworks.__file__).parent / "data/reviews.csv"
TYPED = """
const field = document.getElementById("text"), seen = [];
for (const text of JSON.parse(arguments[0])) {
    field.value = text;
    field.dispatchEvent(new Event("input"));
    const chances = [...document.querySelectorAll("#chances data")].map((one) => Number(one.value));
    seen.push([document.getElementById("answer").textContent, chances]);
}
return seen;
"""
draw = np.random.default_rng(3)


def drawn(most: int, count: int) -> list[str]:
    """Texts of code points below a number, any but halves of characters."""
    return ["".join(chr(point) for point in draw.integers(0, most, 40) if not 0xD800 <= point < 0xE000) for _ in range(count)]


STRANGE = [
    "",
    " \t\r\n\0\x1f\x85\u2028\ufeff",
    "\0a\0",
    "\ud800",
    "a\udc00b \udfff\ud83d.",
    "cafe\u0301 caf\u00e9 Å \u212b \u0915\u093c \u0958 각 \u1100\u1161\u11a8 q\u0323\u0307 q\u0307\u0323 ﬁ",
    "İstanbul ı ΣΑΣ ς ß ẞ Ǆ ǅ",
    "👩\u200d👩\u200d👧 🇩🇪🇫🇷 👍🏽 1\ufe0f\u20e3 good",
    "שלום, עולם! مرحبا بالعالم \u202egood\u202c",
    "我喜欢这本书。とても良い！ ภาษาไทย ខ្មែរ བོད་ 한국어",
    "don't l’eau _a_ x_y 'tis a-b 3.14 ½ ٣",
    "good " * 20_000,
    "x" * 30_000,
    HOSTILE,
    *drawn(0x110000, 100),
    *drawn(0x3000, 100),
    *drawn(0x250, 50),
]


def every_point() -> list[str]:
    """All code points, in texts of which none joins two halves of a character."""
    return ["".join(map(chr, range(first, first + 1024))) for first in range(0, 0x110000, 1024)]


def made(kind: str, labels: Sequence[str], spec: str, form: str = "nfc", **how: Any) -> tuple[Model, dict[str, Any]]:
    """A model of random weights that keeps every bucket, so that no n-gram is without effect; and its packed arrays."""
    built = build(spec)
    features = built.features()
    assert isinstance(features, HashedFeatures)
    count = 1 << features.bits
    heavy = np.sort(draw.choice([1.0, 1.5, 2.25, 3.0], count)).astype(np.float32)
    features.restore(draw.permutation(count).astype(np.uint32), heavy)
    task = label_task(kind, list(labels), how.pop("center", 0.0), how.pop("spread", 1.0), how.pop("label_type", "str"))
    network = built.network(count, task.outputs, 0)
    for weight in network.parameters():
        weight.data = torch.from_numpy(draw.normal(0, 1.5, weight.shape).astype(np.float32))
    arrays = {f"network.{name}": value.numpy() for name, value in network.state_dict().items()}
    kept = Table.of(features, arrays.pop(TABLE), shifts=False).rounded(0.05)
    rounded = restored(kept)
    features.restore(rounded["features.buckets"], rounded["features.weights"])
    network = built.network(len(features), task.outputs, 0)
    whole = under(arrays | {TABLE: rounded[TABLE]}, "network.")
    network.load_state_dict({name: torch.from_numpy(array) for name, array in whole.items()})
    predictor = NetworkPredictor(task, built, features, network.eval(), **how)
    return Model(predictor, {"config": {"model": spec}, "data": {"normalize": form}}), kept | arrays


MODELS = {
    "two": lambda: made("classify", ["no", "yes"], "linear:bits=12", temperature=0.7, thresholds=(0.3,)),
    "none": lambda: made("classify", ["no", "yes"], "linear:bits=12", form="none"),
    "five": lambda: made("classify", ["1", "2", "3", "4", "10"], "linear:bits=14,words=3,chars=3,share=0.4", label_type="int"),
    "words": lambda: made("classify", ["a", "b", "c"], "linear:bits=11,chars=0,words=1"),
    "sets": lambda: made("multilabel", ["a", "b", HOSTILE], "linear:bits=12", temperature=1.3, thresholds=(0.5, 0.7, 0.2)),
    "bag": lambda: made("classify", ["a", "b", "c"], "bag:dim=4,bits=12,words=2"),
    "hidden": lambda: made("multilabel", ["a", "b"], "bag:dim=4,bits=12,hidden=3"),
    "number": lambda: made("regress", [], "linear:bits=12", center=3.5, spread=2.0),
}


def opened(browser: webdriver.Chrome, tmp_path: Path, model: Model, arrays: dict[str, Any], **how: Any) -> None:
    """Look at the page of a model."""
    path = tmp_path / "page.html"
    path.write_text(page(model, arrays, None), "utf-8", "replace")
    look(browser, path, **how)
    wait(browser, "return !document.getElementById('said').hidden")


def wait(browser: webdriver.Chrome, ready: str) -> None:
    """Wait until the page has read its model, by what a script returns."""
    WebDriverWait(browser, 20, poll_frequency=0.02).until(lambda it: it.execute_script(ready))


@pytest.mark.parametrize("name", MODELS)
def test_answers(browser: webdriver.Chrome, tmp_path: Path, name: str) -> None:
    """Real and hostile texts, and every code point by this Python's Unicode: what is shown is what ``predict`` says."""
    model, arrays = MODELS[name]()
    with REVIEWS.open(encoding="utf-8") as file:
        texts = [*STRANGE, *(row["text"] for row in csv.DictReader(file))]
    if name in ("none", "words"):  # composed, what is newer than Python's Unicode may join its neighbours
        texts += every_point()
    opened(browser, tmp_path, model, arrays)
    seen = browser.execute_script(TYPED, json.dumps(texts))
    answers = model.predict(texts)
    if name == "number":
        assert [float(answer) for answer, _ in seen] == pytest.approx(answers, rel=1e-5)  # six digits are shown
        assert np.ptp(answers) > 1
        return
    chances = model.predict_proba(texts)
    assert np.abs(np.array([found for _, found in seen]) - chances).max() < 1e-6
    assert chances.std(0).max() > 0.05
    spelled = [", ".join(each) or "no label" if isinstance(each, tuple) else str(each) for each in answers]
    assert [answer for answer, _ in seen] == spelled
    assert len(set(spelled)) > 1


def test_runs(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """A page of a quantised run says what the run says; one of the run that it was made of, what a quantised one would."""
    model = lossworks.fit(REVIEWS, model="linear:bits=16", epochs=2, out=tmp_path / "run")
    lossworks.quantize(model, tmp_path / "small", max_size="30KB")
    small = lossworks.load(tmp_path / "small")
    with REVIEWS.open(encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    told = lossworks.quantize(small, tmp_path / "page.html")
    assert told["held_out"]["largest_change"] == 0
    look(browser, tmp_path / "page.html")
    wait(browser, "return !document.getElementById('said').hidden")
    right = small.metrics or lossworks.evaluate(small)["metrics"]
    assert f"right in {100 * right['accuracy']['value']:.1f}" in browser.find_element(By.CLASS_NAME, "facts").text
    seen = np.array([chances for _, chances in browser.execute_script(TYPED, json.dumps(texts))])
    assert np.abs(seen - small.predict_proba(texts)).max() < 1e-6
    assert np.abs(seen - model.predict_proba(texts)).max() > 1e-3


@pytest.mark.parametrize(("theme", "width"), [("light", 1100), ("dark", 375)])
def test_whole_page(browser: webdriver.Chrome, tmp_path: Path, theme: str, width: int) -> None:
    """Legible, named, no wider than the screen, nothing fetched, the console silent; markup is shown, never run."""
    requests(browser)
    said(browser)
    model, arrays = made("multilabel", ["a" * 60, "שלום", HOSTILE], "linear:bits=12", thresholds=(0.0, 0.0, 0.0))
    opened(browser, tmp_path, model, arrays, theme=theme, width=width)
    field = browser.find_element(By.ID, "text")
    assert field == browser.switch_to.active_element
    field.send_keys(f"{HOSTILE} good")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert illegible(browser) == []
    assert unreadable(browser) == []
    assert browser.execute_script("return document.querySelector('label').control.id") == "text"
    assert [row.text for row in browser.find_elements(By.CSS_SELECTOR, "tbody th")] == list(model.labels)
    assert not browser.find_element(By.ID, "waiting").is_displayed()
    assert browser.execute_script("return window.hacked") is None
    assert said(browser) == []
    assert [url for url in requests(browser) if url.split(":")[0] != "file"] == []


def test_many_labels(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Of many labels the most probable are shown, and it is said of how many; an answer that stays is not read out again."""
    model, arrays = made("classify", [f"c{number:02}" for number in range(30)], "linear:bits=12")
    opened(browser, tmp_path, model, arrays)
    ((answer, chances),) = browser.execute_script(TYPED, json.dumps(["good"]))
    assert chances == pytest.approx(sorted(model.predict_proba(["good"])[0], reverse=True)[:12])
    assert answer == model.predict(["good"])[0]
    assert browser.find_element(By.TAG_NAME, "caption").text == "Probabilities, the 12 highest of 30"
    changes = """
        const done = arguments[0], seen = [];
        new MutationObserver((all) => seen.push(...all)).observe(document.getElementById("answer"), { childList: true });
        document.getElementById("text").dispatchEvent(new Event("input"));
        setTimeout(() => done(seen.length), 20);
    """
    assert browser.execute_async_script(changes) == 0


def test_module(tmp_path: Path) -> None:
    """The same code in Node: labels in their own type, answers as ``predict --json`` spells them, and only texts are taken."""
    for name, wanted in (("five", ("label", "probability")), ("sets", ("labels",)), ("number", ("value",))):
        model, arrays = MODELS[name]()
        (tmp_path / "model.mjs").write_text(script(model, arrays), "utf-8")
        (tmp_path / "asking.mjs").write_text(
            "import { labels, predict } from './model.mjs';\n"
            "let refused = '';\n"
            "try { predict(3); } catch (error) { refused = error.message; }\n"
            "console.log(JSON.stringify([labels, predict('a good film'), refused]));\n",
            "utf-8",
        )
        labels, answer, refused = json.loads(node(tmp_path / "asking.mjs"))
        assert tuple(labels) == model.labels
        assert refused == "got 3; wanted a text"
        (told,) = lossworks.api.predicted.answers(model, ["a good film"])
        assert set(answer) == {*wanted, *(["probabilities"] if model.labels else [])}
        for key in wanted:
            assert answer[key] == (pytest.approx(told[key]) if key in ("probability", "value") else told[key])
        if model.labels:
            assert answer["probabilities"] == pytest.approx({str(label): p for label, p in told["probabilities"].items()})


def test_guide(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """The guide's own page, served, and its program for Node do what is said of them."""
    guide = (Path(__file__).parents[2] / "docs/guides/export.md").read_text("utf-8")
    blocks = {kind: re.findall(rf"^```{kind}\n(.*?)^```", guide, re.M | re.S) for kind in ("html", "js")}
    model, arrays = made("classify", ["negative", "positive"], "linear:bits=12")
    (tmp_path / "reviews.mjs").write_text(script(model, arrays), "utf-8")
    (tmp_path / "index.html").write_text(
        "<!DOCTYPE html><meta charset='utf-8'><link rel='icon' href='data:,'>" + blocks["html"][0]
    )
    label, chance = model.predict(["good"])[0], model.predict_proba(["good"])[0].max()
    said(browser)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        look(browser, f"http://127.0.0.1:{server.server_port}/index.html")
        wait(browser, "return document.querySelector('textarea').oninput !== null")
        browser.find_element(By.TAG_NAME, "textarea").send_keys("good")
        answer = browser.find_element(By.TAG_NAME, "output").text
        server.shutdown()
    assert answer == f"{label} ({100 * chance:.0f} %)"
    assert said(browser) == []
    (tmp_path / "asking.mjs").write_text(blocks["js"][0], "utf-8")
    first, second = node(tmp_path / "asking.mjs").splitlines()
    assert first == "[ 'negative', 'positive' ]"
    assert re.fullmatch(r"(negative|positive) 0\.\d\d", second)


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


def node(program: Path) -> str:
    """What a program prints in Node, which has nothing against it."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    ended = subprocess.run([found, program], capture_output=True, check=True, text=True)
    assert ended.stderr == ""
    return ended.stdout
