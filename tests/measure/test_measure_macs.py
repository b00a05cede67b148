"""Counted MACs against formulas written by hand, layer by layer."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from shoal.measure import MacCounter, count_macs
from shoal.nets import create_model


def conv(side: int, kernel: int, channels_in: int, channels_out: int) -> int:
    """A square convolution: every pixel of the output looks at kernel² × channels_in numbers, channels_out times."""
    return side * side * kernel * kernel * channels_in * channels_out


def resnet18_macs(side: int, width: int, classes: int, *, small_images: bool) -> int:
    """ResNet-18 by walking through He et al.'s table 1."""
    if small_images:
        macs = conv(side, 3, 3, width)
    else:
        macs = conv(side // 2, 7, 3, width)
        side //= 4
    channels = width
    for stage in range(4):
        out = width * 2**stage
        side = side if stage == 0 else side // 2
        macs += conv(side, 3, channels, out) + 3 * conv(side, 3, out, out)
        macs += 0 if stage == 0 else conv(side, 1, channels, out)
        channels = out
    return macs + channels * classes


def attention(batch: int, queries: int, keys: int, dim: int) -> int:
    """Self-attention without its projections: q kᵀ and the product with v, over all heads together."""
    return batch * queries * keys * dim + batch * queries * keys * dim


def encoder_layer(batch: int, length: int, dim: int, hidden: int) -> int:
    projections = 4 * batch * length * dim * dim  # q, k, v and the output
    return projections + attention(batch, length, length, dim) + 2 * batch * length * dim * hidden


class Functional(nn.Module):
    """No submodule at all: what hooks on modules cannot see."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(7, 5))
        self.vector = nn.Parameter(torch.randn(7))

    def forward(self, x: Tensor) -> Tensor:  # [b, 5]
        x = F.linear(x, self.weight)  # [b, 7]
        scores = torch.einsum("bi,ci->bc", x, x)  # [b, b]
        return scores @ x @ self.vector  # [b]


class Forked(nn.Module):
    """A path that depends on the data, by Python's if."""

    def __init__(self):
        super().__init__()
        self.cheap = nn.Linear(4, 3)
        self.dear = nn.Sequential(nn.Linear(4, 100), nn.Linear(100, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.cheap(x) if bool(x.mean() > 0) else self.dear(x)


class ViT(nn.Module):
    """ViT-B/16 (Dosovitskiy et al. 2021) from torch's own modules."""

    def __init__(self, dim: int = 768, depth: int = 12, heads: int = 12, side: int = 224, classes: int = 1000):
        super().__init__()
        self.patches = nn.Conv2d(3, dim, 16, stride=16)
        self.token = nn.Parameter(torch.zeros(1, 1, dim))
        self.position = nn.Parameter(torch.zeros(1, (side // 16) ** 2 + 1, dim))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                dim, heads, 4 * dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)  # [b, n, dim]
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


def vit_macs(dim: int = 768, depth: int = 12, side: int = 224, classes: int = 1000) -> int:
    patches = (side // 16) ** 2
    return patches * 16 * 16 * 3 * dim + depth * encoder_layer(1, patches + 1, dim, 4 * dim) + dim * classes


NETS = {
    "linear layers, a batch": (
        lambda: nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 7)),
        (6, 20),
        6 * (20 * 30 + 30 * 7),
    ),
    "convolutions, grouped and strided": (
        lambda: nn.Sequential(nn.Conv2d(4, 8, 3, padding=1, groups=4), nn.Conv2d(8, 6, 5, stride=2, padding=2)),
        (2, 4, 10, 10),
        2 * (10 * 10 * 9 * 1 * 8 + 5 * 5 * 25 * 8 * 6),
    ),
    "transposed convolution": (
        lambda: nn.ConvTranspose2d(4, 5, 3, stride=2),
        (2, 4, 9, 9),
        2 * 9 * 9 * 9 * 4 * 5,
    ),
    "convolution over time": (lambda: nn.Conv1d(4, 5, 3), (2, 4, 9), 2 * 7 * 3 * 4 * 5),
    "functional operations": (Functional, (6, 5), 6 * 5 * 7 + 6 * 6 * 7 + 6 * 6 * 7 + 6 * 7),
    "LSTM": (
        lambda: nn.LSTM(4, 5, num_layers=2, bidirectional=True),
        (7, 3, 4),
        # both directions; the four gates look at the input and at the state; layer 2 sees both directions of 1
        2 * 7 * 3 * 4 * 5 * (4 + 5) + 2 * 7 * 3 * 4 * 5 * (10 + 5),
    ),
    "GRU": (lambda: nn.GRU(4, 5), (7, 3, 4), 7 * 3 * 3 * 5 * (4 + 5)),
    "encoder layer": (
        lambda: nn.TransformerEncoderLayer(16, 4, 24, batch_first=True),
        (3, 11, 16),
        encoder_layer(3, 11, 16, 24),
    ),
    "encoder": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 24, batch_first=True), 3),
        (3, 11, 16),
        3 * encoder_layer(3, 11, 16, 24),
    ),
    "small vision transformer": (
        lambda: ViT(dim=32, depth=2, heads=4, side=64, classes=5),
        (1, 3, 64, 64),
        vit_macs(dim=32, depth=2, side=64, classes=5),
    ),
    "ResNet-18 for small images, narrow": (
        lambda: create_model("cifar_resnet18", width=8),
        (1, 3, 32, 32),
        resnet18_macs(32, 8, 10, small_images=True),
    ),
    "ResNet-18, narrow": (
        lambda: create_model("resnet18", width=8, num_classes=1000),
        (1, 3, 64, 64),
        resnet18_macs(64, 8, 1000, small_images=False),
    ),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("name", NETS)
def test_equals_the_formula(name: str, dtype: torch.dtype):
    build, shape, macs = NETS[name]
    assert count_macs(build().to(dtype), torch.randn(shape, dtype=dtype)).total == macs


@pytest.mark.parametrize("need_weights", [True, False])
def test_attention_to_other_tokens(need_weights: bool):
    layer = nn.MultiheadAttention(16, 4, batch_first=True)
    q, kv = torch.randn(3, 5, 16), torch.randn(3, 9, 16)
    count = count_macs(layer, q, kv, kv, need_weights=need_weights)
    projections = 3 * 16 * 16 * (5 + 9 + 9 + 5)
    assert count.total == projections + attention(3, 5, 9, 16)


def test_published_totals_on_the_meta_device():
    with torch.device("meta"):
        models = {
            555.42: (create_model("cifar_resnet18"), torch.empty(1, 3, 32, 32)),
            1814.07: (create_model("resnet18", num_classes=1000), torch.empty(1, 3, 224, 224)),
            17563.83: (ViT(), torch.empty(1, 3, 224, 224)),
        }
    for published, (model, x) in models.items():
        assert round(count_macs(model, x).total / 1e6, 2) == published
    assert vit_macs() == count_macs(*models[17563.83]).total


def test_vit_on_the_cpu():
    assert count_macs(ViT(), torch.randn(1, 3, 224, 224)).total == vit_macs()


def test_counts_the_path_that_the_data_take():
    model = Forked()
    cheap, dear = count_macs(model, torch.ones(2, 4)), count_macs(model, -torch.ones(2, 4))
    assert cheap.by_module == {"cheap": 2 * 4 * 3}
    assert dear.by_module == {"dear": 2 * 700, "dear.0": 2 * 400, "dear.1": 2 * 300}


def test_counts_only_the_taken_branch_of_cond():
    def run(x: Tensor) -> Tensor:
        x = x @ x  # 64
        return torch.cond(x.sum() > 0, lambda y: y @ y, lambda y: y @ y @ y, (x,))

    for x, macs in ((torch.ones(4, 4), 64 + 64), (torch.eye(4) * 0, 64 + 128)):
        with MacCounter() as counter:
            run(x)
        assert counter.total == macs


@given(
    batch=st.integers(1, 3), heads=st.integers(1, 4), n=st.integers(1, 9), s=st.integers(1, 9), dim=st.integers(1, 9)
)
def test_fused_attention_counts_like_its_definition(batch: int, heads: int, n: int, s: int, dim: int):
    q, k, v = torch.randn(batch, heads, n, dim), torch.randn(batch, heads, s, dim), torch.randn(batch, heads, s, dim)
    with MacCounter() as fused:
        F.scaled_dot_product_attention(q, k, v)
    with MacCounter() as plain:
        _ = (q @ k.transpose(-1, -2)).softmax(-1) @ v
    assert fused.total == plain.total == 2 * batch * heads * n * s * dim


@pytest.mark.parametrize(
    ("product", "macs"),
    [
        (lambda r: r(3, 4) @ r(4), 12),
        (lambda r: r(2, 3, 4) @ r(4), 24),
        (lambda r: r(4) @ r(4), 4),
        (lambda r: torch.vdot(r(4), r(4)), 4),
        (lambda r: torch.addmv(r(3), r(3, 4), r(4)), 12),
        (lambda r: torch.addbmm(r(3, 5), r(2, 3, 4), r(2, 4, 5)), 120),
        (lambda r: torch.baddbmm(r(2, 3, 5), r(2, 3, 4), r(2, 4, 5)), 120),
    ],
)
def test_products_with_vectors(product, macs: int):
    with MacCounter() as counter:
        product(torch.randn)
    assert counter.total == macs


def test_by_module_has_dotted_names_of_what_ran():
    net = create_model("cifar_resnet18", width=8)
    count = count_macs(net, torch.zeros(2, 3, 32, 32))
    assert set(count.by_module) == {name for name, _ in net.named_modules() if name}
    assert count.by_module["layer1.0.conv1"] == 2 * conv(32, 3, 8, 8)
    assert count.by_module["layer1"] == 4 * count.by_module["layer1.0.conv1"]
    assert count.by_module["relu"] == 0
    assert sum(macs for name, macs in count.by_module.items() if "." not in name) == count.total


def test_a_module_that_runs_twice_counts_twice():
    shared = nn.Linear(4, 4)
    assert count_macs(nn.Sequential(shared, nn.ReLU(), shared), torch.zeros(1, 4)).by_module == {"0": 32, "1": 0}


def test_a_module_that_calls_itself_counts_once_per_product():
    class Countdown(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Tensor, left: int = 2) -> Tensor:
            return self(self.linear(x), left - 1) if left else x

    count = count_macs(nn.Sequential(Countdown()), torch.zeros(1, 4))
    assert count.total == count.by_module["0"] == count.by_module["0.linear"] == 32


def test_can_be_read_inside_of_a_forward_hook():
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6))
    seen: list[int] = []
    with MacCounter() as counter:
        for layer in net:
            layer.register_forward_hook(lambda *_: seen.append(counter.total))
        net(torch.zeros(1, 4))
    assert seen == [20, 20, 50]
    assert counter.total == 50


def test_nested_counters_each_count_what_they_see():
    with MacCounter() as outer:
        _ = torch.ones(2, 2) @ torch.ones(2, 2)
        with MacCounter() as inner:
            _ = torch.ones(3, 3) @ torch.ones(3, 3)
    assert (outer.total, inner.total) == (8 + 27, 27)


def test_leaves_everything_as_it_was():
    class Fails(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("on purpose")

    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(), Fails()).train()
    model[0].eval()
    with pytest.raises(RuntimeError, match="on purpose"):
        count_macs(model, torch.zeros(1, 4))
    assert [module.training for module in model.modules()] == [True, False, True, True]
    assert torch.backends.mha.get_fastpath_enabled()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert torch.is_grad_enabled()


def test_a_fast_path_that_was_off_stays_off():
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        count_macs(nn.Linear(2, 2), torch.zeros(1, 2))
        assert not torch.backends.mha.get_fastpath_enabled()
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def test_a_compiled_model_counts_as_the_original():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    wrapped: nn.Module = torch.compile(model, backend="eager")  # pyright: ignore[reportAssignmentType]
    assert count_macs(wrapped, torch.zeros(5, 4)) == count_macs(model, torch.zeros(5, 4))
    in_place = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    in_place.compile(backend="eager")
    assert count_macs(in_place, torch.zeros(5, 4)).total == 90


def test_the_table_escapes_names_and_handles_nothing():
    model = nn.ModuleDict({"a<b": nn.Linear(1000, 1000)})
    model.forward = model["a<b"].forward
    count = count_macs(model, torch.zeros(1, 1000))
    assert count.by_module == {}  # forward was called, not the module
    assert count.format_table().splitlines()[-1].split() == ["total", "1.00"]
    named = count_macs(nn.Sequential(model["a<b"]), torch.zeros(1, 1000))
    assert "<td>0</td><td>1.00</td><td>100.0 %</td>" in named._repr_html_()
