"""Exits on networks: the last one is the bare network, and predict equals a slow reference."""

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from math import inf

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from shoal.engine import precision_named
from shoal.errors import InputError
from shoal.exits import Confidence, EarlyExit, Entropy, Policy, exit_outputs
from shoal.measure import count_macs
from shoal.nets import create_model
from tests.exits.networks import Branches, Patches, Skipping, Twice, flat

CASES = {
    "resnet": (lambda: create_model("cifar_resnet18", num_classes=5, width=8), ["layer1", "layer2.0", "layer3"], 16),
    "bottleneck": (lambda: create_model("cifar_resnet50", num_classes=5, width=4), ["layer1", "layer3"], 16),
    "branches": (Branches, ["stem", "mix"], 16),
    "patches": (Patches, ["blocks.0", "blocks.1"], 16),
    "flat": (flat, ["1", "3"], 8),
}


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@cache
def build(name: str) -> tuple[nn.Module, EarlyExit, int]:
    make, at, side = CASES[name]
    torch.manual_seed(0)
    backbone = make().eval()
    return backbone, EarlyExit(backbone, at, 5, example=torch.randn(2, 3, side, side)).eval(), side


def reference(net: EarlyExit, x: Tensor, policy: Policy) -> tuple[Tensor, Tensor]:
    """Slow and obvious: one row at a time, all exits computed, the first that satisfies the policy taken."""
    answers, taken = [], []
    for row in x:
        every = net(row[None])
        for index, logits in enumerate(every):
            if index == len(every) - 1 or bool(policy.leaves(logits, index)):
                answers.append(logits[0])
                taken.append(index)
                break
    return torch.stack(answers), torch.tensor(taken)


@pytest.mark.parametrize("name", CASES)
def test_the_last_exit_is_the_bare_network_to_the_bit(name: str) -> None:
    backbone, net, side = build(name)
    x = torch.randn(7, 3, side, side)
    bare = backbone(x)
    bare = bare[0] if isinstance(bare, tuple) else bare
    *early, last = net(x)
    assert torch.equal(last, bare)
    assert [tuple(logits.shape) for logits in early] == [(7, 5)] * len(net.at)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("policy_type", [Confidence, Entropy])
def test_predict_equals_one_row_at_a_time(name: str, policy_type: type[Policy]) -> None:
    _, net, side = build(name)
    x = 3 * torch.randn(40, 3, side, side)
    # thresholds at the median of each exit's score: about half of what arrives leaves
    thresholds = [float(policy_type.score(logits).median()) for logits in net(x)[:-1]]
    policy = policy_type(thresholds)
    found = net.predict(x, policy)
    answers, taken = reference(net, x, policy)
    same = found.exit_index == taken  # a score on the very threshold may fall to either side in another batch
    assert same.double().mean() >= 0.95
    assert torch.allclose(found.logits[same], answers[same], atol=1e-4)
    assert len(found.exit_index.unique()) > 1


@given(n=st.integers(0, 9), seed=st.integers(0, 99), thresholds=st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_rows_come_back_in_their_order(n: int, seed: int, thresholds: list[float]) -> None:
    _, net, side = build("resnet")
    x = torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(seed))
    policy = Confidence(thresholds)
    found = net.predict(x, policy)
    turned = net.predict(x.flip(0), policy)
    assert found.logits.shape == (n, 5)
    assert torch.equal(found.exit_index, turned.exit_index.flip(0))
    assert torch.allclose(found.logits, turned.logits.flip(0), atol=1e-4)
    assert torch.equal(found.macs, net.exit_costs(torch.zeros(1, 3, side, side))[found.exit_index])


def test_finished_rows_are_really_gone() -> None:
    """Layers after an exit see only the rows that go on; where none does, they do not run."""
    _, net, side = build("resnet")
    x = torch.randn(10, 3, side, side)
    seen: list[int] = []
    handle = net.backbone.get_submodule("layer4").register_forward_hook(lambda _m, i, _o: seen.append(len(i[0])))
    confidence = Confidence.score(net(x)[0])
    net.exit_costs(x[:1])
    seen.clear()
    threshold = float(confidence.sort().values[6])  # four of ten leave at the first exit
    net.predict(x, Confidence([threshold, inf, inf]))
    net.predict(x, Confidence([0, inf, inf]))
    handle.remove()
    assert seen == [6]


