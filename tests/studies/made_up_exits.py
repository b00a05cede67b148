"""Made-up answers of a network with exits, from which the early-exit study's claims, tables and pictures are made."""

import torch

from shoal.data import ImageSet, ImageSplits
from shoal.engine import History
from shoal.exits import ExitOutputs, Margin, choose_policy, policy_path
from shoal.studies.exits_breakeven import Path, Smaller
from shoal.studies.exits_findings import Findings
from shoal.studies.exits_measured import Measured, Promise
from shoal.studies.exits_timing import Timing

N, CLASSES = 240, 4
STRENGTHS = (1.0, 2.0, 4.0)  # of the right answer at each exit, the end last
COSTS = (20, 50, 101)  # MACs of an image that leaves there
PLAIN, SMALL = 100, 60


def draw(strength: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [n, classes] in which the right answer stands out so much, and labels."""
    labels = torch.arange(N) % CLASSES
    noise = torch.randn(N, CLASSES, generator=torch.Generator().manual_seed(seed))
    return noise + strength * torch.nn.functional.one_hot(labels, CLASSES), labels


def outputs(seed: int) -> ExitOutputs:
    """Of every exit."""
    labels = draw(0, seed)[1]
    logits = torch.stack([draw(strength, seed + at)[0] for at, strength in enumerate(STRENGTHS)])
    return ExitOutputs(logits, labels, torch.tensor(COSTS))


def images() -> ImageSet:
    """Noise."""
    pixels = torch.randint(256, (N, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    names = ("cat", "dog", "cow", "eel")
    return ImageSet(name="toy", images=pixels, labels=torch.arange(N) % CLASSES, classes=names, source="made up")


def history(accuracy: float) -> History:
    """Ten epochs that gain no more at the end."""
    rows = [
        {
            "epoch": float(epoch),
            **dict.fromkeys(("train_loss", "validation_loss"), 1 / epoch),
            **dict.fromkeys(("train_accuracy", "validation_accuracy"), accuracy * min(1.0, epoch / 5)),
        }
        for epoch in range(1, 11)
    ]
    return History(rows=rows, precision="fp32", seconds=60.0)


def findings(*, taught: float = 3.0) -> Findings:
    """All of it.

    Args:
        taught: how much the right answer stands out for the plain network; 0 for one that guesses.
    """
    seen, tested = outputs(10), outputs(20)
    policy, path = choose_policy(seen, Margin, max_accuracy_drop=0.02), policy_path(seen, Margin)
    plain, small = draw(taught, 30)[0], draw(taught, 31)[0]
    labels, split = tested.labels, images()
    index, right, macs = tested.replay(policy)
    bold = tested.replay(path[0])
    replayed = [tested.replay(one) for one in path]
    curve = Path(torch.stack([r for _, r, _ in replayed], 1), torch.stack([m for *_, m in replayed], 1).double())
    told = {"max_accuracy_drop": 0.01, "confidence": 0.95, "refused": "", "never_leaves": False}
    depth = (index * 2 + torch.arange(N) % 2).clamp(max=5)
    together = {name: torch.full((5,), ms) for name, ms in (("plain", 2.0), ("early exit", 1.2), ("8 channels", 1.0))}
    timing = Timing(128, together, together)
    measured = Measured(
        plain_right=plain.argmax(1) == labels,
        early_right=right,
        early_macs=macs,
        plain_macs=PLAIN,
        exit_index=index,
        exits=len(COSTS),
        right_by_exit=tested.right,
        bold_right=bold[1],
        bold_macs=bold[2],
        speed_ups=timing.speed_ups("plain", "early exit"),
        timed_macs=float(macs.double().mean()),
        batch_size=128,
        minutes=(1.0, 1.0),
        path=curve,
        smaller=(Smaller("8 channels", small.argmax(1) == labels, SMALL),),
        promise=Promise(**told, said="1 of 200 lost", right=right, macs=macs),
        depth=depth,
        soft_depth=depth + torch.arange(N) / N,
        probes=5,
    )
    networks = ("plain", "early exit", "8 channels")
    return Findings(
        max_accuracy_drop=0.02,
        splits=ImageSplits(train=split, validation=split, test=split, mean=(0.5,), std=(0.2,), seed=0),
        at=("layer1", "layer2"),
        parameters=dict.fromkeys(networks, 1000),
        plain_history=history(0.9),
        early_history=history(0.9),
        smaller_histories={"8 channels": history(0.8)},
        plain_rows=N,
        policy=policy,
        path=path,
        validation_outputs=seen,
        test_outputs=tested,
        plain_logits=plain,
        plain_macs=PLAIN,
        timing=timing,
        measured=measured,
    )
