"""The trainings of the early-exit study: the same layers, the same time, fresh weights each."""

from dataclasses import replace
from typing import Any, cast

import torch
from torch import nn

from shoal.data import FlipCrop, ImageSplits, stratified_sample
from shoal.data.augment import Flip
from shoal.data.specs import match_spec
from shoal.engine import (
    FitConfig,
    History,
    Precision,
    Progress,
    RunFolder,
    as_batches,
    classification,
    evaluate,
    fit,
    seed_everything,
)
from shoal.exits import EarlyExit, fit_exits
from shoal.nets import create_model
from shoal.nets.whitening import fit_whitening
from shoal.studies.exits_config import BUDGETS, MAX_EPOCHS, ExitsConfig

WHITENING_ROWS = 2_000  # images; their patches are two million


def augmentation(config: ExitsConfig, splits: ImageSplits) -> FlipCrop:
    """Flips where a mirrored image is still one of its class; crops shift by an eighth of the side."""
    spec = match_spec(splits.name)
    mirrors = bool(splits.train.files) or (spec is not None and spec.mirrors)  # a folder of images has files
    flip = ("alternating" if mirrors else "none") if config.flip == "auto" else config.flip
    padding = max(1, min(splits.shape[1:]) // 8)
    return FlipCrop(flip=cast(Flip, flip), padding=padding, seed=config.seed)


def fit_config(config: ExitsConfig, precision: str) -> FitConfig:
    """The training settings that both networks share."""
    return FitConfig(
        minutes=config.minutes,
        epochs=config.epochs or MAX_EPOCHS,
        max_epochs=MAX_EPOCHS,
        optimizer=config.optimizer,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        label_smoothing=config.label_smoothing,
        average_decay=config.average_decay,
        precision=precision,
        device=config.device,
        seed=config.seed,
    )


def batch_options(config: ExitsConfig, splits: ImageSplits) -> dict[str, Any]:
    """How batches are made for both networks."""
    large = min(splits.shape[1:]) >= 24  # smaller images have no detail to spare
    return {
        "batch_size": min(config.batch_size, max(8, len(splits.train) // 16)),
        "prepare": splits.normalise,
        "augment": augmentation(config, splits),
        "small_until": config.small_until if large else 0.0,
    }


def create_backbone(config: ExitsConfig, splits: ImageSplits) -> nn.Module:
    """A fresh network for these images, its computed layer fitted to them."""
    seed_everything(config.seed)
    settings = {"num_classes": len(splits.classes), "in_channels": splits.shape[0], "width": config.width}
    model = create_model(config.model, whitened=config.whitened, **settings)
    fit_whitening(model, splits.normalise(splits.train.images[:: max(1, len(splits.train) // WHITENING_ROWS)]))
    return model


def create_early(config: ExitsConfig, splits: ImageSplits) -> EarlyExit:
    """A fresh network with exits."""
    example = torch.zeros(2, *splits.shape)
    return EarlyExit(create_backbone(config, splits), config.at, len(splits.classes), example=example)


def train_plain(
    config: ExitsConfig, splits: ImageSplits, run: RunFolder | None, progress: Progress
) -> tuple[nn.Module, History]:
    """The plain network: trained for the budget's minutes."""
    return _train_without_exits(config, splits, run, progress, part="plain")


def train_smaller(
    config: ExitsConfig, splits: ImageSplits, width: int, run: RunFolder | None, progress: Progress
) -> tuple[nn.Module, History]:
    """A network of fewer channels, trained as the plain one is, for as long; in the precision that suits it."""
    narrow = replace(config, width=width)
    return _train_without_exits(narrow, splits, run, progress, part=f"width_{width}")


def _train_without_exits(
    config: ExitsConfig, splits: ImageSplits, run: RunFolder | None, progress: Progress, *, part: str
) -> tuple[nn.Module, History]:
    watched = BUDGETS[config.budget].watched
    model = create_backbone(config, splits)
    train, validation = splits.train.pair, splits.validation.pair
    if BUDGETS[config.budget].plain_trains_on_all:
        train = (torch.cat([train[0], validation[0]]), torch.cat([train[1], validation[1]]))
        validation = None

    def validate(model: nn.Module, precision: Precision, device: torch.device) -> dict[str, float]:
        rows = stratified_sample(splits.validation, min(watched, len(splits.validation))).pair
        options: dict[str, Any] = {"precision": precision, "device": device, "prepare": splits.normalise}
        return evaluate(model, rows, classification(), **options)

    history = fit(
        model,
        as_batches(train, seed=config.seed, **batch_options(config, splits)),
        config=fit_config(config, config.precision),
        validate=validate if validation else None,
        run=run,
        part=part,
        progress=progress,
    )
    return model, history


def train_early(
    config: ExitsConfig, splits: ImageSplits, precision: str, run: RunFolder | None, progress: Progress
) -> tuple[EarlyExit, History]:
    """The network with exits: fresh weights, the same minutes, without the validation images."""
    early = create_early(config, splits)
    # Scaled to a sum of 2: the end keeps most of its pull, and the learning rate of the plain network still fits.
    scale = 2 / (1 + config.exit_weight * len(early.at))
    watched = BUDGETS[config.budget].watched
    validation = stratified_sample(splits.validation, min(watched, len(splits.validation))).pair
    history = fit_exits(
        early,
        splits.train.pair,
        validation,
        weights=[config.exit_weight * scale] * len(early.at) + [scale],
        distil=config.distil,
        config=fit_config(config, precision),
        run=run,
        part="early_exit",
        progress=progress,
        **batch_options(config, splits),
    )
    return early, history
