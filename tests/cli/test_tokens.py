"""``lossworks tokens`` and ``evaluate --parallel``: what they say, and what is wrong with what they were given."""

from __future__ import annotations

from pathlib import Path

from .conftest import Command

ENGLISH = [f"the cat {i} sat on the mat" for i in range(60)]
THAI = [f"แมว {i} นั่งบนเสื่อ" for i in range(60)]


def test_tokens_and_bits(command: Command, tmp_path: Path) -> None:
    """A tokenizer is built, reported on, trained with; its run is evaluated on parallel text, alone and beside another."""
    for name, lines in (("eng", ENGLISH), ("tha", THAI)):
        (tmp_path / f"all.{name}.txt").write_text("\n".join(lines) + "\n", "utf-8")
    files = ("all.eng.txt", "all.tha.txt")
    built = command("tokens", "build", *files, "--tokenizer", "parity_bpe:size=320", "--out", "fair.json")
    assert built.code == 0, built.err
    assert "fair.json: 301 tokens" in built.out
    assert "for 301 tokens and no more" in built.err
    assert command("tokens", "build", *files, "--tokenizer", "parity_bpe:size=290", "--out", "fair.json").err == ""
    before, after = command("tokens", "report", *files), command("tokens", "report", *files, "--tokenizer", "fair.json")
    assert "tha takes" in before.out
    assert "times the tokens of eng to say the same" in before.out
    told = command("tokens", "report", *files, "--tokenizer", "fair.json", "--json").json
    assert f"Gini coefficient {told['gini']['value']:.3f}" in after.out
    assert told["gini"]["value"] < command("tokens", "report", *files, "--json").json["gini"]["value"]
    for run, model in (("a", "ngram:order=3"), ("b", "ngram:order=1")):
        made = command("fit", files[0], "--task", "lm", "--model", model, "--tokenizer", "fair.json", "--out", run, "--quiet")
        assert made.code == 0, made.err
    assert command("tokens", "report", *files, "--tokenizer", "a", "--json").json["gini"] == told["gini"]
    parity = ("--task", "lm", "--model", "ngram:order=1", "--tokenizer", "parity_bpe:size=290", "--valid", "0", "--test", "0")
    made = command("fit", *files, "--language", "file", *parity, "--out", "c", "--quiet")
    assert made.code == 0, made.err
    assert Path("c/tokenizer.json").read_bytes() == Path("fair.json").read_bytes()
    alone = command("evaluate", "a", *files, "--parallel")
    assert alone.code == 0, alone.err
    assert "above eng" in alone.out
    assert "Bits/byte do not compare between languages" in alone.out
    assert "trained on eng" in alone.err
    both = command("evaluate", "a", "b", *files, "--parallel")
    assert "b less a, in bits/line" in both.out
    assert "worse" in both.out
    assert command("evaluate", "a", "b", *files, "--parallel", "--json").json["best"] == "a"
    with Path(files[1]).open("a") as tha, Path(files[0]).open("a") as eng:
        tha.write("\n")
        eng.write("the end\n")
    for call in (("evaluate", "a", *files, "--parallel"), ("tokens", "report", *files)):
        assert command(*call, "-q").err == "note   1 line left out, blank in one file or more\n"


def test_wrong(command: Command, tmp_path: Path) -> None:
    """Each error says what to do."""
    (tmp_path / "a.txt").write_text("\n".join(ENGLISH))
    (tmp_path / "b.txt").write_text("\n".join(THAI[1:]))
    assert "a.txt has 60 lines and b.txt has 59" in command("tokens", "report", "a.txt", "b.txt").err
    assert ".json" in command("tokens", "build", "a.txt", "--out", "fair").err
    assert "none of the arguments is a run" in command("evaluate", "a.txt", "b.txt", "--parallel").err
    assert "Say --parallel" in command("evaluate", "a.txt", "b.txt", "--reference", "eng").err
    assert "lossworks tokens build" in command("fit", "a.txt", "--task", "lm", "--tokenizer", "parity_bpe").err
