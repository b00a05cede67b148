"""Recorded activations against running the layers by hand."""

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

from shoal.errors import InputError, ShoalError
from shoal.measure import Recording, record


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 36, 5))


def no_hooks_left(model: nn.Module) -> bool:
    return not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_joins_batches_in_order_and_equals_running_by_hand():
    net, x = small_net(), torch.randn(7, 3, 8, 8)
    with record(net, ["3", "0"]) as recording:
        for batch in x.split(3):
            net(batch)
    assert recording.layers == ("3", "0")
    # the convolution's own output, although the activation after it worked in place
    torch.testing.assert_close(recording["0"], net[0](x).detach())
    torch.testing.assert_close(recording["3"], net(x).detach())
    assert not recording["0"].requires_grad
    assert recording["0"] is recording["0"]
    assert no_hooks_left(net)


def test_does_not_change_what_the_model_computes():
    net, x = small_net(), torch.randn(7, 3, 8, 8)
    plain = net(x)
    with record(net, ["1", "2"], pool="mean"):
        recorded = net(x)
    assert torch.equal(plain, recorded)
    assert recorded.requires_grad


def test_the_model_itself_is_the_empty_name():
    net, x = small_net(), torch.randn(2, 3, 8, 8)
    with record(net, [""]) as recording:
        out = net(x)
    assert torch.equal(recording[""], out)


@pytest.mark.parametrize(
    ("shape", "dims"), [((4, 6), ()), ((4, 5, 6), (1,)), ((4, 6, 3, 2), (2, 3)), ((4, 6, 3, 2, 2), (2, 3, 4))]
)
def test_mean_pool_gives_one_row_per_example(shape: tuple[int, ...], dims: tuple[int, ...]):
    x = torch.randn(shape)
    net = nn.Sequential(nn.Identity())
    with record(net, ["0"], pool="mean") as recording:
        net(x)
    torch.testing.assert_close(recording["0"], x.mean(dims) if dims else x)


def test_pool_may_be_a_function():
    net, x = small_net(), torch.randn(2, 3, 8, 8)
    with record(net, ["0"], pool=lambda output: output.amax((2, 3))) as recording:
        net(x)
    torch.testing.assert_close(recording["0"], net[0](x).amax((2, 3)).detach())


def test_a_layer_used_twice_keeps_its_last_output():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.relu(self.relu(x) - 1)

    net, x = Twice(), torch.randn(5, 3)
    with record(net, ["relu"]) as recording:
        net(x)
        net(x)
    assert torch.equal(recording["relu"], torch.cat([net(x), net(x)]))


def test_a_shared_layer_goes_by_each_of_its_names():
    shared = nn.Linear(3, 3)
    net = nn.Sequential(shared, nn.ReLU(), shared)
    with record(net, ["0", "2"]) as recording:
        out = net(torch.randn(4, 3))
    assert torch.equal(recording["0"], out)
    assert torch.equal(recording["2"], out)


def test_takes_the_first_tensor_of_tuples_and_dictionaries():
    class Wrapped(nn.Module):
        def __init__(self, wrap):
            super().__init__()
            self.wrap = wrap

        def forward(self, x: Tensor):
            return self.wrap(x)

    x = torch.randn(4, 3)
    for wrap in (lambda x: (None, x, x + 1), lambda x: OrderedDict(a=[x], b=x + 1), lambda x: [(x,), x + 1]):
        net = nn.Sequential(Wrapped(wrap))
        with record(net, ["0"]) as recording:
            net(x)
        assert torch.equal(recording["0"], x)
    net = nn.Sequential(Wrapped(lambda x: "text"))
    with record(net, ["0"]), pytest.raises(InputError, match="layer '0': expected an output that holds a tensor"):
        net(x)
    assert no_hooks_left(net)


def test_an_lstm_gives_its_sequence():
    net = nn.Sequential(nn.LSTM(3, 4, batch_first=True))
    with record(net, ["0"], pool="mean") as recording:
        sequence, _ = net(torch.randn(2, 5, 3))
    torch.testing.assert_close(recording["0"], sequence.mean(1).detach())


def test_hooks_go_when_the_body_raises_and_a_failed_pass_leaves_no_rows():
    net = small_net()
    kept: list[Recording] = []

    def run() -> None:
        with record(net, ["0", "3"]) as recording:
            kept.append(recording)
            net(torch.randn(2, 3, 8, 8))
            net(torch.randn(2, 3, 9, 9))  # fails in layer 3, after layer 0 has run

    with pytest.raises(RuntimeError):
        run()
    assert no_hooks_left(net)
    assert len(kept[0]["0"]) == len(kept[0]["3"]) == 2


def test_a_part_that_is_called_alone_is_recorded_too_also_after_a_failed_pass():
    net = small_net()
    with record(net, ["0"]) as recording:
        with pytest.raises(RuntimeError):
            net(torch.randn(2, 3, 9, 9))
        net[0](torch.randn(3, 3, 9, 9))
    assert len(recording["0"]) == 3


def test_a_layer_that_never_ran_says_so():
    net = nn.ModuleDict({"used": nn.Linear(2, 2), "idle": nn.Linear(2, 2)})
    net.forward = lambda x: net["used"](x)
    with record(net, ["used", "idle"]) as recording:
        net(torch.zeros(1, 2))
    assert len(recording["used"]) == 1
    with pytest.raises(ShoalError, match="layer 'idle': expected at least one forward pass"):
        recording["idle"]


def test_shapes_that_cannot_be_joined_suggest_pooling():
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    with record(net, ["0"]) as whole, record(net, ["0"], pool="mean") as pooled:
        net(torch.zeros(1, 3, 8, 8))
        net(torch.zeros(1, 3, 9, 9))
    with pytest.raises(ShoalError, match='pool="mean"'):
        whole["0"]
    assert pooled["0"].shape == (2, 4)


def test_unknown_names_suggest_the_nearest():
    net = nn.Sequential(OrderedDict(layer1=nn.Linear(2, 2), layer2=nn.Linear(2, 2)))
    with pytest.raises(InputError, match="unknown layer 'layr1'; did you mean 'layer1'"), record(net, ["layr1"]):
        pass
    with record(net, ["layer1"]) as recording:
        net(torch.zeros(1, 2))
    with pytest.raises(InputError, match="unknown recorded layer 'layer2'"):
        recording["layer2"]
    for nothing in ("layer1", []):
        with pytest.raises(InputError, match="layers: expected a list"), record(net, nothing):
            pass


def test_inference_mode_leaves_tensors_that_autograd_can_use():
    net = small_net()
    with torch.inference_mode(), record(net, ["0"], pool="mean") as recording:
        net(torch.zeros(2, 3, 8, 8))
    probe = nn.Linear(4, 2)
    probe(recording["0"]).sum().backward()
    assert probe.weight.grad is not None
