"""Classifiers of many kinds, small enough for tests, and an independent test of what everything passes through."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from shoal.nets import create_model


class Inception(nn.Module):
    """Blocks of concatenated branches."""

    class Block(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.small = nn.Conv2d(channels, 4, 1)
            self.large = nn.Sequential(nn.Conv2d(channels, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 3, padding=1))
            self.pooled = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(channels, 4, 1))

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([self.small(x), self.large(x), self.pooled(x)], 1).relu()

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.one, self.two = Inception.Block(8), Inception.Block(16)
        self.fc = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.two(self.one(self.stem(x))).mean((2, 3)))


class Separable(nn.Module):
    """Inverted residual blocks of depthwise convolutions, with dropout and batch norm."""

    class Block(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.expand = nn.Sequential(nn.Conv2d(channels, 16, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
            self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False)
            self.project = nn.Sequential(nn.Conv2d(16, channels, 1, bias=False), nn.BatchNorm2d(channels))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.project(self.depthwise(self.expand(x)))

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.blocks = nn.Sequential(Separable.Block(8), nn.Dropout(0.5), Separable.Block(8))
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(self.stem(x)).mean((2, 3)))


class InPlace(nn.Module):
    """Residual blocks as torchvision writes them: activations and additions in place."""

    class Block(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
            self.act1 = nn.ReLU(inplace=True)
            self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
            self.shortcut, self.act2 = nn.Identity(), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            out = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x)))))
            out += self.shortcut(x)
            return self.act2(out)

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.act = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True)
        self.one, self.two = InPlace.Block(8), InPlace.Block(8)
        self.pool, self.flatten, self.late = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.ReLU(inplace=True)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.two(self.one(self.act(self.stem(x))))
        return self.fc(self.late(self.flatten(self.pool(x))))


class VisionTransformer(nn.Module):
    """Patches and a class token, through torch's own layer and through a block with nn.MultiheadAttention."""

    class Block(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.attention = nn.MultiheadAttention(dim, 2, batch_first=True)
            self.mlp = nn.Sequential(nn.Linear(dim, 32), nn.GELU(), nn.Linear(32, dim))

        def forward(self, x: Tensor) -> Tensor:
            y = self.norm1(x)
            x = x + self.attention(y, y, y, need_weights=False)[0]
            return x + self.mlp(self.norm2(x))

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.position = nn.Parameter(torch.randn(1, 17, 16))
        self.first = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.1)
        self.second = VisionTransformer.Block(16)
        self.norm = nn.LayerNorm(16)
        self.fc = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).mT  # [b, 16, dim]
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1) + self.position
        return self.fc(self.norm(self.second(self.first(tokens)))[:, 0])


class Words(nn.Module):
    """Token ids, embeddings of tokens and of places, mean over the sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Embedding(12, 16)  # defined before the tokens' own, and reached by no token
        self.steady = nn.LayerNorm(16)
        self.token = nn.Embedding(50, 16)
        self.block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
        self.hidden = nn.Linear(16, 12)
        self.fc = nn.Linear(12, 5)

    def forward(self, ids: Tensor) -> Tensor:
        places = self.steady(self.place(torch.arange(ids.shape[1])))
        x = self.block(self.token(ids) + places)
        return self.fc(self.hidden(x).relu().mean(1))


class Twice(nn.Module):
    """A layer that runs twice, one that never runs, and one that goes by two names."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.again, self.idle = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.alias = self.mean
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.mean(self.again(self.again(self.stem(x)).relu())).flatten(1))


class WithExtra(nn.Module):
    """Logits and something else, which layers of its own are for."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.side, self.fc = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 2, 1), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        x = self.body(x)
        return self.fc(x.relu().mean((2, 3))), {"side": self.side(x)}


@dataclass
class Answer:
    """What language models return."""

    loss: None
    logits: Tensor


class WithLogits(nn.Module):
    """An object with `.logits`, and blocks that return tuples."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(12, 12)

        def forward(self, x: Tensor) -> tuple[Tensor, None]:
            return x + self.inner(x).tanh(), None

    def __init__(self) -> None:
        super().__init__()
        self.start, self.blocks = nn.Linear(192, 12), nn.ModuleList(WithLogits.Block() for _ in range(2))
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Answer:
        x = self.start(x.flatten(1))
        for block in self.blocks:
            x, _ = block(x)
        return Answer(loss=None, logits=self.head(x))


