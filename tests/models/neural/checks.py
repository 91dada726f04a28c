"""What every network over tokens owes, as checks that a fault must not pass (``test_faults.py`` plants some)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lossworks.data import Ragged
from lossworks.models.neural import LanguageNetwork, NeuralModel, NeuralSpec, TextEncoder
from lossworks.models.rnn import RnnSpec
from lossworks.models.transformer import TransformerSpec
from lossworks.tokens import Vocabulary

V = 23
SPECS: dict[str, NeuralSpec] = {
    "transformer": TransformerSpec(layers=2, heads=4, dim=32, context=16),
    "grouped": TransformerSpec(layers=2, heads=4, kv_heads=2, head_dim=6, dim=24, context=16, tied=False),
    "window": TransformerSpec(layers=2, heads=2, kv_heads=1, dim=16, context=16, window=5),
    "lstm": RnnSpec(dim=12, hidden=20, weight_drop=0.5, dropout=0.4, input_dropout=0.3, embedding_dropout=0.2),
    "gru": RnnSpec(cell="gru", layers=3, dim=12, tied=False),
}
TRANSFORMERS = [name for name, spec in SPECS.items() if isinstance(spec, TransformerSpec)]


def lively(network: torch.nn.Module, deviation: float = 0.4) -> None:
    """Large random weights, so that what is wrong anywhere shows at the end."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * deviation + (parameter.ndim == 1))


def made(name: str) -> LanguageNetwork:
    """The network of a spec, with lively weights, in float32 for use."""
    network = SPECS[name].network(V)
    lively(network)
    return network.eval()


def tokens(*shape: int, seed: int = 0) -> Tensor:
    """Random token numbers."""
    return torch.randint(V, shape, generator=torch.Generator().manual_seed(seed))


def texts() -> Ragged:
    """Texts of several lengths: none, one token, longer than any context here."""
    sizes = [5, 0, 13, 40, 1, 25]
    ids = np.random.default_rng(0).integers(3, V, sum(sizes)).astype(np.uint32)
    return Ragged(ids, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))


@torch.no_grad()
def check_causal(network: LanguageNetwork) -> None:
    """A later token changes nothing before it, to the bit, and the state at its own place."""
    ids = tokens(3, 12)
    before = network.hidden(ids)
    for place in (1, 6, 11):
        changed = ids.clone()
        changed[:, place] = (changed[:, place] + 1) % V
        after = network.hidden(changed)
        assert torch.equal(after[:, :place], before[:, :place])
        assert (after[:, place] != before[:, place]).any(-1).all()


@torch.no_grad()
def check_packing(network: LanguageNetwork) -> None:
    """Documents in one row have the states that they have alone."""
    sizes = (4, 1, 7, 3)
    documents = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))[None]
    ids = tokens(2, sum(sizes))
    packed = network.hidden(ids, documents.expand(2, -1)).split(sizes, 1)
    for alone, among in zip(ids.split(sizes, 1), packed, strict=True):
        torch.testing.assert_close(among, network.hidden(alone), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def check_cache(network: LanguageNetwork) -> None:
    """Read in parts of any size, and on branches, a text has the states of one pass."""
    ids = tokens(2, 14)
    whole = network.hidden(ids)
    state = network.start(2)
    kept = [(0, state)]
    for first, last in ((0, 5), (5, 6), (6, 7), (7, 11), (11, 14)):
        states, state = network.advance(state, ids[:, first:last])
        torch.testing.assert_close(states, whole[:, first:last], atol=1e-5, rtol=1e-5)
        kept.append((last, state))
    for seed in (1, 2):  # each earlier state is as it was, whatever was read after it
        for read, state in kept[:-1]:
            branch = torch.cat([ids[:, :read], tokens(2, 2, seed=seed)], 1)
            states, _ = network.advance(state, branch[:, read:])
            torch.testing.assert_close(states, network.hidden(branch)[:, read:], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def check_window(network: LanguageNetwork, window: int) -> None:
    """One block sees ``window`` tokens, its own among them: no fewer, no more."""
    ids = tokens(1, 12)
    before = network.hidden(ids)[0, -1]
    for distance, seen in ((window - 1, True), (window, False)):
        changed = ids.clone()
        changed[:, -1 - distance] = (changed[:, -1 - distance] + 1) % V
        assert torch.equal(network.hidden(changed)[0, -1], before) != seen


def check_tied(network: LanguageNetwork, embedding: torch.nn.Embedding) -> None:
    """The last layer is the embedding: one storage, one parameter, one gradient of both uses."""
    head = network.head
    assert isinstance(head, torch.nn.Linear)
    assert head.weight.data_ptr() == embedding.weight.data_ptr()
    assert sum(parameter is embedding.weight for parameter in network.parameters()) == 1
    network.logits(network.hidden(tokens(1, 4))).square().sum().backward()
    assert embedding.weight.grad is not None
    assert (embedding.weight.grad != 0).all()  # also of tokens that were not read


@torch.no_grad()
def check_generation(network: LanguageNetwork) -> None:
    """Token by token, and past the context, the model says what it says of whole texts."""
    model = NeuralModel(network, Vocabulary(V))
    given = texts()
    rows = iter(model.distributions(given))
    for text in range(len(given)):
        state = model.start()
        np.testing.assert_allclose(model.next(state), next(rows), atol=1e-5, rtol=1e-5)
        for token in given.ids[given.offsets[text] : given.offsets[text + 1]].tolist():
            state = model.advance(state, token)
            np.testing.assert_allclose(model.next(state), next(rows), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def check_padding(encoder: TextEncoder) -> None:
    """What stands behind a text has no influence on its vector; what stands in it has."""
    ids, lengths = tokens(4, 9), torch.tensor([9, 5, 1, 3])
    found = encoder(ids, lengths)
    behind = torch.arange(9) >= lengths[:, None]
    torch.testing.assert_close(encoder(ids.masked_fill(behind, 7), lengths), found, atol=1e-6, rtol=1e-6)
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(
            encoder(ids[row : row + 1, :length], lengths[row : row + 1])[0], found[row], atol=1e-5, rtol=1e-5
        )
        changed = ids.clone()
        changed[row, length - 1] = (changed[row, length - 1] + 1) % V
        assert not torch.allclose(encoder(changed, lengths)[row], found[row])
