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
from shoal.studies.exits_timing import Run, Timing, time_all

TIMED_ROWS = 512
PROMISED_CONFIDENCE = 0.95


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

    def parameters(self) -> dict[str, int]:
        """Of each network."""
        smaller = {name_of(width): count_parameters(model) for width, (model, _) in self.smaller.items()}
        return {"plain": count_parameters(self.plain), "early exit": count_parameters(self.early), **smaller}


def measure(config: ExitsConfig, splits: ImageSplits, networks: Networks, progress: Progress) -> Findings:
    """Choose on the validation images, then look at the test images once.

    Args:
        config: resolved.
        splits: of the run.
        networks: trained.
        progress: told how it goes.
    """
    n = networks
    look = _Look(config, splits, n, choose_device(config.device)[0])
    seen = look.outputs(splits.validation.pair)
    kind = KINDS[config.policy]
    policy = choose_policy(seen, kind, max_accuracy_drop=config.max_accuracy_drop)
    path = policy_path(seen, kind)
    progress.say("timing all networks in turn")
    timing = look.time(policy)
    outputs = look.outputs(splits.test.pair)
    plain_logits = look.answers(n.plain, n.plain_history)
    progress.say("measuring how deep the plain network has to go for each image")
    depth = look.depths()
    exit_index, right, macs = outputs.replay(policy)
    _, bold_right, bold_macs = outputs.replay(path[0])
    plain_macs = look.macs(n.plain)
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
        timed_macs=float(macs[:TIMED_ROWS].double().mean()),
        batch_size=timing.batch_size,
        minutes=(n.plain_history.seconds / 60, n.early_history.seconds / 60),
        path=_path(outputs, path),
        smaller=tuple(
            Smaller(name_of(width), look.answers(*trained).argmax(1) == outputs.labels, look.macs(trained[0]))
            for width, trained in n.smaller.items()
        ),
        promise=look.promise(outputs),
        depth=depth.depth,
        soft_depth=depth.soft_depth,
        probes=len(depth.layers),
    )
    return Findings(
        max_accuracy_drop=config.max_accuracy_drop,
        splits=splits,
        at=n.early.at,
        parameters=n.parameters(),
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


@dataclass(frozen=True, eq=False)
class _Look:
    """One way of looking at images for every network of a run: each in the precision that it was trained in."""

    config: ExitsConfig
    splits: ImageSplits
    networks: Networks
    device: torch.device

    @property
    def precision(self) -> Precision:
        """Of the plain network and of the one with exits."""
        return precision_named(self.networks.plain_history.precision)

    @property
    def options(self) -> dict[str, Any]:
        """What everything that runs the network with exits is told."""
        return {"prepare": self.splits.normalise, "precision": self.precision, "device": self.device}

    @property
    def sample(self) -> Float[Tensor, "n channels height width"]:
        """The test images that are timed."""
        return self.splits.normalise(self.splits.test.images[:TIMED_ROWS])

    def outputs(self, pair: tuple[Tensor, Tensor]) -> ExitOutputs:
        """What every exit says."""
        return exit_outputs(self.networks.early, pair, **self.options)

    def answers(self, model: nn.Module, history: History) -> Float[Tensor, "n classes"]:
        """Logits of a network without exits for the test images."""
        precision = precision_named(history.precision)
        pair = self.splits.test.pair
        return logits_of_plain(model, pair, prepare=self.splits.normalise, precision=precision, device=self.device)

    def macs(self, model: nn.Module) -> int:
        """Of a network without exits, for one image."""
        return count_macs(model, self.sample[:1].to(self.device)).total

    def time(self, policy: Policy) -> Timing:
        """All networks beside each other."""
        n, early = self.networks, self.networks.early.eval()
        runs: dict[str, Run] = {
            "plain": (n.plain.eval(), self.precision),
            "early exit": (lambda rows: early.predict(rows, policy), self.precision),
            **{
                name_of(width): (model.eval(), precision_named(history.precision))
                for width, (model, history) in n.smaller.items()
            },
        }
        return time_all(runs, self.sample, device=self.device)

    def promise(self, outputs: ExitOutputs) -> Promise:
        """Ask for a certificate on the validation images, and see what the policy does on the test images."""
        config, early = self.config, self.networks.early
        kind, refused = KINDS[config.policy], ""
        certified = never_leaving(kind, len(early.at))
        asked: dict[str, Any] = {"max_accuracy_drop": config.promised_drop, "confidence": PROMISED_CONFIDENCE}
        try:
            certified = calibrate(early, self.splits.validation.pair, kind, **asked, seed=config.seed, **self.options)
        except InputError as error:  # too few images to promise anything: that is a finding
            refused = str(error)
        _, right, macs = outputs.replay(certified)
        certificate = certified.certificate
        return Promise(
            **asked,
            refused=refused,
            never_leaves=certificate is not None and certificate.never_leaves,
            said=str(certificate or ""),
            right=right,
            macs=macs,
        )

    def depths(self) -> Depth:
        """Prediction depth of the test images in the plain network, among some of its training images."""
        config, train = self.config, self.splits.train
        most = min(BUDGETS[config.budget].references, len(train))
        references = stratified_sample(train, most, seed=config.seed)
        return prediction_depth(
            self.networks.plain,
            references.pair,
            self.splits.test.pair,
            k=min(config.k, len(references) - 1),
            prepare=self.splits.normalise,
            precision=replace(self.precision, bf16=False),  # float32, in the memory format of the training
            device=self.device,
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
