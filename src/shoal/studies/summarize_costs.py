"""What a training step costs by the length of the document, and what it saves to remember while writing."""

import statistics
import time
from collections.abc import Sequence

import torch
from torch import Tensor

from shoal.studies.memory import PeakMemory
from shoal.studies.summarize_measured import Cost, Remembering
from shoal.summarize import ModelConfig, SummaryModel
from shoal.summarize.tokenizer import START

TOKENS = 8192  # of the documents of a step: one of 8,192 tokens or 64 of 128
TARGET = 16
VOCABULARY = 1000  # the output layer is not what is compared
WRITTEN = 128


def cost_of(length: int, map_name: str, features: int, *, seed: int, repeats: int = 3) -> tuple[Cost, Cost]:
    """A step with exact and with linear attention, timed in turn.

    Args:
        length: tokens of every document.
        map_name: of linear attention.
        features: of that map.
        seed: of weights and tokens.
        repeats: of each.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = max(1, TOKENS // length)
    source = torch.randint(3, VOCABULARY, (rows, length), generator=generator)
    target = torch.randint(3, VOCABULARY, (rows, TARGET), generator=generator)
    models = {"exact": _model("exact", features, seed), "linear": _model(map_name, features, seed)}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for repeat in range(repeats + 1):
        for name, model in models.items():
            began = time.perf_counter()
            _step(model, source, target)
            if repeat:
                seconds[name].append(time.perf_counter() - began)
    found = []
    for name, model in models.items():
        with PeakMemory(source, target, *model.parameters()) as memory:
            _step(model, source, target)
        found.append(Cost(length=length, attention=name, seconds=statistics.median(seconds[name]), memory=memory.peak))
    return found[0], found[1]


def _model(attention: str, features: int, seed: int) -> SummaryModel:
    torch.manual_seed(seed)
    shape = {"vocabulary": VOCABULARY, "dim": 64, "heads": 2, "encoder_layers": 2, "decoder_layers": 1, "dropout": 0.0}
    return SummaryModel(ModelConfig(**shape, attention=attention, features=features))  # pyright: ignore[reportArgumentType]


@torch.enable_grad()
def _step(model: SummaryModel, source: Tensor, target: Tensor) -> None:
    model.zero_grad()
    model.losses(source, target).nll.mean().backward()


@torch.no_grad()
def remembering_of(model: SummaryModel, source: Tensor, *, repeats: int = 3, tokens: int = WRITTEN) -> Remembering:
    """The same tokens written with and without what was computed for earlier ones.

    Args:
        model: in evaluation mode.
        source: documents, [n, seq].
        repeats: of each.
        tokens: to write.
    """

    def with_memory(target: Sequence[Tensor]) -> Tensor:
        writing = model.start(source, tokens)
        return torch.stack([model.step(writing, token) for token in target], 1)

    def without(target: Sequence[Tensor]) -> Tensor:
        mask, memory = model.encode(source)
        found = []
        for place in range(tokens):
            so_far = torch.stack(list(target[: place + 1]), 1)
            x = model.decode(so_far, memory, mask)[:, -1:]
            copying = model.copying(x, memory, mask, source, so_far[:, -1:])
            found.append(model.log_probabilities(x, copying, source)[:, 0])
        return torch.stack(found, 1)

    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(3, model.config.vocabulary, (tokens, len(source)), generator=generator)
    drawn[0] = START
    target = list(drawn.unbind())
    apart, times = 0.0, []
    for _ in range(repeats + 1):
        seconds = []
        results = []
        for way in (with_memory, without):
            began = time.perf_counter()
            results.append(way(target))
            seconds.append(time.perf_counter() - began)
        apart = max(apart, float((results[0].exp() - results[1].exp()).abs().max()))
        times.append(seconds[1] / seconds[0])
    return Remembering(tokens=tokens, rows=len(source), apart=apart, times=tuple(times[1:]))
