"""ResNets: torchvision's state_dict, shapes, initialisation, and what hooks see."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from shoal.errors import InputError
from shoal.nets import BasicBlock, ResNet, create_model, list_models


def torchvision_layout(layers: int) -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes of torchvision's resnet18/34/50 state_dict, in its order."""
    depths = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}[layers]
    expansion = 4 if layers == 50 else 1

    def norm(name: str, c: int) -> list[tuple[str, tuple[int, ...]]]:
        sized = [(f"{name}.{key}", (c,)) for key in ("weight", "bias", "running_mean", "running_var")]
        return [*sized, (f"{name}.num_batches_tracked", ())]

    def block(at: str, c_in: int, c: int, shape_changes: bool) -> list[tuple[str, tuple[int, ...]]]:
        out = c * expansion
        kernels = [(c_in, c, 1), (c, c, 3), (c, out, 1)] if expansion == 4 else [(c_in, c, 3), (c, c, 3)]
        rows: list[tuple[str, tuple[int, ...]]] = []
        for i, (a, b, k) in enumerate(kernels, 1):
            rows += [(f"{at}.conv{i}.weight", (b, a, k, k)), *norm(f"{at}.bn{i}", b)]
        if shape_changes:
            rows += [(f"{at}.downsample.0.weight", (out, c_in, 1, 1)), *norm(f"{at}.downsample.1", out)]
        return rows

    rows = [("conv1.weight", (64, 3, 7, 7)), *norm("bn1", 64)]
    c_in = 64
    for stage, depth in enumerate(depths):
        c = 64 * 2**stage
        for i in range(depth):
            rows += block(f"layer{stage + 1}.{i}", c_in, c, i == 0 and (stage > 0 or expansion == 4))
            c_in = c * expansion
    return [*rows, ("fc.weight", (1000, c_in)), ("fc.bias", (1000,))]


@pytest.mark.parametrize("layers", [18, 34, 50])
def test_state_dict_is_torchvisions(layers: int):
    with torch.device("meta"):
        net = create_model(f"resnet{layers}", num_classes=1000)
    layout = torchvision_layout(layers)
    assert [(name, tuple(tensor.shape)) for name, tensor in net.state_dict().items()] == layout
    weights = {name: torch.empty(shape, device="meta") for name, shape in layout}
    net.load_state_dict(weights, strict=True, assign=True)


@pytest.mark.parametrize(("layers", "published"), [(18, 11689512), (34, 21797672), (50, 25557032)])
def test_parameters_are_the_published_number(layers: int, published: int):
    with torch.device("meta"):
        net = create_model(f"resnet{layers}", num_classes=1000)
    assert sum(p.numel() for p in net.parameters()) == published  # torchvision's documentation of its weights


def test_the_stride_of_a_bottleneck_is_on_its_3x3():
    net = create_model("resnet50", width=4)
    strides = {name: m.stride[0] for name, m in net.named_modules() if isinstance(m, nn.Conv2d) and m.stride[0] > 1}
    assert strides == {
        "conv1": 2,
        **{f"layer{i}.0.{part}": 2 for i in (2, 3, 4) for part in ("conv2", "downsample.0")},
    }


