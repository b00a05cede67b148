"""A small real training used by the engine's tests, in this process and in processes that are killed."""

import sys
from pathlib import Path

import torch
from torch import nn

from shoal.engine import FitConfig, History, RunFolder, as_batches, fit


def toy_data(n: int = 96) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(n, 3, 8, 8, generator=generator)
    return images, (images.mean((1, 2, 3)) > 0).long()


def toy_model(seed: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    features = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(*features, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 2))


def flip(images: torch.Tensor, *, index: torch.Tensor, epoch: int, generator: torch.Generator) -> torch.Tensor:
    turned = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(turned[:, None, None, None], images.flip(3), images)


def train(run: RunFolder | None, *, steps: int = 60, **changes: object) -> tuple[nn.Module, History]:
    """Train with everything that has a state: momentum, dropout, batch norm, average, augmentation, schedule."""
    model = toy_model()
    settings: dict[str, object] = {"precision": "bf16+channels_last", "average_decay": 0.9, "checkpoint_seconds": 0.0}
    settings |= {"epochs": steps / 6, "learning_rate": 0.05, "seed": 3} | changes
    config = FitConfig(**settings)  # pyright: ignore[reportArgumentType]
    batches = as_batches(toy_data(), batch_size=16, seed=3, augment=flip, small_until=0.5)

    def validate(model: nn.Module, _precision: object, _device: object) -> dict[str, float]:
        images, labels = toy_data()
        model.eval()
        with torch.no_grad():
            logits = model(images)
        return {
            "loss": float(nn.functional.cross_entropy(logits, labels)),
            "accuracy": float((logits.argmax(1) == labels).float().mean()),
        }

    return model, fit(model, batches, config=config, run=run, validate=validate)


if __name__ == "__main__":  # python toy.py RUN_FOLDER STEPS, in a process that a test kills
    with RunFolder(Path(sys.argv[1]), {"steps": int(sys.argv[2])}) as folder:
        train(folder, steps=int(sys.argv[2]))
