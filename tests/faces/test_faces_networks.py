"""Face networks: what they compute, which images they take, how they begin."""

import math
import subprocess
import sys
from collections.abc import Callable
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from shoal.errors import InputError
from shoal.faces.inception import Branches, Inception
from shoal.faces.layers import L2Pool, Maxout, draw_filters, l2_normalise, response_norm
from shoal.faces.network import FaceNetwork
from shoal.faces.networks import create_network, list_networks

SMALL = ["nn4", "nns2", "compact"]  # those that a test may really run; NN1 has 560 MB


def images(rows: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, 3, height, width, generator=torch.Generator().manual_seed(seed))


def weights(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_names() -> None:
    assert list_networks() == ["nn1", "nn2", "nn3", "nn4", "nns1", "nns2", "compact"]


@pytest.mark.parametrize("name", list_networks())
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("dim", [1, 32, 128, 513])
def test_every_network_embeds(name: str, batch_norm: bool, dim: int) -> None:
    with torch.device("meta"):  # shapes only
        network = create_network(name, dim, batch_norm)
        x = torch.empty(2, 3, *network.image_size)
        assert network(x).shape == (2, dim)
        assert network.features(x).shape == (2, network.embedding.in_features)
    assert (network.name, network.embedding_dim) == (name, dim)
    assert isinstance(network.embedding, nn.Linear)
    assert network.batch_norm == (batch_norm or name == "compact")
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(norms) == (len(convolutions) if network.batch_norm else 0)
    assert all((m.bias is None) == network.batch_norm for m in convolutions)
    assert any(isinstance(m, nn.LocalResponseNorm) for m in network.modules()) != network.batch_norm


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_embeddings_have_unit_length(name: str, batch_norm: bool) -> None:
    network = create_network(name, 16, batch_norm, seed=0)
    x = images(3, *network.image_size)
    for mode in (network.train(), network.eval()):
        found = mode(x)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(found, F.normalize(network.embedding(network.features(x))))


def conv(x: Tensor, state: dict[str, Tensor], name: str, stride: int = 1) -> Tensor:
    weight = state[f"{name}.0.weight"]
    return F.conv2d(x, weight, state[f"{name}.0.bias"], stride, padding=weight.shape[-1] // 2).clamp(min=0)


def windows(x: Tensor, stride: int, fill: float) -> Tensor:
    """All 3×3 windows: [n, c, h, w, 9]."""
    return F.pad(x, (1, 1, 1, 1), value=fill).unfold(2, 3, stride).unfold(3, 3, stride).flatten(4)


def l2_pool_slowly(x: Tensor) -> Tensor:
    inside = windows(torch.ones_like(x), 1, 0.0).sum(-1)
    return ((windows(x, 1, 0.0) ** 2).sum(-1) / inside + 1e-8).sqrt()


def norm_slowly(x: Tensor) -> Tensor:
    out = torch.empty_like(x)
    for c in range(x.shape[1]):
        near = x[:, max(0, c - 2) : c + 3]
        out[:, c] = x[:, c] / (1 + 1e-4 * (near**2).sum(1) / 5) ** 0.75
    return out


def nn4_slowly(network: FaceNetwork, x: Tensor) -> Tensor:
    """NN4 from the bare weights, by the lines of table 2: pooling and stride of each block, in their order."""
    at = {name.removeprefix("trunk."): value for name, value in network.state_dict().items()}
    x = windows(conv(x, at, "conv1", 2), 2, -math.inf).amax(-1)
    x = norm_slowly(x)
    x = conv(conv(x, at, "inception2.branches.3x3.0"), at, "inception2.branches.3x3.1")
    x = windows(norm_slowly(x), 2, -math.inf).amax(-1)
    pools = {"3a": "max", "3b": "l2", "3c": "2", "4a": "l2", "4b": "l2", "4c": "l2", "4d": "l2", "4e": "2"}
    for block, pool in {**pools, "5a": "l2", "5b": "max"}.items():
        name, stride = f"inception{block}.branches", 2 if pool == "2" else 1
        parts = [conv(x, at, f"{name}.1x1")] if stride == 1 else []
        for wide in (f"{name}.3x3", f"{name}.5x5"):
            if f"{wide}.0.0.weight" in at:
                parts += [conv(conv(x, at, f"{wide}.0"), at, f"{wide}.1", stride)]
        pooled = l2_pool_slowly(x) if pool == "l2" else windows(x, stride, -math.inf).amax(-1)
        parts.append(conv(pooled, at, f"{name}.pool.1") if stride == 1 else pooled)
        x = torch.cat(parts, 1)
    x = x.mean((2, 3)) @ at["embedding.weight"].T + at["embedding.bias"]
    return x / (x**2).sum(1, keepdim=True).sqrt()


@pytest.mark.parametrize("size", [(32, 32), (61, 40)])
def test_nn4_computes_what_table_2_says(size: tuple[int, int]) -> None:
    network = create_network("nn4", 24, seed=3).double().eval()
    with torch.no_grad():
        for name, value in network.named_parameters():  # biases that do something
            if name.endswith("bias"):
                value.normal_(std=0.2, generator=torch.Generator().manual_seed(1))
        x = 20 * images(2, *size).double()  # so large that response normalisation does something, too
        torch.testing.assert_close(network(x), nn4_slowly(network, x))


def test_blocks_leave_out_what_has_no_channels() -> None:
    block = Inception(6, Branches(0, None, (2, 3), "l2", 4), batch_norm=True)
    assert list(block.branches) == ["5x5", "pool"]
    assert block(images(2, 4, 5).repeat(1, 2, 1, 1)).shape == (2, block.channels_out, 4, 5) == (2, 7, 4, 5)


@given(n=st.integers(1, 4), out=st.integers(1, 5), pieces=st.integers(1, 3), seed=st.integers(0, 99))
def test_maxout_takes_the_largest_of_its_pieces(n: int, out: int, pieces: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer, x = Maxout(12, out, pieces), images(n, 2, 2, seed)
    found = layer(x)
    for i in range(n):
        for j in range(out):
            rows = range(j * pieces, (j + 1) * pieces)
            values = [x[i].flatten() @ layer.linear.weight[r] + layer.linear.bias[r] for r in rows]
            torch.testing.assert_close(found[i, j], torch.stack(values).max())


def test_l2_pooling_by_hand_and_its_gradient_where_all_is_zero() -> None:
    x = images(2, 5, 4)
    x[0] = 0  # what a ReLU leaves of a dark image
    x.requires_grad_()
    found = L2Pool()(x)
    torch.testing.assert_close(found, l2_pool_slowly(x.detach()))
    found.sum().backward()
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())
    assert not bool(x.grad[0].any())
    half = torch.zeros(1, 1, 3, 3, dtype=torch.float16, requires_grad=True)
    L2Pool()(half).sum().backward()
    assert half.grad is not None
    assert not bool(half.grad.any())


def test_response_normalisation_by_hand() -> None:
    x = 50 * torch.randn(2, 9, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(response_norm(batch_norm=False)(x), norm_slowly(x))
    assert response_norm(batch_norm=True)(x) is x


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_zero_vectors_stay_finite(dtype: torch.dtype) -> None:
    x = torch.tensor([[0, 0, 0], [1e-7, 0, 0], [3, 0, 4]], dtype=dtype, requires_grad=True)
    found = l2_normalise(x)
    assert found.dtype == torch.promote_types(dtype, torch.float32)
    torch.testing.assert_close(found[2].float(), torch.tensor([0.6, 0, 0.8]))
    assert found[0].tolist() == [0, 0, 0]
    (found * torch.arange(3)).sum().backward()
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


def test_a_dead_network_embeds_zeros_and_has_a_gradient() -> None:
    network = create_network("compact", 8, seed=0)
    with torch.no_grad():
        network.embedding.weight.zero_()
    found = network(images(2, 32, 32))
    assert not bool(found.any())
    (found - 1).square().sum().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_bfloat16_gives_unit_length_in_float32(name: str) -> None:
    network = create_network(name, 32, seed=0).eval()
    x = images(2, *network.image_size)
    with torch.no_grad():
        exact = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            found = network(x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))
    assert float((found - exact).square().sum(1).max()) < 0.05


@cache
def on_meta(name: str) -> FaceNetwork:
    with torch.device("meta"):
        return create_network(name, 4, batch_norm=True).eval()


@settings(max_examples=8)
@given(height=st.integers(0, 60), width=st.integers(0, 60))
def test_any_size_from_the_smallest_on(height: int, width: int) -> None:
    for name, least in (("compact", 16), ("nn2", 32), ("nn4", 32)):
        network = on_meta(name)
        with torch.device("meta"):
            assert network(torch.empty(1, 3, least + height, least + width)).shape == (1, 4)
            with pytest.raises(InputError, match=f"images for {name}: expected .* with sides >= {least}, got"):
                network(torch.empty(1, 3, least + height, least - 1))


@pytest.mark.parametrize(
    ("name", "fit", "unfit", "message"),
    [
        ("nn1", [(193, 224), (220, 220)], [(192, 220), (220, 225)], "height of 193 to 224 and a width of 193 to 224"),
        ("nns1", [(161, 192)], [(160, 165), (165, 193)], "height of 161 to 192 and a width of 161 to 192, since its"),
        ("nns2", [(129, 128)], [(116, 140), (140, 96)], "height of 129 to 160 and a width of 97 to 128, since its"),
    ],
)
def test_fully_connected_layers_need_their_size(
    name: str, fit: list[tuple[int, int]], unfit: list[tuple[int, int]], message: str
) -> None:
    with torch.device("meta"):
        network = create_network(name).eval()
        for size in fit:
            assert network(torch.empty(1, 3, *size)).shape == (1, 128)
            assert create_network(name, image_size=size).image_size == size
        for size in unfit:
            with pytest.raises(InputError, match=f"images for {name}: expected .* with a {message}"):
                network(torch.empty(1, 3, *size))
            with pytest.raises(InputError, match=f"image_size of {name}: expected a {message}.*, got"):
                create_network(name, image_size=size)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: torch.zeros(3, 64, 64), r"\[n, 3, height, width\] with sides >= 16, got \[3, 64, 64\]"),
        (lambda: torch.zeros(2, 1, 64, 64), r"got \[2, 1, 64, 64\]"),
        (lambda: torch.zeros(2, 64, 64, 3), r"got \[2, 64, 64, 3\]"),
        (lambda: torch.zeros(2, 3, 64, 64).byte(), "expected floating point, got torch.uint8; bring them to"),
    ],
)
def test_other_images_are_refused(make: Callable[[], Tensor], message: str) -> None:
    with pytest.raises(InputError, match=f"images for compact: .*{message}"):
        create_network("compact")(make())


