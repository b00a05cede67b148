"""Prediction depth: how far into a network an example has to go until its answer is settled.

    found = prediction_depth(model, train)             # training examples, each left out of its own neighbours
    found = prediction_depth(model, train, test)       # others; both pairs of tensors, or loaders
    found.depth, found.probe_accuracy, found.layers

At the input, at layers and at the softmax, a k-nearest-neighbour probe asks the training examples around an example for
their labels. Depth l: probe l − 1 disagrees with the network's answer, and all from l on agree.

Source: Baldock, Maennel & Neyshabur 2021, "Deep learning through the lens of example difficulty" (arXiv 2106.09647).
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shoal.difficulty.features import INPUT, Features, check_labels, find_layers, probe_features
from shoal.difficulty.nearest import nearest
from shoal.difficulty.votes import consensus_of, count_votes, depth_of_agreement, depth_of_right_answer, soft_depth
from shoal.engine import Data, Precision, in_order
from shoal.engine.batches import Pair, Prepare
from shoal.errors import wrong

Definition = Literal["agreement", "earliest_correct"]


@dataclass(frozen=True)
class Depth:
    """Prediction depths, and what they were made of.

    Attributes:
        depth: [n], 0 (settled at the input) to the number of probes (never settled).
        soft_depth: [n], 0 to the number of probes: probes times the share of neighbours, over all probes, that do not
            say the class in question (the network's; the label for "earliest_correct").
        votes: shares of the k neighbours by class.
        layers: names of the probes: the input first, the softmax last.
        pooling: how the rows of every probe were made.
        probabilities: of the network.
        labels: true (or given) classes.
        neighbours: references that are nearest at every probe, the nearest first.
        among_references: whether the examples are the references, each left out of its own neighbours.
        k, metric, definition: as asked for.
        seconds: {"features", "neighbours"}.
    """

    depth: Int[Tensor, " n"]
    soft_depth: Float[Tensor, " n"]
    votes: Float[Tensor, "n probes classes"]
    layers: tuple[str, ...]
    pooling: dict[str, str]
    probabilities: Float[Tensor, "n classes"]
    labels: Int[Tensor, " n"]
    neighbours: Int[Tensor, "n probes k"]
    among_references: bool
    k: int
    metric: str
    definition: Definition
    seconds: dict[str, float]

    @property
    def predicted(self) -> Int[Tensor, " n"]:
        """The network's classes."""
        return self.probabilities.argmax(1)

    @property
    def probe_accuracy(self) -> Float[Tensor, " probes"]:
        """Share of examples of which every probe says the label."""
        return (self.votes.argmax(2) == self.labels[:, None]).double().mean(0)

    @property
    def consensus(self) -> Int[Tensor, " n"]:
        """The class that most probes say."""
        return consensus_of(self.votes)

    def __len__(self) -> int:
        return len(self.depth)

    def __str__(self) -> str:
        right = ", ".join(f"{name} {x:.1%}" for name, x in zip(self.layers, self.probe_accuracy.tolist(), strict=True))
        mean = float(self.depth.double().mean())
        return f"{len(self)} examples, mean depth {mean:.2f} of {len(self.layers)}; probes that are right: {right}"


def prediction_depth(
    model: nn.Module,
    reference: Data,
    queries: Data | None = None,
    *,
    layers: Sequence[str] | None = None,
    k: int = 30,
    metric: str = "euclidean",
    definition: Definition = "agreement",
    confidence: float = 0.5,
    prepare: Prepare | None = None,
    precision: Precision | None = None,
    device: torch.device | None = None,
    batch_size: int = 512,
) -> Depth:
    """Measure at which depth a classifier settles each example.

    Args:
        model: any classifier; put into evaluation mode, and every part back into the mode that it was in.
        reference: training examples, (inputs [n, ...], labels [n]) or a loader of such pairs that does not shuffle.
        queries: examples to measure; None measures the references, each left out of its own neighbours.
        layers: names; up to 8 on every path, at even shares of the cost, unless given.
        k: neighbours of a probe; the paper's 30.
        metric: "euclidean" or "cosine".
        definition: "agreement", the paper's: the first probe from which on all agree with the network's answer; or
            "earliest_correct": the first probe that says the label with at least `confidence` of the votes.
        confidence: share of votes, (0, 1].
        prepare: applied to the inputs of every batch.
        precision: how to run; float32 unless given.
        device: where to run; where the model is, unless given.
        batch_size: rows at a time, for pairs of tensors.

    Raises:
        InputError: if a layer does not exist, does not run once or is not on every path; if labels are out of range, or
            the references' of one class only; if there are fewer than k references; if an activation is not finite.

    Example:
        >>> x = torch.cat([torch.randn(40, 4) - 3, torch.randn(40, 4) + 3])
        >>> y = torch.arange(2).repeat_interleave(40)
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> found = prediction_depth(model, (x, y), layers=["0", "1"], k=5)
        >>> found.layers, found.votes.shape, float(found.probe_accuracy[0])
        (('input', '0', '1', 'softmax'), torch.Size([80, 4, 2]), 1.0)
    """
    if definition not in ("agreement", "earliest_correct"):
        raise wrong("definition", expected='"agreement" or "earliest_correct"', got=repr(definition))
    if not 0 < confidence <= 1:
        raise wrong("confidence", expected="a share of the votes above 0, at most 1", got=confidence)
    names = find_layers(model, reference, layers, prepare=prepare)
    options = {"precision": precision, "device": device, "batch_size": batch_size}
    of_references = probe_features(model, reference, names, prepare=prepare, **options)
    of_queries = None
    if queries is not None:
        width = of_references.values[INPUT].shape[1]
        alike = _of_width(in_order(queries, batch_size=batch_size, prepare=prepare), width)
        of_queries = probe_features(model, alike, names, **options)
    return depth_of_features(
        of_references, of_queries, k=k, metric=metric, definition=definition, confidence=confidence
    )


def depth_of_features(
    reference: Features,
    queries: Features | None = None,
    *,
    k: int = 30,
    metric: str = "euclidean",
    definition: Definition = "agreement",
    confidence: float = 0.5,
) -> Depth:
    """The same from features that were extracted before; arguments as of `prediction_depth`."""
    asked = reference if queries is None else queries
    if asked.layers != reference.layers:
        raise wrong("queries", expected=f"probes {', '.join(reference.layers)}", got=", ".join(asked.layers))
    classes = asked.probabilities.shape[1]
    check_labels(reference.labels, classes)
    began = time.perf_counter()
    votes, near = [], []
    for name in reference.layers:
        rows = None if queries is None else queries.values[name]
        try:
            found = nearest(reference.values[name], rows, k, metric=metric)
        except ValueError as error:
            raise type(error)(f"probe at {name}: {error}") from None
        votes.append(count_votes(found.index, reference.labels, classes))
        near.append(found.index.int())
    table = torch.stack(votes, 1)  # (n, P, C)
    if definition == "agreement":
        depth, class_in_question = depth_of_agreement(table, asked.predicted), asked.predicted
    else:
        depth, class_in_question = depth_of_right_answer(table, asked.labels, confidence), asked.labels
    spent = reference.seconds + (0.0 if queries is None else queries.seconds)
    return Depth(
        depth=depth,
        soft_depth=soft_depth(table, class_in_question),
        votes=table,
        layers=reference.layers,
        pooling=reference.pooling,
        probabilities=asked.probabilities,
        labels=asked.labels,
        neighbours=torch.stack(near, 1),
        among_references=queries is None,
        k=k,
        metric=metric,
        definition=definition,
        seconds={"features": spent, "neighbours": time.perf_counter() - began},
    )


def _of_width(pairs: Iterator[Pair], width: int) -> Iterator[Pair]:
    """Batches of inputs of so many numbers each."""
    for inputs, labels in pairs:
        if inputs.shape[1:].numel() != width:
            got = f"{inputs.shape[1:].numel()}, of shape {list(inputs.shape[1:])}"
            raise wrong("queries", expected=f"inputs of {width} numbers, as the references", got=got)
        yield inputs, labels
