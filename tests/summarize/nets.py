"""Small models for tests."""

import torch

from shoal.summarize.model import SummaryModel
from shoal.summarize.model_config import ModelConfig

VOCABULARY = 60


def create(seed: int = 0, **changes: object) -> SummaryModel:
    """A model of random weights, larger than at the start of a training, so that it has opinions."""
    torch.manual_seed(seed)
    shape = {"vocabulary": VOCABULARY, "dim": 32, "heads": 4, "max_source": 40, "max_target": 24} | changes
    model = SummaryModel(ModelConfig(**shape)).eval()  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(2)
    return model


def documents(rows: int = 5, length: int = 17, seed: int = 0) -> torch.Tensor:
    """Token numbers, of different lengths, padded at the end."""
    generator = torch.Generator().manual_seed(seed)
    found = torch.randint(3, VOCABULARY, (rows, length), generator=generator)
    for row in range(1, rows):
        found[row, length - 2 * row :] = 0
    return found