def flat() -> nn.Module:
    """A network that flattens at once."""
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 24), nn.ReLU(), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 5))


def images(n: int, side: int = 16, seed: int = 0) -> Tensor:
    """Noise."""
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(seed))


def small_images(n: int, seed: int = 0) -> Tensor:
    """Noise, 192 numbers each."""
    return images(n, 8, seed)


def token_ids(n: int, seed: int = 0) -> Tensor:
    """Sequences of 12."""
    return torch.randint(50, (n, 12), generator=torch.Generator().manual_seed(seed))


@dataclass(frozen=True)
class Case:
    """A network, its inputs, layers that are chosen of it, and layers that others go around."""

    make: Callable[[], nn.Module]
    inputs: Callable[[int], Tensor]
    chosen: tuple[str, ...]
    around: tuple[str, ...]

    def model(self, seed: int = 0) -> nn.Module:
        """The network, in training mode, with weights that the seed says."""
        torch.manual_seed(seed)
        return self.make()


CASES = {
    "resnet": Case(
        lambda: create_model("cifar_resnet18", num_classes=5, width=8),
        small_images,
        ("layer1.0", "layer1", "layer2.0", "layer2", "layer3.0", "layer3", "layer4.0", "avgpool"),
        ("layer1.0.conv1", "layer2.0.bn2", "layer4.1.conv2"),
    ),
    "inception": Case(Inception, images, ("stem", "one", "two"), ("one.small", "one.large", "two.pooled.1")),
    "separable": Case(
        Separable,
        images,
        ("stem.0", "stem.1", "stem", "blocks.0", "blocks"),
        ("blocks.0.depthwise", "blocks.2.expand", "blocks.2.project.1"),
    ),
    "in_place": Case(
        InPlace,
        images,
        ("stem", "act", "one", "two", "pool", "flatten", "late"),
        ("one.bn2", "one.shortcut", "two.conv1", "two.bn2", "two.act1"),
    ),
    "vision_transformer": Case(
        VisionTransformer,
        images,
        ("patch", "first.norm1", "first", "second", "norm"),
        ("first.self_attn", "first.linear1", "second.attention", "second.norm1", "second.mlp"),
    ),
    "words": Case(
        Words, token_ids, ("token", "block", "hidden"), ("place", "steady", "block.self_attn", "block.norm1")
    ),
    "flat": Case(flat, small_images, ("0", "1", "2", "3", "4"), ()),
    "twice": Case(Twice, images, ("stem", "mean"), ()),
    "with_extra": Case(WithExtra, images, ("body",), ("side",)),
    "with_logits": Case(WithLogits, small_images, ("start", "blocks.0", "blocks.1"), ("blocks.0.inner",)),
}


def gradient_goes_around(model: nn.Module, layer: str, inputs: Tensor) -> bool:
    """Whether a gradient reaches the inputs where none passes the layer: cut there, and see what arrives.

    Of token ids, whether it reaches what `Words.token` gives.
    """
    arrived: list[Tensor] = []

    def cut(_module: nn.Module, _inputs: object, output: Tensor | tuple[Tensor, ...]) -> object:
        if isinstance(output, tuple):
            return output[0].detach().clone(), *output[1:]
        return output.detach().clone()

    def watch(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        if output.requires_grad:
            output.register_hook(arrived.append)

    handles = []
    if not inputs.is_floating_point():
        handles.append(model.get_submodule("token").register_forward_hook(watch))
    handles.append(model.get_submodule(layer).register_forward_hook(cut))
    if layer == "token":
        handles.reverse()
    started = inputs.clone()
    if inputs.is_floating_point():
        started.requires_grad_().register_hook(arrived.append)
    found = model.eval()(started * 1 if inputs.is_floating_point() else started)
    logits = found.logits if isinstance(found, Answer) else found[0] if isinstance(found, tuple) else found
    if logits.requires_grad:
        logits.square().sum().backward()
    for handle in handles:
        handle.remove()
    return bool(arrived)
