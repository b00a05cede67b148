"""Blocks equal torch's; padding means nothing; losses are what a loop says."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from shoal.errors import InputError
from shoal.summarize.blocks import DecoderBlock, EncoderBlock
from shoal.summarize.copying import CopyHead, follows
from shoal.summarize.model import TINY, positions
from shoal.summarize.model_config import ModelConfig
from tests.summarize.nets import VOCABULARY, create, documents


@pytest.mark.parametrize(("norm", "length"), [*itertools.product(["pre", "post"], [1, 2, 63, 100])])
def test_the_encoder_block_equals_torchs(norm: str, length: int) -> None:
    torch.manual_seed(length)
    theirs = nn.TransformerEncoderLayer(32, 4, 64, activation="gelu", batch_first=True, norm_first=norm == "pre").eval()
    ours = EncoderBlock(32, 4, 64, norm=norm).eval()
    ours.load_state_dict(theirs.state_dict())
    x, keep = torch.randn(3, length, 32), torch.ones(3, length, dtype=torch.bool)
    keep[1, length // 2 + 1 :] = False
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)
    expected = theirs(x, src_key_padding_mask=~keep)
    assert torch.allclose(ours(x, keep)[keep], expected[keep], atol=1e-6)


@pytest.mark.parametrize(("norm", "length"), [*itertools.product(["pre", "post"], [1, 2, 63, 100])])
def test_the_decoder_block_equals_torchs(norm: str, length: int) -> None:
    torch.manual_seed(length)
    theirs = nn.TransformerDecoderLayer(32, 4, 64, activation="gelu", batch_first=True, norm_first=norm == "pre").eval()
    ours = DecoderBlock(32, 4, 64, norm=norm).eval()
    ours.load_state_dict(theirs.state_dict())
    x, memory = torch.randn(3, length, 32), torch.randn(3, 9, 32)
    keep = torch.ones(3, 9, dtype=torch.bool)
    keep[2, 5:] = False
    causal = nn.Transformer.generate_square_subsequent_mask(length)
    expected = theirs(x, memory, tgt_mask=causal, tgt_is_causal=True, memory_key_padding_mask=~keep)
    assert torch.allclose(ours(x, memory, keep), expected, atol=1e-6)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_gradients_of_a_block_equal_torchs(norm: str) -> None:
    theirs = nn.TransformerEncoderLayer(
        16, 2, 32, activation="gelu", batch_first=True, norm_first=norm == "pre", dropout=0.0
    )
    ours = EncoderBlock(16, 2, 32, norm=norm)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 7, 16)
    for block in (ours, theirs):
        block(x).square().sum().backward()
    expected = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        assert torch.allclose(parameter.grad, expected[name].grad, atol=1e-5), name  # pyright: ignore


@pytest.mark.parametrize(("attention", "copy"), [*itertools.product(["exact", "positive", "elu"], [True, False])])
def test_padding_means_nothing(attention: str, copy: bool) -> None:
    model = create(attention=attention, copy=copy)
    source = documents()
    target = torch.randint(3, VOCABULARY, (5, 6))
    together = model(source, target)
    for row in range(len(source)):
        alone = source[row : row + 1, : int((source[row] != 0).sum())]
        assert torch.allclose(model(alone, target[row : row + 1]), together[row : row + 1], atol=1e-4)


@pytest.mark.parametrize("attention", ["exact", "positive"])
def test_a_token_does_not_see_those_that_follow(attention: str) -> None:
    model = create(attention=attention)
    source, target = documents(), torch.randint(3, VOCABULARY, (5, 9))
    changed = target.clone()
    changed[:, 6:] = 7
    assert torch.allclose(model(source, target)[:, :6], model(source, changed)[:, :6], atol=1e-6)


@pytest.mark.parametrize("copy", [True, False])
def test_probabilities_sum_to_one(copy: bool) -> None:
    sums = create(copy=copy)(documents(), torch.randint(3, VOCABULARY, (5, 6))).exp().sum(-1)
    assert torch.allclose(sums, torch.ones_like(sums), atol=1e-4)


@pytest.mark.parametrize("copy", [True, False])
def test_losses_are_those_of_the_whole_distribution(copy: bool) -> None:
    model = create(copy=copy)
    source = documents()
    target = torch.randint(3, VOCABULARY, (5, 8))
    target[1, 5:], target[4, 2:] = 0, 0
    found = model.losses(source, target)
    log_p = model(source, target[:, :-1])
    places = [(row, place) for row in range(5) for place in range(7) if target[row, place + 1]]
    expected = [-log_p[row, place, target[row, place + 1]] for row, place in places]
    assert torch.allclose(found.nll, torch.stack(expected), atol=1e-4)
    if not copy:
        there = target[:, 1:] != 0
        logits = log_p[there]
        assert torch.allclose(found.spread, -logits.mean(1), atol=1e-4)
        smoothed = F.cross_entropy(logits, target[:, 1:][there], label_smoothing=0.1)
        assert torch.allclose(torch.lerp(found.nll.mean(), found.spread.mean(), 0.1), smoothed, atol=1e-4)


def test_a_word_that_the_vocabulary_would_not_write_is_copied() -> None:
    model = create()
    assert model.copy_head is not None
    with torch.no_grad():
        model.copy_head.gate.weight.zero_()
        model.copy_head.gate.bias.fill_(-30.0)  # never writes
    source = documents(rows=1)
    log_p = model(source, torch.randint(3, VOCABULARY, (1, 6))).detach()
    absent = [token for token in range(VOCABULARY) if token not in source]
    assert float(log_p[..., absent].max()) <= torch.tensor(TINY).log() + 1e-3
    assert torch.allclose(log_p[..., source[0].unique()].exp().sum(-1), torch.ones(1, 6), atol=1e-4)


def test_copying_begins_by_going_on_where_it_was() -> None:
    head = CopyHead(8)
    with torch.no_grad():
        head.query.weight.zero_()  # no opinion but the one that it is built with
    source = torch.tensor([[5, 6, 7, 5, 8, 0]])
    memory, mask = torch.randn(1, 6, 8), source != 0
    written = torch.tensor([[5, 7, 9]])
    said = head(torch.randn(1, 3, 8), memory, head.keys_of(memory), mask, follows(source, written))
    e2 = math.exp(2.0)
    by_hand = torch.tensor([[1, e2, 1, 1, e2, 0], [1, 1, 1, e2, 1, 0], [1, 1, 1, 1, 1, 0]])
    assert torch.allclose(said.weights[0].detach(), by_hand / by_hand.sum(1, keepdim=True), atol=1e-6)


def test_positions_are_sines_and_cosines() -> None:
    found = positions(3, 5, 4)
    by_hand = [[torch.tensor(p / 10_000 ** (2 * i / 4)) for i in range(2)] for p in (3, 4)]
    expected = torch.stack([torch.stack([f(a) for a in row for f in (torch.sin, torch.cos)]) for row in by_hand])
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dim": 30}, "dim: expected an even multiple of heads = 4, got 30"),
        ({"dropout": 1.0}, "dropout: expected a number in"),
        ({"norm": "both"}, "norm"),
        ({"attention": "positve"}, "positive"),
        ({"attention": "oprf"}, "needs no calibration"),
        ({"encoder_layers": 0}, "encoder_layers: expected a whole number >= 1, got 0"),
    ],
)
def test_wrong_shapes_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ModelConfig(**({"vocabulary": 50, "heads": 4, "dim": 32} | changes))  # pyright: ignore[reportArgumentType]
