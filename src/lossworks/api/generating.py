"""Texts that a language model goes on with: what is said of them, and how they are drawn or searched for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TypedDict

from ..core.errors import UsageError
from ..core.seeds import generator
from ..inference import Beams, Sampling, TextLanguage, beam_search, pieces, sample_tokens

Stream = Callable[[str, int, int], object]


class Generation(TypedDict, total=False):
    """What ``Language.generate`` takes besides its prompt."""

    max_new_tokens: int
    temperature: float
    top_k: int | None
    top_p: float | None
    min_p: float | None
    repetition_penalty: float
    no_repeat_ngram: int | None
    beam: int | None
    length_penalty: float
    stop: str | Sequence[str]
    samples: int
    seed: int
    stream: Stream | None


def beams_for(beam: int | None, length_penalty: float, sampling: Sampling, samples: int) -> Beams | None:
    """How the most probable texts are searched for; None: texts are drawn.

    Raises:
        UsageError: what is said of the search and of drawing does not go together.
    """
    if beam is None:
        if length_penalty != 1:
            raise UsageError("length_penalty is for beam search. Give a beam too, or leave it out.")
        return None
    beams = Beams(width=beam, length_penalty=length_penalty)
    if (sampling.temperature, sampling.top_k, sampling.top_p, sampling.min_p) != (1.0, None, None, None):
        raise UsageError("beam search draws nothing. Leave temperature, top_k, top_p and min_p out, or beam.")
    if samples > beams.width:
        raise UsageError(f"samples is {samples}, and a beam of {beam} finds no more than {beam} texts. Widen it.")
    return beams


def texts_after(
    trained: TextLanguage,
    prompts: Sequence[list[int]],
    sampling: Sampling,
    beams: Beams | None,
    ends: Sequence[str],
    most: int,
    samples: int,
    seed: int,
    tell: Stream,
) -> list[list[str]]:
    """The ``samples`` texts of each prompt, which is given in tokens; arguments as of ``Language.generate``.

    Args:
        beams: of a search; None: texts are drawn. most: tokens after the prompt. tell: is the ``stream``.
    """
    model, tokenizer, drawn = trained.model, trained.tokenizer, []
    for number, begun in enumerate(prompts):
        text, found = tokenizer.decode(begun), list[Iterable[int]]()
        if beams:
            found += [tokens for tokens, _ in beam_search(model, begun, most, beams, sampling)][:samples]
        else:
            state = model.read(begun)
            randoms = [generator(seed, "generate", *begun, sample) for sample in range(samples)]
            found += [sample_tokens(model, state, sampling, random, begun) for random in randoms]
        drawn.append([""] * len(found))
        for sample, following in enumerate(found):
            for piece in chain([text], pieces(tokenizer, begun, following, ends, most)):
                drawn[number][sample] += piece
                tell(piece, number, sample)
    return drawn
