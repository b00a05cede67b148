"""The computed first layer: whitened patches, fixed filters, and networks that hold it."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from shoal.engine.optimizers import create_optimizer
from shoal.measure import count_macs
from shoal.nets import create_model, load_model, save_model
from shoal.nets.whitening import Whitening, fit_whitening


def smooth_images(n: int = 200, channels: int = 3, side: int = 12) -> torch.Tensor:
    """Noise whose neighbours are alike, as in photographs, plus fine noise that reaches every direction."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(n, channels, side // 4, side // 4, generator=generator)
    fine = torch.randn(n, channels, side, side, generator=generator)
    return F.interpolate(coarse, size=side, mode="bilinear") + 0.2 * fine


@pytest.mark.parametrize(("channels", "side"), [(1, 2), (3, 2), (3, 3)])
def test_responses_to_patches_are_white(channels: int, side: int):
    images = smooth_images(channels=channels)
    layer = Whitening(channels, side=side, floor=0.0).fit(images)
    inside = slice(0, images.shape[3] - side + 1)  # whole patches, without the zeros at the border
    responses = layer(images)[:, :, inside, inside].detach()  # [n, directions, h, w]
    half = channels * side**2
    assert torch.equal(responses[:, :half], -responses[:, half:])
    rows = responses[:, :half].transpose(0, 1).flatten(1).double()  # [half, n * places]
    second_moments = rows @ rows.T / rows.shape[1]
    torch.testing.assert_close(second_moments, torch.eye(half, dtype=torch.float64), rtol=0, atol=1e-3)


def test_directions_without_signal_are_not_blown_up():
    grey = smooth_images(channels=1).expand(-1, 3, -1, -1)  # eight of twelve directions hold nothing
    layer = Whitening(3).fit(grey)
    assert bool(torch.isfinite(layer.weight).all())
    assert float(layer.weight.abs().max()) <= layer.floor**-0.5 + 1e-3


def test_filters_stay_and_biases_train():
    net = create_model("cifar_resnet18", width=8, whitened=True, seed=0)
    assert fit_whitening(net, smooth_images())
    layer = net.get_submodule("whiten")
    before = {name: value.clone() for name, value in layer.named_parameters()}
    optimizer = create_optimizer(net, "muon", learning_rate=0.05)
    F.cross_entropy(net(smooth_images(16)), torch.arange(16) % 10).backward()
    optimizer.step()
    after = dict(layer.named_parameters())
    assert torch.equal(after["weight"], before["weight"])
    assert not torch.equal(after["bias"], before["bias"])


def test_a_whitened_network_is_saved_with_its_filters(tmp_path: Path):
    net = create_model("cifar_resnet18", width=8, whitened=True, seed=0).eval()
    fit_whitening(net, smooth_images())
    images = smooth_images(4)
    assert torch.equal(load_model(save_model(net, tmp_path / "net"))(images), net(images))


def test_it_costs_what_the_hand_formula_says():
    plain, whitened = (create_model("cifar_resnet18", width=32, whitened=w) for w in (False, True))
    x = torch.zeros(1, 3, 32, 32)
    layer = 24 * 12 * 32 * 32
    wider_stem = 32 * (24 - 3) * 9 * 32 * 32
    assert count_macs(whitened, x).total == count_macs(plain, x).total + layer + wider_stem


def test_networks_without_it_are_left_alone():
    net = create_model("cifar_resnet18", width=8)
    assert not fit_whitening(net, smooth_images())
    assert all("whiten" not in name for name in net.state_dict())