def reference_forward(net: ResNet, x: Tensor) -> Tensor:
    """He et al.'s figures 2 and 5 from the bare weights, batch normalisation written out."""
    at = net.state_dict()

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var, scale, shift = (
            at[f"{name}.{key}"][:, None, None] for key in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * scale + shift

    def conv(x: Tensor, name: str, stride: int) -> Tensor:
        weight = at[f"{name}.weight"]
        return nn.functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    small = at["conv1.weight"].shape[-1] == 3
    x = norm(conv(x, "conv1", 1 if small else 2), "bn1").clamp(min=0)
    if not small:
        x = nn.functional.max_pool2d(x, 3, 2, 1)
    for stage in (1, 2, 3, 4):
        index = 0
        while f"layer{stage}.{index}.conv1.weight" in at:
            name, stride = f"layer{stage}.{index}", 2 if stage > 1 and index == 0 else 1
            last = 3 if f"{name}.conv3.weight" in at else 2
            out = x
            for i in range(1, last + 1):
                out = norm(conv(out, f"{name}.conv{i}", stride if i == last - 1 else 1), f"{name}.bn{i}")
                out = out.clamp(min=0) if i < last else out
            if f"{name}.downsample.0.weight" in at:
                x = norm(conv(x, f"{name}.downsample.0", stride), f"{name}.downsample.1")
            x, index = (out + x).clamp(min=0), index + 1
    return x.mean((2, 3)) @ at["fc.weight"].T + at["fc.bias"]


@pytest.mark.parametrize("name", list_models("*resnet*"))
def test_computes_what_the_paper_draws(name: str):
    net = create_model(name, width=5, num_classes=7, in_channels=2, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for key, tensor in net.state_dict().items():  # normalisation that does something
            if key.endswith(("running_mean", "bias")):
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.3)
            elif key.endswith("running_var") or tensor.ndim == 1:
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    assert isinstance(net, ResNet)
    net.eval().double()
    x = torch.randn(3, 2, 40, 33, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(net(x), reference_forward(net, x))


@given(width=st.integers(1, 9), channels=st.integers(1, 4), h=st.integers(0, 20), w=st.integers(0, 20))
def test_any_width_channels_and_size(width: int, channels: int, h: int, w: int):
    for small_images in (True, False):
        net = ResNet(BasicBlock, [1, 1, 1, 1], width=width, in_channels=channels, small_images=small_images)
        images = torch.randn(2, channels, net.min_side + h, net.min_side + w)
        assert net(images).shape == (2, 10)


@pytest.mark.parametrize(("name", "side"), [("cifar_resnet18", 8), ("resnet18", 32)])
def test_refuses_images_of_another_form(name: str, side: int):
    net = create_model(name, width=2).eval()
    assert net(torch.zeros(1, 3, side, side)).shape == (1, 10)
    for shape in ((1, 3, side - 1, side), (1, 3, side, side - 1), (1, 1, side, side), (3, side, side)):
        with pytest.raises(
            InputError, match=rf"images: expected \[batch, 3, height, width\] with sides >= {side}, got"
        ):
            net(torch.zeros(shape))


@pytest.mark.parametrize("setting", ["num_classes", "in_channels", "width"])
def test_refuses_empty_settings(setting: str):
    with pytest.raises(InputError, match=f"{setting}: expected a whole number >= 1, got 0"):
        create_model("cifar_resnet18", **{setting: 0})


def test_convolutions_start_as_he_et_al_say():
    net = create_model("cifar_resnet18", seed=0)
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 10000:
            fan_out = module.out_channels * math.prod(module.kernel_size)
            assert float(module.weight.detach().std()) == pytest.approx(math.sqrt(2 / fan_out), rel=0.03), name


@pytest.mark.parametrize("name", ["cifar_resnet18", "cifar_resnet50"])
def test_zero_init_residual_starts_blocks_as_their_shortcut(name: str):
    net = create_model(name, width=4, zero_init_residual=True).eval()
    channels = 4 if name == "cifar_resnet18" else 16
    x = torch.randn(2, channels, 8, 8).relu()
    assert torch.equal(net.get_submodule("layer1.1")(x), x)
    plain = create_model(name, width=4).eval()
    assert not torch.equal(plain.get_submodule("layer1.1")(x), x)


@pytest.mark.parametrize("name", ["cifar_resnet18", "cifar_resnet50", "resnet18"])
def test_hooks_see_every_module_once_and_relu_is_the_blocks_output(name: str):
    net = create_model(name, width=4).eval()
    seen: dict[str, list[Tensor]] = {}
    for layer, module in net.named_modules():
        module.register_forward_hook(lambda _m, _i, out, layer=layer: seen.setdefault(layer, []).append(out))
    copies: dict[str, Tensor] = {}
    for layer in ("bn1", "layer1.0.bn1", "layer1.0.bn2"):

        def copy(_module: nn.Module, _inputs: object, output: Tensor, layer: str = layer) -> None:
            copies[layer] = output.clone()

        net.get_submodule(layer).register_forward_hook(copy)
    net(torch.randn(2, 3, 32, 32))
    assert set(seen) == {layer for layer, _ in net.named_modules()}
    assert {len(outputs) for outputs in seen.values()} == {1}
    assert torch.equal(seen["layer1.0.relu"][0], seen["layer1.0"][0])
    for layer, copied in copies.items():  # nothing later worked in place on what a hook was given
        assert torch.equal(seen[layer][0], copied)