@pytest.mark.parametrize("name", ["resnet", "branches", "patches", "flat"])
def test_costs_rise_and_end_at_the_backbone_and_all_heads(name: str) -> None:
    backbone, net, side = build(name)
    x = torch.randn(1, 3, side, side)
    costs = net.exit_costs(x).tolist()
    heads = sum(module.in_features * 5 for module in net.heads.modules() if isinstance(module, nn.Linear))
    assert costs == sorted(costs)
    assert costs[-1] == count_macs(backbone, x).total + heads


def test_costs_of_a_resnet_are_those_of_the_hand_formula() -> None:
    net = EarlyExit(create_model("cifar_resnet18", width=64), ["layer1", "layer2"], 10)
    stem, layer1 = 32 * 32 * 9 * 3 * 64, 4 * 32 * 32 * 9 * 64 * 64
    layer2 = 16 * 16 * (9 * 64 * 128 + 3 * 9 * 128 * 128 + 64 * 128)
    heads = [5 * 64 * 10, 5 * 128 * 10]
    assert net.exit_costs(torch.zeros(1, 3, 32, 32)).tolist()[:2] == [
        stem + layer1 + heads[0],
        stem + layer1 + layer2 + sum(heads),
    ]


def test_predict_leaves_the_network_as_it_was() -> None:
    _, net, side = build("resnet")
    net.train()
    before = copy.deepcopy(net.state_dict())
    net.predict(torch.randn(4, 3, side, side), Confidence([0.5, 0.5, 0.5]))
    assert net.training
    net.eval()  # the network is shared among tests
    assert all(not module._forward_hooks for module in net.modules())
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])


def test_an_error_in_the_backbone_leaves_no_hooks() -> None:
    _, net, _ = build("resnet")
    with pytest.raises(ValueError, match="3"):
        net(torch.randn(2, 4, 16, 16))
    assert all(not module._forward_hooks for module in net.modules())


def test_layers_are_sorted_into_the_order_of_running() -> None:
    net = EarlyExit(create_model("cifar_resnet18", width=4), ["layer3", "layer1"], 10)
    assert net.at == ("layer1", "layer3")


@pytest.mark.parametrize(
    ("make", "at", "classes", "message"),
    [
        (Skipping, ["inner"], 5, "exit at inner: .* a connection bypasses"),
        (Twice, ["again"], 5, "exit at again: expected a layer that runs once"),
        (Twice, ["idle"], 5, "exit at idle: expected a layer that always runs"),
        (Branches, ["stam"], 5, "unknown layer 'stam'; did you mean 'stem'"),
        (Branches, [], 5, "at: expected a list of at least one layer name"),
        (Branches, "stem", 5, "at: expected a list"),
        (Branches, ["stem", "stem"], 5, "at: expected each layer once"),
        (Branches, ["stem"], 7, r"backbone: expected logits \[batch, 7\], got \[2, 5\]"),
        (Branches, ["left"], 5, "exit at left: .* a connection bypasses"),
    ],
)
def test_layers_that_cannot_hold_an_exit_are_refused(make, at, classes: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        EarlyExit(make(), at, classes, example=torch.randn(2, 3, 16, 16))


def test_a_policy_of_the_wrong_length_is_refused() -> None:
    _, net, side = build("resnet")
    with pytest.raises(InputError, match="Confidence: expected 3 thresholds, one per exit before the last, got 2"):
        net.predict(torch.randn(2, 3, side, side), Confidence([0.5, 0.5]))


def test_an_example_is_guessed_from_the_first_layer() -> None:
    assert EarlyExit(create_model("cifar_resnet18", width=4, in_channels=1), ["layer1"], 10).at == ("layer1",)
    assert EarlyExit(flat(), ["1"], 5, example=torch.randn(2, 3, 8, 8)).at == ("1",)
    with pytest.raises(InputError, match="pass one batch as example="):
        EarlyExit(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(7, 5)), ["0"], 5)


