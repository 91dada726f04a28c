"""From a table of thresholds to a prediction with one: what ``evaluate`` says in a terminal, ``fit`` in record and report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import lossworks
from lossworks import report
from lossworks.cli.by_threshold import tell_labels, tell_thresholds
from lossworks.record import Run

from .conftest import Command, csv_of


def test_a_table_is_what_is_predicted(
    command: Command, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One table in record, answer, terminal and page; its rows are what ``--threshold`` does with the same texts."""
    draw = np.random.default_rng(0)
    words = [" ".join(draw.choice(list("abcdefg"), 4)) + " win" * (i % 7 == 0 and i % 3 > 0) for i in range(300)]
    labelled = [(text, "ham" if i % 7 else "it's spam") for i, text in enumerate(words)]
    held_out = labelled[200:] + labelled[200:230]  # some texts twice
    (tmp_path / "test.csv").write_text(csv_of(held_out), "utf-8")
    (tmp_path / "data.csv").write_text(csv_of(labelled[:200]), "utf-8")
    flags = ("--test", "test.csv", "--model", "naive_bayes:chars=0", "--out", "run", "--quiet")
    assert command("fit", "data.csv", *flags).code == 0
    model = lossworks.load(tmp_path / "run")
    result = model.record["result"]
    found = command("evaluate", "run", "test.csv", "--json").json["by_threshold"]
    assert json.dumps(result["by_threshold"]) == json.dumps(found)
    assert len(json.dumps(found)) < 9000
    assert result["thresholds"] == [0.5]
    assert found["answered"][0]["accuracy"] == result["metrics"]["accuracy"]
    texts, true = [text for text, _ in held_out], np.array([label for _, label in held_out])
    for row in found["label"]["thresholds"]:
        said = np.array(model.predict(texts, {"it's spam": row["threshold"]}))
        assert (row["texts"], row["false_positives"]) == ((said != "ham").sum(), ((said != "ham") & (true == "ham")).sum())
    for row in found["answered"]:
        said = np.array(model.predict(texts, row["threshold"]))
        assert row["texts"] == sum(answer is not None for answer in said)
        assert (row["accuracy"]["value"] or 0) * row["texts"] == pytest.approx((said == true).sum())

    monkeypatch.setenv("COLUMNS", "80")
    lines = command("evaluate", "run", "test.csv").out.splitlines()
    assert [line.split()[0] for line in lines if "%" in line and re.match(r"0\.\d", line)] == [
        f"{row['threshold']:g}" for row in found["label"]["thresholds"]
    ]
    f1 = {row["label"]: f"{row['f1']:.3f}" for row in result["per_class"]}
    by_label = lines.index("By label")
    assert [(line[:9].strip(), line.split()[-1]) for line in lines[by_label + 2 : by_label + 4]] == [*f1.items()]
    assert lines[-1] == "Next:  lossworks evaluate run test.csv --precision 'it'\"'\"'s spam=0.9'"
    big = json.loads(re.sub(r'("(?:texts|false_positives)": )(\d+)', r"\g<1>1\g<2>23", json.dumps(found)))
    tell_thresholds(big, "run")
    table = capfd.readouterr().out.splitlines()[2:-2]
    assert (len(table), max(map(len, table)) <= 80) == (16, True)
    tell_thresholds({**found, "label": None}, "run")
    assert len(re.findall(r"^0\.\d+ .*–", capfd.readouterr().out, re.M)) == len(found["answered"])
    tell_labels(result["per_class"] * 11)
    assert "22 labels: --json has" in capfd.readouterr().out

    page = (tmp_path / "run/report.html").read_text("utf-8")
    assert '<h2 id="thresholds">' in page
    assert "--threshold &#39;it&#39;&#34;&#39;&#34;&#39;s spam=0.9&#39;" in page  # as a shell takes it
    assert '"precision-recall"' in page
    record = {key: value for key, value in model.record.items() if key != "format"}
    del record["result"]["by_threshold"]  # as an earlier version left it
    Run(tmp_path / "run").write_summary(record)
    assert '<h2 id="thresholds">' not in report.write(tmp_path / "run").read_text("utf-8")
