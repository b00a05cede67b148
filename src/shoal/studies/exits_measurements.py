"""All measurements of the early-exit study: choose on the validation images, then look at the test images once."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shoal.data import ImageSplits, stratified_sample
from shoal.difficulty import Depth, prediction_depth
from shoal.engine import History, Precision, Progress, choose_device, in_order, precision_named
from shoal.engine.batches import Prepare
from shoal.errors import InputError
from shoal.exits import EarlyExit, ExitOutputs, Policy, calibrate, choose_policy, exit_outputs, policy_path
from shoal.exits.policies import never_leaving
from shoal.exits.policy_json import KINDS
from shoal.measure import count_macs, count_parameters
from shoal.studies.exits_breakeven import Path, Smaller
from shoal.studies.exits_config import BUDGETS, ExitsConfig
from shoal.studies.exits_findings import Findings
from shoal.studies.exits_measured import Measured, Promise
from shoal.studies.exits_timing import Run, time_all

TIMED_ROWS = 512


@dataclass(frozen=True, eq=False)
class Networks:
    """What was trained.

    Attributes:
        plain: the plain network.
        plain_history: of its training.
        early: the network with exits.
        early_history: of its training.
        smaller: by channels of the first layer, a network and its history.
    """

    plain: nn.Module
    plain_history: History
    early: EarlyExit
    early_history: History
    smaller: dict[int, tuple[nn.Module, History]]


def measure(config: ExitsConfig, splits: ImageSplits, networks: Networks, progress: Progress) -> Findings:
    """Choose on the validation images, then look at the test images once.

    Args:
        config: resolved.
        splits: of the run.
        networks: trained.
        progress: told how it goes.
    """
    n = networks
    precision = precision_named(n.plain_history.precision)
    device, _ = choose_device(config.device)
    options: dict[str, Any] = {"prepare": splits.normalise, "precision": precision, "device": device}
    seen = exit_outputs(n.early, splits.validation.pair, **options)
    kind = KINDS[config.policy]
    policy = choose_policy(seen, kind, max_accuracy_drop=config.max_accuracy_drop)
    path = policy_path(seen, kind)
    test = splits.test.pair
    outputs = exit_outputs(n.early, test, **options)

    def answers(model: nn.Module, history: History) -> Tensor:
        own = precision_named(history.precision)
        return logits_of_plain(model, test, prepare=splits.normalise, precision=own, device=device)

    plain_logits = answers(n.plain, n.plain_history)
    sample = splits.normalise(test[0][:TIMED_ROWS])
    macs_of = {width: count_macs(model, sample[:1].to(device)).total for width, (model, _) in n.smaller.items()}
    plain_macs = count_macs(n.plain, sample[:1].to(device)).total
    n.early.eval()
    runs: dict[str, Run] = {
        "plain": (n.plain.eval(), precision),
        "early exit": (lambda rows: n.early.predict(rows, policy), precision),
        **{
            name_of(width): (model.eval(), precision_named(history.precision))
            for width, (model, history) in n.smaller.items()
        },
    }
    progress.say("timing all networks in turn")
    timing = time_all(runs, sample, device=device)
    exit_index, right, macs = outputs.replay(policy)
    _, bold_right, bold_macs = outputs.replay(path[0])
    progress.say("measuring how deep the plain network has to go for each image")
    exact = replace(precision, bf16=False)  # float32, in the memory format of the training
    depth = _depths(config, splits, n.plain, exact, device)
    measured = Measured(
        plain_right=plain_logits.argmax(1) == outputs.labels,
        early_right=right,
        early_macs=macs,
        plain_macs=plain_macs,
        exit_index=exit_index,
        exits=len(n.early.at) + 1,
        right_by_exit=outputs.right,
        bold_right=bold_right,
        bold_macs=bold_macs,
        speed_ups=timing.speed_ups("plain", "early exit"),
        timed_macs=float(macs[: len(sample)].double().mean()),
        batch_size=timing.batch_size,
        minutes=(n.plain_history.seconds / 60, n.early_history.seconds / 60),
        path=_path(outputs, path),
        smaller=tuple(
            Smaller(name_of(width), answers(model, history).argmax(1) == outputs.labels, macs_of[width])
            for width, (model, history) in n.smaller.items()
        ),
        promise=_promise(config, splits, n.early, outputs, options),
        depth=depth.depth,
        soft_depth=depth.soft_depth,
        probes=len(depth.layers),
    )
    return Findings(
        max_accuracy_drop=config.max_accuracy_drop,
        splits=splits,
        at=n.early.at,
        parameters={
            "plain": count_parameters(n.plain),
            "early exit": count_parameters(n.early),
            **{name_of(width): count_parameters(model) for width, (model, _) in n.smaller.items()},
        },
        plain_history=n.plain_history,
        early_history=n.early_history,
        smaller_histories={name_of(width): history for width, (_, history) in n.smaller.items()},
        plain_rows=len(splits.train) + len(splits.validation) * BUDGETS[config.budget].plain_trains_on_all,
        policy=policy,
        path=path,
        validation_outputs=seen,
        test_outputs=outputs,
        plain_logits=plain_logits,
        plain_macs=plain_macs,
        timing=timing,
        measured=measured,
    )


def name_of(width: int) -> str:
    """A smaller network in words."""
    return f"{width} channels"


@torch.no_grad()
def logits_of_plain(
    model: nn.Module, data: tuple[Tensor, Tensor], *, prepare: Prepare, precision: Precision, device: torch.device
) -> Float[Tensor, "n classes"]:
    """Logits of a network without exits, on the CPU."""
    model.eval()
    found = []
    for inputs, _ in in_order(data, prepare=prepare):
        with precision.autocast(device):
            found.append(model(precision.place(inputs, device)).float().cpu())
    return torch.cat(found)


def _path(outputs: ExitOutputs, policies: list[Policy]) -> Path:
    replayed = [outputs.replay(policy) for policy in policies]
    right = torch.stack([right for _, right, _ in replayed], 1)
    return Path(right, torch.stack([macs for *_, macs in replayed], 1).double())


def _promise(
    config: ExitsConfig, splits: ImageSplits, early: EarlyExit, outputs: ExitOutputs, options: dict[str, Any]
) -> Promise:
    """Ask for a certificate on the validation images, and see what the policy does on the test images."""
    drop, confidence, refused = config.promised_drop, 0.95, ""
    kind = KINDS[config.policy]
    certified = never_leaving(kind, len(early.at))
    promise: dict[str, Any] = {"max_accuracy_drop": drop, "confidence": confidence, "seed": config.seed}
    try:
        certified = calibrate(early, splits.validation.pair, kind, **promise, **options)
    except InputError as error:  # too few images to promise anything: that is a finding
        refused = str(error)
    _, right, macs = outputs.replay(certified)
    certificate = certified.certificate
    return Promise(
        max_accuracy_drop=drop,
        confidence=confidence,
        refused=refused,
        never_leaves=certificate is not None and certificate.never_leaves,
        said=str(certificate or ""),
        right=right,
        macs=macs,
    )


def _depths(
    config: ExitsConfig, splits: ImageSplits, plain: nn.Module, precision: Precision, device: torch.device
) -> Depth:
    """Prediction depth of the test images in the plain network, among some of its training images."""
    most = min(BUDGETS[config.budget].references, len(splits.train))
    references = stratified_sample(splits.train, most, seed=config.seed)
    return prediction_depth(
        plain,
        references.pair,
        splits.test.pair,
        k=min(config.k, len(references) - 1),
        prepare=splits.normalise,
        precision=precision,
        device=device,
    )