def test_bf16_channels_last_predicts_what_float32_does() -> None:
    _, net, side = build("resnet")
    x = 3 * torch.randn(64, 3, side, side)
    policy = Confidence([float(Confidence.score(logits).median()) for logits in net(x)[:-1]])
    full = net.predict(x, policy)
    precision = precision_named("bf16+channels_last")
    other = copy.deepcopy(net)
    precision.place_model(other, torch.device("cpu"))
    with precision.autocast(torch.device("cpu")):
        half = other.predict(precision.place(x, torch.device("cpu")), policy)
    assert (full.labels == half.labels).double().mean() > 0.9
    assert half.logits.dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_agrees_with_the_cpu() -> None:
    _, net, side = build("resnet")
    x = 3 * torch.randn(64, 3, side, side)
    policy = Confidence([float(Confidence.score(logits).median()) for logits in net(x)[:-1]])
    on_cpu = net.predict(x, policy)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # torch rounds convolutions to 10 bits otherwise
        on_gpu = copy.deepcopy(net).cuda().predict(x.cuda(), policy)
    same = on_cpu.exit_index == on_gpu.exit_index.cpu()  # a score can lie at its threshold
    assert same.double().mean() > 0.95
    assert torch.allclose(on_cpu.logits[same], on_gpu.logits.cpu()[same], atol=1e-3)


def test_every_part_keeps_its_own_mode() -> None:
    """A user's network in evaluation mode stays there, and one in training mode is not run in it."""
    backbone = create_model("cifar_resnet18", num_classes=5, width=4).eval()
    net = EarlyExit(backbone, ["layer1"], 5)  # new modules are in training mode, the backbone is not
    before = [part.training for part in net.modules()]
    statistics = backbone.state_dict()["bn1.running_mean"].clone()
    x, y = torch.randn(6, 3, 16, 16), torch.arange(6) % 5
    net.predict(x, Confidence([0.5]))
    exit_outputs(net, (x, y))
    assert [part.training for part in net.modules()] == before
    net.eval()
    backbone.train()
    net.predict(x, Confidence([0.5]))
    assert backbone.training
    assert torch.equal(backbone.state_dict()["bn1.running_mean"], statistics)


def test_an_example_of_one_row_hides_no_bypass() -> None:
    with pytest.raises(InputError, match="exit at inner: expected a layer that everything after it depends on alone"):
        EarlyExit(Skipping(), ["inner"], 5, example=torch.randn(1, 3, 16, 16))
    with pytest.raises(InputError, match="example: expected a batch of at least one row"):
        EarlyExit(Branches(), ["mix"], 5, example=torch.randn(0, 3, 16, 16))
    with pytest.raises(InputError, match="example: expected a batch that the backbone takes"):
        EarlyExit(Branches(), ["mix"], 5, example=torch.randn(2, 4, 16, 16))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_heads_have_the_dtype_of_the_network(dtype: torch.dtype) -> None:
    backbone = create_model("cifar_resnet18", num_classes=5, width=4).to(dtype)
    net = EarlyExit(backbone, ["layer1", "layer2"], 5, example=torch.randn(2, 3, 16, 16, dtype=dtype)).eval()
    x = torch.randn(4, 3, 16, 16, dtype=dtype)
    assert {logits.dtype for logits in net(x)} == {dtype}
    assert net.predict(x, Confidence([0.3, 0.3])).logits.shape == (4, 5)


def test_threads_may_share_a_network() -> None:
    _, net, side = build("resnet")
    parts = [torch.randn(9 + i, 3, side, side, generator=torch.Generator().manual_seed(i)) for i in range(4)]
    policy = Confidence([0.25, 0.25, 0.25])
    alone = [net.predict(x, policy) for x in parts]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for one, other in zip(alone, pool.map(lambda x: net.predict(x, policy), parts), strict=True):
                assert torch.equal(one.exit_index, other.exit_index)
                assert torch.allclose(one.logits, other.logits, atol=1e-5)
