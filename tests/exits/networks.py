"""Networks that exits have never seen, small enough for tests."""

import torch
from torch import Tensor, nn


class Branches(nn.Module):
    """Concatenated branches, depthwise convolutions and a functional op."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.left = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.right = nn.Conv2d(8, 8, 1)
        self.mix = nn.Conv2d(16, 16, 1)
        self.fc = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.mix(torch.cat([self.left(x), self.right(x)], 1).relu())
        return self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


class Patches(nn.Module):
    """A transformer over patches, with nn.MultiheadAttention inside and (logits, tokens) as its answer."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 8, stride=8)
        layer = lambda: nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)  # noqa: E731
        self.blocks = nn.ModuleList([layer(), layer()])
        self.fc = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.patch(x).flatten(2).transpose(1, 2)  # [b, tokens, dim]
        for block in self.blocks:
            tokens = block(tokens)
        return self.fc(tokens.mean(1)), tokens


class Skipping(nn.Module):
    """A connection from before `inner` to after it: dropping rows at `inner` would not drop them there."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.inner = nn.Conv2d(8, 8, 3, padding=1)
        self.outer = nn.Conv2d(8, 8, 1)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.outer(x + self.inner(x).relu())
        return self.fc(x.mean((2, 3)))


class Twice(nn.Module):
    """A module that runs twice, and one that never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.again = nn.Conv2d(8, 8, 3, padding=1)
        self.idle = nn.Linear(8, 8)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.again(self.again(self.stem(x))).mean((2, 3)))


def flat() -> nn.Module:
    """A network that flattens early."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 5))