def test_wrong_settings_are_one_line() -> None:
    with pytest.raises(InputError, match="unknown face network 'compct'; did you mean 'compact'"):
        create_network("compct")
    for dim in (0, -3, 10**9, True):
        with pytest.raises(InputError, match=f"embedding_dim: expected .* from 1 to 65536, got {dim}"):
            create_network("compact", dim)
    with pytest.raises(InputError, match="image_size of compact: expected sides >= 16, got 8 × 64"):
        create_network("compact", image_size=(8, 64))


def test_a_seed_decides_the_weights_and_leaves_the_global_state() -> None:
    before = torch.get_rng_state()
    a, b, c = (create_network("compact", 8, seed=seed) for seed in (1, 1, 2))
    wide = create_network("compact", 64, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(weights(a), weights(b))
    assert not torch.equal(weights(a), weights(c))
    assert torch.equal(weights(a.trunk), weights(wide.trunk))
    torch.manual_seed(3)
    d = create_network("compact", 8)
    torch.manual_seed(3)
    assert torch.equal(weights(d), weights(create_network("compact", 8)))
    assert not torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_resetting_the_embedding_changes_nothing_else(dtype: torch.dtype) -> None:
    network = create_network("compact", 32, seed=0).to(dtype)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random = torch.get_rng_state()
    network.reset_embedding(5)
    assert torch.equal(random, torch.get_rng_state())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) == (name != "embedding.weight"), name
    first = network.embedding.weight.detach().clone()
    assert first.dtype == dtype
    assert network.embedding.weight.requires_grad
    network.reset_embedding(6)
    assert not torch.equal(network.embedding.weight, first)
    network.reset_embedding(5)
    assert torch.equal(network.embedding.weight, first)


