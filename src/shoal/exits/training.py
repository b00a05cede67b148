"""Training a network with exits: all of it, also from the last exit's answers, or only heads on a frozen backbone."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shoal.engine import Data, FitConfig, History, Objective, Precision, Progress, RunFolder, as_batches, evaluate, fit
from shoal.engine.batches import Prepare
from shoal.errors import unknown_name, wrong
from shoal.exits.content import remember
from shoal.exits.network import EarlyExit

MODES = ("joint", "self-distillation", "frozen")


def joint_objective(weights: Sequence[float], *, distil: float = 0.0, label_smoothing: float = 0.0) -> Objective:
    """Weighted sum of the exits' losses.

    Each exit but the last learns from the labels and, to the share `distil`, from the last exit's probabilities,
    which are a gentler target than the labels and pull the shared layers less far from what the last exit needs.

    Args:
        weights: one per exit, the last included.
        distil: share of the soft target, in [0, 1]; 0 is the plain joint loss of BranchyNet.
        label_smoothing: of the loss against the labels.

    Returns:
        An objective for networks that return a list of logits; "correct" counts the last exit.

    Source: weighted sum: Teerapittayanon et al. 2016 (arXiv 1709.01686), section III; distillation among exits:
        Phuong & Lampert 2019, "Distillation-based training for multi-exit architectures" (ICCV).
    """

    def objective(model: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        *early, last = [logits.float() for logits in model(inputs)]  # each [b, C]
        loss = weights[-1] * F.cross_entropy(last, labels, label_smoothing=label_smoothing)
        soft = last.detach().softmax(1)
        for weight, logits in zip(weights, early, strict=False):
            hard = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
            loss = loss + weight * ((1 - distil) * hard + distil * F.cross_entropy(logits, soft))
        return loss, {"correct": (last.argmax(1) == labels).sum()}

    return objective


def fit_exits(
    net: EarlyExit,
    train: Data,
    validation: Data | None = None,
    *,
    mode: str = "joint",
    weights: Sequence[float] | None = None,
    distil: float | None = None,
    config: FitConfig | None = None,
    batch_size: int = 128,
    prepare: Prepare | None = None,
    run: RunFolder | None = None,
    part: str = "early_exit",
    progress: Progress | None = None,
    **batch_options: Any,
) -> History:
    """Train a network with exits, in place.

    Args:
        net: the network.
        train: (inputs [n, ...], labels [n]), or a loader of such pairs.
        validation: the same, for the validation loss and accuracy (of the last exit) after every epoch.
        mode: "joint" trains everything but what its owner froze; "self-distillation" does so too, and the early exits
            learn from the last one's answers as much as from the labels; "frozen" trains the heads and leaves the
            backbone as it is.
        weights: loss weight of every exit, the last included; 1 for the last and 0.3 for the others unless given.
        distil: share of the last exit's answers in what the early ones learn from, see `joint_objective`; a half with
            "self-distillation" and none otherwise, unless given.
        config: how to train.
        batch_size: rows of a step, for a pair of tensors.
        prepare: applied to the inputs of every batch, for example a normalisation of uint8 images.
        run: run folder for checkpoints and metrics.
        part: name of this training within the run.
        progress: told how it goes.
        batch_options: further arguments of `shoal.engine.as_batches`, for example augment.

    Returns:
        The history; losses are those of the weighted sum, accuracies those of the last exit.

    Raises:
        InputError: if the mode is unknown or the weights do not fit the exits.

    Example:
        >>> from shoal.nets import create_model
        >>> net = EarlyExit(create_model("cifar_resnet18", width=4), at=["layer1"], num_classes=10)
        >>> images, labels = torch.randn(32, 3, 8, 8), torch.arange(32) % 10
        >>> config = FitConfig(epochs=1, precision="fp32")
        >>> fit_exits(net, (images, labels), config=config, batch_size=16).rows[-1]["epoch"]
        1.0
    """
    if mode not in MODES:
        raise unknown_name("mode", mode, MODES)
    distil = (0.5 if mode == "self-distillation" else 0.0) if distil is None else distil
    if not 0 <= distil <= 1:
        raise wrong("distil", expected="a share from 0 to 1", got=distil)
    config = config or FitConfig()
    weights = _check_weights(weights, len(net.at) + 1, frozen=mode == "frozen")
    if mode == "frozen":
        net.freeze_backbone()
    else:
        net.unfreeze_backbone()
    remember(net, train)  # so that nothing is calibrated on these examples
    objective = joint_objective(weights, distil=distil, label_smoothing=config.label_smoothing)
    plain = joint_objective(weights, distil=distil)

    def validate(model: nn.Module, precision: Precision, device: torch.device) -> dict[str, float]:
        assert validation is not None
        return evaluate(model, validation, plain, precision=precision, device=device, prepare=prepare)

    return fit(
        net,
        as_batches(train, batch_size=batch_size, seed=config.seed, prepare=prepare, **batch_options),
        config=config,
        objective=objective,
        validate=validate if validation is not None else None,
        run=run,
        part=part,
        progress=progress,
    )


def _check_weights(weights: Sequence[float] | None, exits: int, *, frozen: bool) -> list[float]:
    if weights is None:
        # A frozen backbone cannot be harmed by its heads: they weigh as much as they like, the last not at all.
        return [1.0] * (exits - 1) + [0.0] if frozen else [0.3] * (exits - 1) + [1.0]
    values = [float(weight) for weight in weights]
    if len(values) != exits or min(values) < 0:
        raise wrong("weights", expected=f"{exits} numbers >= 0, the last exit included", got=values)
    return values
