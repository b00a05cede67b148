"""Prediction depth is that of the definition, written as loops, and every argument does what it says."""

import itertools
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from shoal.difficulty import Depth, Features, depth_of_features, nearest, prediction_depth, probe_features
from shoal.difficulty.brute import nearest_by_definition
from shoal.difficulty.depth import Definition
from shoal.difficulty.votes import count_votes, depth_of_agreement, depth_of_right_answer, soft_depth
from shoal.engine import precision_named
from shoal.errors import InputError
from tests.difficulty.networks import CASES, flat, small_images

LAYERS = ["1", "2", "4"]  # of `flat`, at most 24 numbers each


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return flat()


def data(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Five classes that overlap."""
    labels = torch.arange(n) % 5
    return small_images(n, seed) + 0.2 * labels[:, None, None, None], labels


# The definition in loops


def activations(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """What every probe sees, by a pass of our own."""
    found = {"input": x.flatten(1)}
    rows = x
    with torch.no_grad():
        for name, part in model.eval().named_children():
            rows = part(rows)
            found[name] = rows
    return {name: found[name] for name in ["input", *LAYERS]} | {"softmax": rows.softmax(1)}


def most_named(classes: list[int]) -> int:
    """The class that most say; the lower one of several."""
    counts = Counter(classes)
    return min(counts, key=lambda one: (-counts[one], one))


def in_loops(
    model: nn.Module,
    reference: tuple[Tensor, Tensor],
    queries: tuple[Tensor, Tensor] | None,
    *,
    k: int,
    metric: str,
    definition: str,
    confidence: float,
) -> dict[str, list[Any]]:
    """Depth, soft depth, what probes say and the neighbours of every example."""
    asked = queries or reference
    of_references, of_queries = activations(model, reference[0]), activations(model, asked[0])
    predicted = of_queries["softmax"].argmax(1).tolist()
    near = {
        name: nearest_by_definition(rows, None if queries is None else of_queries[name], k, metric=metric)
        for name, rows in of_references.items()
    }
    found: dict[str, list[Any]] = {"depth": [], "soft_depth": [], "said": [], "neighbours": [], "consensus": []}
    for at, label in enumerate(asked[1].tolist()):
        votes = [[int(reference[1][other]) for other in near[name][at]] for name in near]
        said = [most_named(line) for line in votes]
        if definition == "agreement":
            wanted = predicted[at]
            depth = len(said)
            while depth > 0 and said[depth - 1] == wanted:
                depth -= 1
        else:
            wanted = label
            sure = [line.count(label) / k >= confidence for line in votes]
            right = [one == label and enough for one, enough in zip(said, sure, strict=True)]
            depth = right.index(True) if True in right else len(said)
        found["depth"].append(depth)
        found["soft_depth"].append(sum(1 - line.count(wanted) / k for line in votes))
        found["said"].append(said)
        found["neighbours"].append([near[name][at] for name in near])
        found["consensus"].append(most_named(said))
    return found


@pytest.mark.parametrize("definition", ["agreement", "earliest_correct"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("others", [False, True])
def test_equals_the_definition_in_loops(definition: Definition, metric: str, others: bool) -> None:
    model, reference = network(), data(45)
    queries = data(15, seed=1) if others else None
    settings: dict[str, Any] = {"k": 9, "metric": metric, "definition": definition, "confidence": 0.4}
    expected = in_loops(model, reference, queries, **settings)
    found = prediction_depth(model, reference, queries, layers=LAYERS, **settings)
    assert found.layers == ("input", *LAYERS, "softmax")
    assert found.depth.tolist() == expected["depth"]
    assert found.soft_depth.tolist() == pytest.approx(expected["soft_depth"], abs=1e-5)
    assert found.votes.argmax(2).tolist() == expected["said"]
    assert found.neighbours.tolist() == expected["neighbours"]
    assert found.consensus.tolist() == expected["consensus"]
    labels = (queries or reference)[1]
    right = [[said[at] == int(label) for said, label in zip(expected["said"], labels, strict=True)] for at in range(5)]
    assert found.probe_accuracy.tolist() == pytest.approx([sum(line) / len(line) for line in right])
    assert torch.equal(found.labels, labels)
    assert torch.equal(found.predicted, found.probabilities.argmax(1))
    assert len(found) == len(labels)
    assert len(set(found.depth.tolist())) >= 3  # the data tell depths apart


@given(data=st.data(), probes=st.integers(1, 5), classes=st.integers(2, 4), k=st.integers(1, 4))
def test_depths_of_any_votes(data: st.DataObject, probes: int, classes: int, k: int) -> None:
    """Few neighbours of few classes: ties are everywhere, and go to the lower class."""
    one = st.lists(st.integers(0, classes - 1), min_size=k, max_size=k)
    lines = data.draw(st.lists(st.lists(one, min_size=probes, max_size=probes), min_size=1, max_size=6))
    wanted = data.draw(st.lists(st.integers(0, classes - 1), min_size=len(lines), max_size=len(lines)))
    confidence = data.draw(st.sampled_from([0.25, 0.5, 0.75, 1.0]))
    index = torch.arange(k).expand(len(lines), k)
    votes = torch.stack(
        [
            torch.cat([count_votes(index[:1], torch.tensor(line[probe]), classes) for line in lines])
            for probe in range(probes)
        ],
        1,
    )
    asked = torch.tensor(wanted)
    for at, line in enumerate(lines):
        said = [most_named(names) for names in line]
        settled = [depth for depth in range(probes + 1) if all(name == wanted[at] for name in said[depth:])]
        assert int(depth_of_agreement(votes, asked)[at]) == min(settled)
        first = [p for p in range(probes) if said[p] == wanted[at] and line[p].count(wanted[at]) / k >= confidence]
        assert int(depth_of_right_answer(votes, asked, confidence)[at]) == min([*first, probes])
        against = sum(1 - names.count(wanted[at]) / k for names in line)
        assert float(soft_depth(votes, asked)[at]) == pytest.approx(against, abs=1e-5)


def test_votes_are_shares() -> None:
    votes = count_votes(torch.tensor([[0, 1, 2], [3, 3, 3]]), torch.tensor([2, 0, 2, 1]), 4)
    assert torch.allclose(votes, torch.tensor([[1 / 3, 0, 2 / 3, 0], [0, 1, 0, 0]]))


# By hand


def line(values: dict[str, list[float]], logits: list[list[float]], labels: list[int]) -> Features:
    """Features of one number each."""
    rows = {name: torch.tensor(numbers, dtype=torch.float32)[:, None] for name, numbers in values.items()}
    probabilities = torch.tensor(logits, dtype=torch.float32).softmax(1)
    return Features(
        layers=(*rows, "softmax"),
        values={**rows, "softmax": probabilities},
        pooling=dict.fromkeys([*rows, "softmax"], "whole"),
        probabilities=probabilities,
        labels=torch.tensor(labels),
        seconds=0.0,
    )


REFERENCES = line(
    {"input": [0, 1, 2, 10, 11, 12], "middle": [0, 1, 2, 10, 11, 12]},
    [[2, 0], [2, 0], [2, 0], [0, 2], [0, 2], [0, 2]],
    [0, 0, 0, 1, 1, 1],
)


@pytest.mark.parametrize(
    ("place", "logits", "depth"),
    [
        ({"input": 1.0, "middle": 1.0}, [2.0, 0.0], 0),  # all say 0, and so does the network
        ({"input": 11.0, "middle": 1.0}, [2.0, 0.0], 1),  # the input's neighbours say 1
        ({"input": 1.0, "middle": 11.0}, [2.0, 0.0], 2),  # the middle's do: what agreed before does not count
        ({"input": 11.0, "middle": 11.0}, [2.0, 0.0], 2),  # the softmax alone agrees
        ({"input": 1.0, "middle": 1.0}, [0.2, 0.0], 0),
    ],
)
def test_depth_by_hand(place: dict[str, float], logits: list[float], depth: int) -> None:
    query = line({name: [at] for name, at in place.items()}, [logits], [1])
    assert depth_of_features(REFERENCES, query, k=3).depth.tolist() == [depth]


def test_an_example_that_never_settles_has_the_number_of_probes() -> None:
    """Its softmax lies among those of class 1, where the network itself says 0."""
    references = line(
        {"input": [0, 1, 2, 10, 11, 12]}, [[0.1, 0], [0.1, 0], [0.1, 0], [2, 0], [2, 0], [2, 0]], [0, 0, 0, 1, 1, 1]
    )
    found = depth_of_features(references, line({"input": [1.0]}, [[2.0, 0.0]], [0]), k=3)
    assert found.predicted.tolist() == [0]
    assert found.depth.tolist() == [2]
    assert found.soft_depth.tolist() == [1.0]
    right = depth_of_features(references, line({"input": [1.0]}, [[2.0, 0.0]], [0]), k=3, definition="earliest_correct")
    assert right.depth.tolist() == [0]


def test_ties_of_votes_go_to_the_lower_class() -> None:
    references = line({"input": [0, 1]}, [[0, 2], [0, 2]], [1, 0])
    found = depth_of_features(references, line({"input": [0.5]}, [[0.0, 2.0]], [1]), k=2)
    assert found.votes.tolist() == [[[0.5, 0.5], [0.5, 0.5]]]
    assert found.depth.tolist() == [2]  # the network says 1, both probes say 0
    found = depth_of_features(references, line({"input": [0.5]}, [[2.0, 0.0]], [1]), k=2)
    assert found.depth.tolist() == [0]
    assert found.consensus.tolist() == [0]


def test_confidence_is_a_share_that_will_do() -> None:
    """Two of three votes for class 1: enough for 2/3, too few for more."""
    references = line({"input": [0, 1, 2, 50]}, [[0, 2], [0, 2], [0, 2], [0, 2]], [0, 1, 1, 0])
    query = line({"input": [1.0]}, [[2.0, 0.0]], [1])
    depths = [
        depth_of_features(references, query, k=3, definition="earliest_correct", confidence=share).depth.tolist()
        for share in (0.01, 0.5, 2 / 3, 0.67, 1.0)
    ]
    assert depths == [[0], [0], [0], [2], [2]]


def test_an_example_is_left_out_of_its_own_neighbours() -> None:
    """Pairs of different labels: the nearest other example always says the other label, itself would say its own."""
    x = torch.tensor([0, 1, 10, 11, 20, 21, 30, 31.0])[:, None]
    y = torch.tensor([0, 1] * 4)
    model = nn.Sequential(nn.Linear(1, 3), nn.Linear(3, 2))
    assert prediction_depth(model, (x, y), k=1).probe_accuracy[0] == 0
    assert prediction_depth(model, (x, y), (x, y), k=1).probe_accuracy[0] == 1
    twice = torch.cat([x, x]), torch.cat([y, y])  # with a copy of itself, which is another example
    assert prediction_depth(model, twice, k=1).probe_accuracy[0] == 1
    unlike = torch.cat([x, x]), torch.cat([y, 1 - y])
    assert prediction_depth(model, unlike, k=1).probe_accuracy[0] == 0


# Arguments


def same(one: Depth, other: Depth) -> None:
    """The same in all that was measured."""
    assert one.layers == other.layers
    for name in ("depth", "soft_depth", "votes", "probabilities", "labels", "neighbours"):
        assert torch.allclose(getattr(one, name).double(), getattr(other, name).double(), atol=1e-6), name


def test_loaders_equal_pairs() -> None:
    model, reference, queries = network(), data(45), data(15, seed=1)
    whole = prediction_depth(model, reference, queries, layers=LAYERS, k=9)
    loaders = [DataLoader(TensorDataset(*pair), batch_size=7) for pair in (reference, queries)]
    same(prediction_depth(model, *loaders, layers=LAYERS, k=9), whole)
    batches = [list(zip(x.split(11), y.split(11), strict=True)) for x, y in (reference, queries)]
    same(prediction_depth(model, batches[0], batches[1], layers=LAYERS, k=9), whole)
    same(prediction_depth(model, reference, iter(batches[1]), layers=LAYERS, k=9), whole)  # queries are read once
    for batch_size in (1, 8, 1000):
        same(prediction_depth(model, reference, queries, layers=LAYERS, k=9, batch_size=batch_size), whole)


def test_references_that_can_be_read_only_once_are_refused() -> None:
    """Layers are chosen with the first batch, which would be missing afterwards."""
    x, y = data(45)
    message = (
        "^data: expected a loader that can be gone through again, got zip; give a list of batches or a DataLoader$"
    )
    with pytest.raises(InputError, match=message):
        prediction_depth(network(), zip(x.split(9), y.split(9), strict=True), k=9)


def test_prepare_is_applied_to_the_inputs() -> None:
    model, (x, y), (others, theirs) = network(), data(45), data(15, seed=1)
    raw, raw_others = ((z * 40 + 128).clamp(0, 255).to(torch.uint8) for z in (x, others))
    calls: list[torch.dtype] = []

    def prepare(images: Tensor) -> Tensor:
        calls.append(images.dtype)
        return (images.float() - 128) / 40

    found = prediction_depth(model, (raw, y), (raw_others, theirs), k=9, prepare=prepare)
    same(found, prediction_depth(model, (prepare(raw), y), (prepare(raw_others), theirs), k=9))
    assert set(calls) == {torch.uint8}


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int16])
def test_labels_of_any_whole_numbers(dtype: torch.dtype) -> None:
    model, (x, y) = network(), data(45)
    same(prediction_depth(model, (x, y.to(dtype)), k=9), prediction_depth(model, (x, y), k=9))


def test_precision() -> None:
    case = CASES["separable"]
    model, x, y = case.model(), case.inputs(40), torch.arange(40) % 5
    layers = list(case.chosen)
    whole = probe_features(model, (x, y), layers)
    last = probe_features(model, (x, y), layers, precision=precision_named("fp32+channels_last"))
    half = probe_features(model, (x, y), layers, precision=precision_named("bf16"))
    assert torch.allclose(last.probabilities, whole.probabilities, atol=1e-5)
    for name in whole.layers:
        assert half.values[name].dtype == torch.float32
        assert torch.allclose(half.values[name], whole.values[name], rtol=0.05, atol=0.05), name
    rounded = half.values["stem.0"]  # a convolution's output in bfloat16: its last 16 bits are zero
    assert torch.equal(rounded, rounded.bfloat16().float())
    assert not torch.equal(whole.values["stem.0"], whole.values["stem.0"].bfloat16().float())
    assert torch.equal(half.values["input"], whole.values["input"])
    found = prediction_depth(model, (x, y), layers=layers, k=9, precision=precision_named("bf16"))
    assert torch.equal(found.probabilities, half.probabilities)


def test_device() -> None:
    model, reference = network(), data(45)
    same(prediction_depth(model, reference, k=9, device=torch.device("cpu")), prediction_depth(model, reference, k=9))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_agrees_with_the_cpu() -> None:
    model, reference, queries = network(), data(45), data(15, seed=1)
    on_cpu = prediction_depth(model, reference, queries, layers=LAYERS, k=9)
    on_gpu = prediction_depth(model.cuda(), reference, queries, layers=LAYERS, k=9)
    assert (on_gpu.votes - on_cpu.votes).abs().mean() < 0.01  # sums of another order can turn a near tie
    assert torch.allclose(on_gpu.probabilities, on_cpu.probabilities, atol=1e-3)
    pair = reference[0].cuda(), reference[1].cuda()
    assert (prediction_depth(model, pair, queries, layers=LAYERS, k=9).votes - on_cpu.votes).abs().mean() < 0.01
    assert model.get_parameter("1.weight").is_cuda


def test_a_model_in_training_mode_answers_as_in_evaluation_mode() -> None:
    """Dropout and batch norm: what is found does not depend on the mode, and the running statistics stay."""
    case = CASES["separable"]
    x, y = case.inputs(40), torch.arange(40) % 5
    expected = prediction_depth(case.model().eval(), (x, y), k=9)
    model = case.model().train()
    model.get_submodule("stem").eval()
    modes = [part.training for part in model.modules()]
    statistics = {name: value.clone() for name, value in model.state_dict().items()}
    found = prediction_depth(model, (x, y), k=9)
    same(found, expected)
    assert [part.training for part in model.modules()] == modes
    for name, value in model.state_dict().items():
        assert torch.equal(value, statistics[name]), name
    with torch.no_grad():
        assert not torch.allclose(model(x).softmax(1), expected.probabilities, atol=1e-3)  # the modes do differ


def test_features_can_be_extracted_once_for_many_questions() -> None:
    model, reference, queries = network(), data(45), data(15, seed=1)
    ours, theirs = (probe_features(model, pair, LAYERS) for pair in (reference, queries))
    for k, metric in itertools.product((1, 9), ("euclidean", "cosine")):
        whole = prediction_depth(model, reference, queries, layers=LAYERS, k=k, metric=metric)
        same(depth_of_features(ours, theirs, k=k, metric=metric), whole)
        same(
            depth_of_features(ours, k=k, metric=metric),
            prediction_depth(model, reference, layers=LAYERS, k=k, metric=metric),
        )
    assert torch.equal(ours.predicted, ours.probabilities.argmax(1))
    message = "^queries: expected probes input, 1, 2, 4, softmax, got input, 1, softmax$"
    with pytest.raises(InputError, match=message):
        depth_of_features(ours, probe_features(model, queries, ["1"]))


def test_features_are_what_layers_give() -> None:
    """The input whole, however long it is; layers pooled."""
    case = CASES["inception"]
    model, x, y = case.model().eval(), case.inputs(9), torch.arange(9) % 5
    found = probe_features(model, (x, y), ["stem", "two"], batch_size=4)
    assert torch.equal(found.values["input"], x.flatten(1))
    kept: list[Tensor] = []
    stem = model.get_submodule("stem")
    handle = stem.register_forward_hook(lambda _m, _i, output: kept.append(output))  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        logits = model(x)
    handle.remove()
    cells = kept[0].unflatten(3, (8, 2)).unflatten(2, (8, 2)).mean((3, 5))  # 8 channels, 8×8 of 16×16: 512 numbers
    assert torch.allclose(found.values["stem"], cells.flatten(1), atol=1e-6)
    assert found.values["two"].shape == (9, 400)
    assert found.pooling == {
        "input": "whole",
        "stem": "mean over 8×8 of 16×16",
        "two": "mean over 5×5 of 16×16",
        "softmax": "whole",
    }
    assert torch.allclose(found.values["softmax"], logits.softmax(1), atol=1e-6)
    assert torch.equal(found.labels, y)
    assert found.seconds > 0


def test_neighbours_are_those_of_every_probe() -> None:
    features = probe_features(network(), data(45), LAYERS)
    found = depth_of_features(features, k=30)
    assert found.neighbours.shape == (45, 5, 30)
    for at, name in enumerate(found.layers):
        assert torch.equal(found.neighbours[:, at].long(), nearest(features.values[name], None, 30).index)


def test_what_was_asked_for_is_said() -> None:
    found = prediction_depth(
        network(), data(45), layers=["2"], k=9, metric="cosine", definition="earliest_correct", confidence=0.3
    )
    assert (found.k, found.metric, found.definition) == (9, "cosine", "earliest_correct")
    assert found.pooling == {"input": "whole", "2": "whole", "softmax": "whole"}
    assert set(found.seconds) == {"features", "neighbours"}
    mean, right = float(found.depth.double().mean()), found.probe_accuracy.tolist()
    text = f"45 examples, mean depth {mean:.2f} of 3; probes that are right: "
    assert str(found) == text + f"input {right[0]:.1%}, 2 {right[1]:.1%}, softmax {right[2]:.1%}"


# Slips


def test_queries_may_be_of_one_class() -> None:
    x, y = data(45)
    alike = y == 2
    found = prediction_depth(network(), (x, y), (x[alike], y[alike]), k=9)
    everyone = prediction_depth(network(), (x, y), (x, y), k=9)
    assert torch.equal(found.depth, everyone.depth[alike])


def spoiled(value: float) -> nn.Module:
    model = network()
    with torch.no_grad():
        model.get_parameter("3.weight")[2, 3] = value
    return model


X, Y = data(45)
SLIPS = {
    "few references": ({"k": 45}, "probe at input: k: expected at most the 44 other references, got 45; give more"),
    "few references for others": (
        {"k": 46, "queries": data(3)}, "probe at input: k: expected at most the 45 references, got 46; give more"
    ),
    "no neighbours": ({"k": 0}, "probe at input: k: expected a whole number >= 1, got 0"),
    "another metric": ({"metric": "dot"}, "probe at input: metric: expected \"euclidean\" or \"cosine\", got 'dot'"),
    "labels above": ({"reference": (X, Y + 1)}, "labels: expected classes 0 to 4, got 1 to 5"),
    "labels below": ({"reference": (X, Y - 1)}, "labels: expected classes 0 to 4, got -1 to 3"),
    "labels of others": ({"queries": (X, Y + 1)}, "labels: expected classes 0 to 4, got 1 to 5"),
    "one class": ({"reference": (X, 0 * Y + 3)}, "labels: expected at least two classes, got only class 3"),
    "floating labels": ({"reference": (X, Y.float())}, r"labels: expected whole numbers \[n\], got torch.float32 "),
    "yes and no": ({"reference": (X, Y > 2)}, r"labels: expected whole numbers \[n\], got torch.bool \[45\]"),
    "labels in a column": ({"reference": (X, Y[:, None])}, r"labels: expected whole numbers \[n\], got .* \[45, 1\]"),
    "other lengths": ({"reference": (X, Y[:9])}, "data: expected inputs and labels of one length, at least 1, got 45"),
    "no data": ({"reference": (X[:0], Y[:0])}, "data: expected inputs and labels of one length, at least 1, got 0 and"),
    "no batches": ({"reference": []}, "data: expected at least one example, got none"),
    "no queries": ({"queries": []}, "data: expected at least one example, got none"),
    "queries of no length": ({"queries": (X[:0], Y[:0])}, "data: expected inputs and labels of one length, at least 1"),
    "weights that are NaN": (
        {"model": spoiled(torch.nan)}, "activations of 3: expected finite numbers, got NaN or infinity in 45 rows; look"
    ),
    "weights that are infinite": (
        {"model": spoiled(torch.inf)}, "activations of 3: expected finite numbers, got NaN or infinity in "
    ),
    "an input that is NaN": (
        {"reference": (X.index_fill(0, torch.tensor([4]), torch.nan), Y)},
        "activations of input: expected finite numbers, got NaN or infinity in 1 rows; look at the weights and inputs",
    ),
    "inputs of another shape": (
        {"reference": (X[:, :2], Y)}, r"data: expected inputs that the model takes, got \[2, 2, 8, 8\]: mat1 and mat2"
    ),
    "queries of another shape": (
        {"queries": (X[:, :2], Y)}, r"queries: expected inputs of 192 numbers, as the references, got 128, of shape"
    ),
    "no confidence": ({"confidence": 0}, "confidence: expected a share of the votes above 0, at most 1, got 0"),
    "too much confidence": ({"confidence": 1.5}, "confidence: expected a share of the votes above 0, at most 1, "),
    "confidence that is NaN": ({"confidence": torch.nan}, "confidence: expected a share of the votes above 0"),
    "an unknown layer": ({"layers": ["1", "9"]}, "unknown layer '9'; known: 0, 1, 2, 3, 4, 5"),
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_slips_are_one_line(slip: str) -> None:
    change, message = SLIPS[slip]
    arguments: dict[str, Any] = {"model": network(), "reference": (X, Y), "queries": None, "k": 9} | change
    with pytest.raises(InputError, match=f"^{message}") as caught:
        prediction_depth(arguments.pop("model"), arguments.pop("reference"), arguments.pop("queries"), **arguments)
    assert "\n" not in str(caught.value)