@given(out=st.integers(1, 40), wide=st.integers(2, 30), seed=st.integers(0, 99), gain=st.floats(0.1, 9))
def test_filters_sum_to_zero_and_keep_the_variance(out: int, wide: int, seed: int, gain: float) -> None:
    weight = torch.empty(out, wide, 2, 2)
    draw_filters(weight, gain=gain, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(weight.sum((1, 2, 3)), torch.zeros(out), atol=1e-4, rtol=0)
    power = float(weight.square().sum()) / out  # of an output for inputs of variance 1
    assert power == pytest.approx(gain, rel=6 * math.sqrt(2 / (out * (4 * wide - 1))))


def through(network: FaceNetwork, x: Tensor) -> dict[str, Tensor]:
    """What every layer of the trunk makes of images, and the embeddings."""
    found = {}
    with torch.no_grad():
        for name, layer in network.trunk.named_children():
            x = found[name] = layer(x)
        found["embedding"] = l2_normalise(network.embedding(x))
    return found


@pytest.mark.parametrize("name", ["nn2", "nn4", "nns2", "compact"])
def test_new_networks_keep_their_scale_and_tell_images_apart(name: str) -> None:
    for seed in (0, 1):
        network = create_network(name, 64, seed=seed).eval()
        size = (64, 64) if name in ("nn2", "nn4") else network.image_size
        found = through(network, images(6, *size, seed))
        for layer, value in found.items():
            assert 0.05 < float(value.square().mean().sqrt()) < 20, layer
        distances = torch.pdist(found["embedding"]).square()
        assert float(distances.mean()) > 0.2, distances  # of 2 for independent directions


@pytest.mark.parametrize(("name", "batch_norm"), [("nn4", False), ("nns2", False), ("nn4", True), ("compact", True)])
def test_every_weight_learns(name: str, batch_norm: bool) -> None:
    network = create_network(name, 32, batch_norm, seed=0)
    size = (64, 64) if name != "nns2" else network.image_size
    found = network(images(6, *size))
    (found @ found.T).square().sum().backward()
    for parameter, value in network.named_parameters():
        assert value.grad is not None, parameter
        assert bool(torch.isfinite(value.grad).all()), parameter
        assert bool(value.grad.any()) or parameter.endswith("bias"), parameter


def drawn_people(people: int, each: int, side: int) -> tuple[Tensor, Tensor]:
    """Images of identities: a smooth pattern of each, moved, relit and with noise; an identity's lie side by side."""
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    patterns = F.interpolate(draw(people, 3, 4, 4), size=side + 4, mode="bicubic")
    rows = []
    for pattern in patterns.repeat_interleave(each, 0):
        top, left = torch.randint(0, 5, (2,), generator=generator).tolist()
        moved = pattern[:, top : top + side, left : left + side]
        rows.append((1 + 0.2 * draw(1, 1, 1)) * moved + 0.2 * draw(3, 1, 1) + 0.2 * draw(3, side, side))
    return torch.stack(rows), torch.arange(people).repeat_interleave(each)


@pytest.mark.parametrize(("name", "batch_norm"), [("nn4", False), ("nn4", True), ("compact", True)])
def test_networks_train(name: str, batch_norm: bool) -> None:
    """A plain triplet loss over all triplets, in a few steps, finds the identities of images that it never saw."""
    x, labels = drawn_people(24, 6, side=32)
    new = torch.arange(len(x)) % 6 >= 4
    network = create_network(name, 32, batch_norm, seed=0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    seen = labels[~new]
    same = seen[:, None] == seen
    losses = []
    for _ in range(8):
        embeddings = network(x[~new])
        distances = 2 - 2 * embeddings @ embeddings.T
        gaps = distances[:, :, None] - distances[:, None, :] + 0.2  # [anchor, positive, negative]
        loss = (gaps.clamp(min=0) * (same[:, :, None] & ~same[:, None, :])).sum() / same.sum() / len(seen)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0], losses
    with torch.no_grad():  # normalised by their own batch: what a few steps average says little yet
        nearest = torch.cdist(network(x[new]), network(x[~new])).argmin(1)
    assert float((seen[nearest] == labels[new]).float().mean()) > 0.3  # 1 in 24 by chance


def test_the_networks_import_nothing_heavy_beside_torch() -> None:
    code = (
        "import sys, shoal.faces.networks, shoal.faces.saving, shoal.faces.comparing_networks; "
        "print([m for m in ('numba', 'sklearn', 'scipy', 'altair', 'torchvision', 'timm') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_the_public_names_and_arguments() -> None:
    import inspect

    import shoal.faces

    assert list(inspect.signature(create_network).parameters)[:3] == ["name", "embedding_dim", "batch_norm"]
    for name in shoal.faces.__all__:
        assert getattr(shoal.faces, name) is not None
