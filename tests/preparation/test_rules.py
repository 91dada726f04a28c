"""Quality rules: each on a text that passes and one that does not, in scripts with and without spaces."""

from __future__ import annotations

import pytest

from lossworks.core.errors import UsageError
from lossworks.preparation import Texts, rules

GOOD = "The harbour was quiet in the morning. Nobody had come to look at the boats yet, and gulls slept on the wall!"
CASES = [
    ("words:min=5", GOOD, "Too few words here"),
    ("words:min=5", "春眠不覺曉，處處聞啼鳥。", "春眠不覺曉處處聞"),
    ("words:min=1,max=10", "สวัสดีชาวโลกทุกคน", GOOD),
    ("characters:min=5,max=200", GOOD, "fo"),
    ("word_length", "春眠不覺曉 a b 處處聞啼鳥", "a b c d e f g"),
    ("letters", "हिन्दी में लिखा हुआ वाक्य।", "12 34 $$ -- 56 word"),
    ("symbols", "a #tag among many words of a long enough sentence here", "#a #b #c ... d"),
    ("sentences:min=2", "春眠不覺曉。處處聞啼鳥！", "It costs 3.14 euros."),
    ("sentences:min=2", "One ends. So does this.", "One ends..."),
    ("bullets:max=0.5", "- one\ntwo\n\nthree", "- one\n• two\nthree"),
    ("ellipses", "It goes on.\nAnd on.\nAnd on…\nAnd ends.", "It goes on...\nAnd on…"),
    ("short_lines:max=0.5", f"{GOOD}\nshort", "short\nshorter\nmenu"),
    ("repeated_lines", "one line\nanother line\nthird", "one line\n one line\none line\nother"),
    ("line_ends:min=0.5", "It ends.\nno end", "no end\nnone"),
    ("top_ngram:n=2,max=0.2", GOOD, "buy now buy now and buy now"),
    ("repeated_ngrams:n=2,max=0.5", "a b a b a b c d e f", "a b a b a b a b"),
    ("repeated_ngrams:n=5,max=0.15", GOOD, "read all of this page and then read all of this page"),
    ("repeated_ngrams:n=5,max=0.15", "春眠不覺曉處處聞啼鳥", "春眠不覺曉，春眠不覺曉"),
    ("lorem_ipsum", "lorem and ipsum", "So: Lorem IPSUM dolor"),
    ("braces", "no code", "if (x) { y }"),
]


@pytest.mark.parametrize(("spec", "good", "bad"), CASES)
def test_rule(spec: str, good: str, bad: str) -> None:
    """The one passes, the other does not, beside each other and with an empty line around."""
    found = rules.screen(Texts.of([good, bad, f"\n{bad}\n"]), [rules.build(spec)])
    assert found.kept.tolist() == [True, False, False]
    assert list(found.counts.values()) == [2]


def test_several() -> None:
    """The first rule that a text fails is named; each counts all that fail it. Every rule is tried above."""
    found = rules.screen(Texts.of([GOOD, "{", "{ }"]), [rules.build("words:min=5"), rules.build("braces")])
    assert (found.rule.tolist(), found.counts) == ([-1, 0, 0], {"words:min=5": 2, "braces": 2})
    assert {entry.name for entry in rules.registry} == {spec.partition(":")[0] for spec, _, _ in CASES}
    assert all(rules.render(rules.build(spec)) for specs in rules.SETS.values() for spec in specs)
    for wrong in ("words:min=-1", "letters:min=2", "wrods", "top_ngram:n=0"):
        with pytest.raises(UsageError):
            rules.build(wrong)
