"""A small transformer on a mixed task, and what its heads do: who looks where, and who can be spared.

At every place of a random sequence three readouts tell the first token, the previous token, and whether the token
occurs once. Every readout needs another attention. The twin has the same first weights and is not trained.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from torch.nn.attention import SDPBackend, sdpa_kernel

from shoal.circuits import describe_pattern, record_queries_and_keys, recorded_attention, redundancy
from shoal.engine import stream
from shoal.studies.measured_rows import Row

TOKENS, LENGTH = 6, 8
LAYERS, HEADS, DIM = 2, 4, 32
BATCH, RATE = 32, 1e-2
WARM_UP = 50  # steps
TEST = 1000  # sequences
READOUTS = ("first token", "previous token", "unique or not")


class MixedTransformer(nn.Module):
    """Two layers of four heads, learned positions, a readout for every part of the task."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Embedding(TOKENS, DIM)
        self.place = nn.Parameter(0.1 * torch.randn(LENGTH, DIM))
        layer = nn.TransformerEncoderLayer(DIM, HEADS, 2 * DIM, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.readouts = nn.ModuleList([nn.Linear(DIM, TOKENS), nn.Linear(DIM, TOKENS + 1), nn.Linear(DIM, 2)])

    def forward(self, tokens: Int[Tensor, "batch n"]) -> list[Tensor]:
        """Logits of every readout, [batch, n, classes]."""
        hidden = self.encoder(self.token(tokens) + self.place)
        return [readout(hidden) for readout in self.readouts]


def wanted(tokens: Int[Tensor, "batch n"]) -> list[Int[Tensor, "batch n"]]:
    """Classes for every readout; the first place has no previous token, which is a class of its own."""
    first = tokens[:, :1].expand_as(tokens)
    previous = F.pad(tokens[:, :-1], (1, 0), value=TOKENS)
    once = (tokens[:, :, None] == tokens[:, None, :]).sum(-1) == 1
    return [first, previous, once.long()]


def draw(count: int, generator: torch.Generator) -> Int[Tensor, "count n"]:
    """Random sequences."""
    return torch.randint(TOKENS, (count, LENGTH), generator=generator)


def train(seeds: Sequence[int], steps: int) -> list[MixedTransformer]:
    """Trained transformers; all seeds at once, since a step costs little more for several than for one."""
    models = [untrained(seed).train() for seed in seeds]
    weights, _ = stack_module_state([*models])
    optimizer = torch.optim.AdamW(weights.values(), lr=RATE, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    generators = [stream(seed, "mixed task") for seed in seeds]

    def error(own: dict[str, Tensor], tokens: Tensor) -> Tensor:
        logits = zip(functional_call(models[0], own, (tokens,)), wanted(tokens), strict=True)
        return torch.stack([F.cross_entropy(x.flatten(0, 1), y.flatten()) for x, y in logits]).sum()

    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARM_UP) * (1 - step / steps)
        tokens = torch.stack([draw(BATCH, generator) for generator in generators])  # (seeds, B, N)
        with sdpa_kernel(SDPBackend.MATH):  # the fast one is not made for many models at once
            loss = torch.vmap(error)(weights, tokens).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for at, model in enumerate(models):
        model.load_state_dict({name: stacked[at].detach() for name, stacked in weights.items()})
        model.eval()
    return models


def untrained(seed: int) -> MixedTransformer:
    """First weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MixedTransformer().eval()


def look_at_all(seeds: Sequence[int], steps: int) -> Row:
    """Train, and look at every transformer and its untrained twin."""
    return {"found": [look(seed, model) for seed, model in zip(seeds, train(seeds, steps), strict=True)]}


def look(seed: int, model: MixedTransformer) -> Row:
    """One transformer, as `TransformerFound` holds it."""
    tokens = draw(TEST, stream(seed, "test"))
    accuracy = accuracies(model, tokens)
    trained, before = Maps.of(model, tokens), Maps.of(untrained(seed), tokens)
    drops = []
    for at in range(LAYERS * HEADS):
        with left_out(model, at):
            drops.append((sum(accuracy) - sum(accuracies(model, tokens))) / len(accuracy))
    return {
        "seed": seed,
        "accuracy": accuracy,
        "heads": trained.described(drops),
        "untrained": before.described([0.0] * len(drops)),
        "likeness": redundancy(trained.maps).tolist(),
        "untrained_likeness": redundancy(before.maps).tolist(),
        "maps": [[[round(x, 4) for x in row] for row in rows] for rows in trained.maps.mean(1).tolist()],
    }


@torch.no_grad()
def accuracies(model: MixedTransformer, tokens: Int[Tensor, "batch n"]) -> list[float]:
    """Share of the places that every readout gets right."""
    logits = zip(model(tokens), wanted(tokens), strict=True)
    return [float((x.argmax(-1) == y).double().mean()) for x, y in logits]


@contextmanager
def left_out(model: MixedTransformer, at: int) -> Iterator[None]:
    """The model without the output of one head, counted through the layers; then as it was."""
    layer, head = divmod(at, HEADS)
    block = model.encoder.layers[layer]
    assert isinstance(block, nn.TransformerEncoderLayer)
    weight, own = block.self_attn.out_proj.weight, slice(head * DIM // HEADS, (head + 1) * DIM // HEADS)
    with torch.no_grad():
        kept = weight[:, own].clone()
        weight[:, own] = 0
    try:
        yield
    finally:
        with torch.no_grad():
            weight[:, own] = kept


@dataclass(frozen=True)
class Maps:
    """Attention of all heads of a model, one layer after another.

    Attributes:
        maps: what every query gives to every key.
        tokens: that were seen.
    """

    maps: Float[Tensor, "heads batch n n"]
    tokens: Int[Tensor, "batch n"]

    @classmethod
    def of(cls, model: MixedTransformer, tokens: Int[Tensor, "batch n"]) -> "Maps":
        """Recorded while the model runs."""
        recorded = record_queries_and_keys(model, tokens)
        return cls(torch.cat([recorded_attention(q, k) for q, k in recorded.values()]), tokens)

    def described(self, drops: list[float]) -> list[Row]:
        """Every head as `TransformerHead` holds it."""
        patterns = [describe_pattern(maps) for maps in self.maps]
        return [
            {
                "layer": at // HEADS,
                "head": at % HEADS,
                "roles": self.roles(at),
                "entropy": pattern.entropy,
                "stripe": pattern.stripe,
                "band": pattern.band,
                "drop": drops[at],
            }
            for at, pattern in enumerate(patterns)
        ]

    def roles(self, head: int) -> list[float]:
        """Attention to the first key, to the previous one, and to other places with the query's token; see `ROLES`."""
        maps = self.maps[head]
        others = (self.tokens[:, :, None] == self.tokens[:, None, :]) & ~torch.eye(LENGTH, dtype=torch.bool)
        asked = others.any(-1)
        return [
            float(maps[:, 1:, 0].mean()),
            float(maps.diagonal(-1, 1, 2).mean()),
            float((maps * others).sum(-1)[asked].mean()),
        ]
