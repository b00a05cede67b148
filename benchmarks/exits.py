"""Early exits on the clock: ours beside earlyon, whole batches that leave by their mean, and no exit.

    python -m benchmarks.exits [speed|training|exported|all] [--width 64] [--minutes 3] [--turns 5]

One network with exits (CIFAR-10, the study's recipe) is trained for some minutes and kept in runs/; thresholds are
chosen on validation images, for about half of the arithmetic. First the ways of running it are compared: the same exits
and logits as one row at a time, and as earlyon's for one image. Then they are timed in turn on the same test images.

`speed`: what the saving in arithmetic becomes on the clock, beside what the stages' own times promise: a stage is timed
in the same run, at as many rows as reach it. `training`: a step with exits over one without. `exported`: .pt2 and ONNX.
Writes benchmarks/records/exits-speed.json.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmarks.parts import Parts, run_parts, say
from shoal.data import load
from shoal.engine import Silent
from shoal.exits import Confidence, EarlyExit, Policy, contradiction_path, exit_outputs
from shoal.exits.taps import tapped
from shoal.measure import count_macs
from shoal.studies.exits_config import ExitsConfig, resolve
from shoal.studies.exits_training import create_early, train_early

RECORD = Path(__file__).parent / "records" / "exits-speed.json"
BATCHES = (1, 32, 128, 512)
SAVING = 2.0  # the ratio of MACs that thresholds are chosen for
ROWS_ALONE = 96  # images that are timed one at a time
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)  # rows at which stages are timed

Run = Callable[[Tensor], object]


@torch.enable_grad()
def prepare(width: int, minutes: float) -> tuple[EarlyExit, Policy, Tensor, Tensor]:
    """The trained network, its policy, and 512 test images with their labels."""
    config = resolve(ExitsConfig(data="cifar10", width=width, minutes=minutes, whitened=False))
    splits = load("cifar10")
    net = create_early(config, splits)
    kept = Path("runs") / f"benchmark-exits-{width}-{minutes:g}.safetensors"
    if kept.exists():
        net.load_state_dict(load_file(kept))
    else:
        say(f"training, {minutes:g} minutes")
        net, _ = train_early(config, splits, "auto", None, Silent())
        net.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue] - missing from the stub
        kept.parent.mkdir(exist_ok=True)
        save_file({name: value.contiguous() for name, value in net.state_dict().items()}, kept)
    net.eval()
    choosing = exit_outputs(net, splits.validation.pair, prepare=splits.normalise)
    whole = float(choosing.costs[-1])

    def saving(policy: Policy) -> float:
        return whole / float(choosing.replay(policy)[2].double().mean())

    # thresholds that move together lie close enough to come near to the saving
    policy = min(contradiction_path(choosing, Confidence), key=lambda policy: abs(saving(policy) - SAVING))
    test = splits.test.take(torch.randperm(len(splits.test), generator=torch.Generator().manual_seed(0))[:512])
    return net, policy, splits.normalise(test.images), test.labels


@torch.no_grad()
def by_the_mean(net: EarlyExit, policy: Policy, rows: Tensor) -> Tensor:
    """The whole batch leaves where its mean confidence is enough, and is answered there."""

    class Done(Exception):  # noqa: N818 - leaves a forward pass
        pass

    answers: list[Tensor] = []

    def leave(index: int, output: Tensor) -> None:
        answer = net.heads[index](output)
        if float(policy.score(answer).mean()) >= policy.thresholds[index]:
            answers.append(answer)
            raise Done

    try:
        with tapped(net.backbone, net.at, leave):
            return net.backbone(rows)
    except Done:
        return answers[0]


def create_earlyon(net: EarlyExit, policy: Policy, example: Tensor) -> Any:
    """The same backbone, heads and thresholds in earlyon's wrapper."""
    types = import_module("earlyon.core.types")
    names = [f"exit{index}" for index in range(len(net.at))]
    points = [types.ExitPoint(name, layer, 1) for name, layer in zip(names, net.at, strict=True)]
    thresholds = [min(threshold, 1.0) for threshold in policy.thresholds]
    config = types.EarlyExitConfig(
        backbone="ours",
        num_classes=net.num_classes,
        exit_points=points,
        confidence_thresholds=thresholds,
        enabled_exits=[threshold <= 1 for threshold in policy.thresholds],
    )
    wrapper = import_module("earlyon.core.wrappers").EarlyExitWrapper
    heads = dict(zip(names, net.heads, strict=True))
    return wrapper(net.backbone, heads, lambda logits: logits, config, tuple(example[:1].shape)).eval()


@torch.no_grad()
def check(net: EarlyExit, policy: Policy, theirs: Any, images: Tensor) -> None:
    """All ways answer alike, up to rounding at a threshold."""
    alone = [net.predict(row[None], policy) for row in images[:ROWS_ALONE]]
    index = torch.cat([found.exit_index for found in alone])
    logits = torch.cat([found.logits for found in alone])
    for batch in BATCHES[1:]:
        parts = [net.predict(rows, policy) for rows in images[:ROWS_ALONE].split(batch)]
        same = torch.cat([found.exit_index for found in parts]) == index
        assert same.double().mean() > 0.98, f"batch {batch}: {int((~same).sum())} rows leave elsewhere"
        assert torch.allclose(torch.cat([found.logits for found in parts])[same], logits[same], atol=1e-3)
    ends = len(net.at)
    found = [theirs(row[None]) for row in images[:ROWS_ALONE]]
    taken = torch.tensor([ends if one.exit_taken == -1 else one.exit_taken for one in found])
    assert torch.equal(taken, index), "earlyon leaves elsewhere"
    assert torch.allclose(torch.cat([one.prediction for one in found]), logits, atol=1e-3)
    say("one row at a time, all batch sizes and earlyon agree")


@torch.no_grad()
def stage_seconds(net: EarlyExit, rows: Tensor, repeats: int) -> list[float]:
    """Median seconds of every stage, from exit to exit, without heads."""
    found = []
    for _ in range(repeats + 1):
        marks = [time.perf_counter()]
        with tapped(net.backbone, net.at, lambda _index, _output, marks=marks: marks.append(time.perf_counter())):
            net.backbone(rows)
        marks.append(time.perf_counter())
        found.append([after - before for before, after in itertools.pairwise(marks)])
    return [statistics.median(stage) for stage in zip(*found[1:], strict=True)]


def between(sizes: Sequence[int], seconds: Sequence[float], rows: int) -> float:
    """Seconds at so many rows, on the line between the two nearest sizes."""
    if not rows:
        return 0.0
    above = next(at for at, size in enumerate(sizes) if size >= rows)
    if sizes[above] == rows:
        return seconds[above]
    low, high = sizes[above - 1], sizes[above]
    return seconds[above - 1] + (seconds[above] - seconds[above - 1]) * (rows - low) / (high - low)


def promised(net: EarlyExit, taken: Tensor, batch: int, stages: dict[int, list[float]]) -> dict[str, float]:
    """The speed-up that the stages' own times promise, without heads, decisions and moving of rows.

    Args:
        net: the network.
        taken: [n], the exit of every image.
        batch: rows at a time.
        stages: seconds of the stages by rows.

    Returns:
        "at_full_batches": as if a stage cost in proportion to its rows; "at_the_rows_left": each stage at as many rows
        as reach it.
    """
    whole = linear = actual = 0.0
    sizes = sorted(stages)
    for part in taken.split(batch):
        for stage in range(len(net.at) + 1):
            reach = int((part >= stage).sum())
            seconds = [stages[size][stage] for size in sizes]
            full = between(sizes, seconds, len(part))
            whole += full
            linear += full * reach / len(part)
            actual += between(sizes, seconds, reach)
    return {"at_full_batches": whole / linear, "at_the_rows_left": whole / actual}


def in_turn(ways: dict[str, Run], images: Tensor, batch: int, turns: int) -> dict[str, list[float]]:
    """Seconds of each way over all images, one after the other, turn by turn."""
    parts = images.split(batch)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, run in ways.items():
            began = time.perf_counter()
            for rows in parts:
                run(rows)
            if turn:
                seconds[name].append(time.perf_counter() - began)
    return seconds


@torch.no_grad()
def speed(args: argparse.Namespace) -> dict[str, Any]:
    """How much of the saving is seen on the clock."""
    net, policy, images, labels = prepare(args.width, args.minutes)
    theirs = create_earlyon(net, policy, images)
    check(net, policy, theirs, images)
    found = net.predict(images, policy)
    plain = count_macs(net.backbone, images[:1]).total
    rows = []
    for batch in BATCHES:
        some = images[:ROWS_ALONE] if batch == 1 else images
        taken, macs = found.exit_index[: len(some)], found.macs[: len(some)].double().mean()
        batched = theirs if batch == 1 else theirs.forward_inference_batched
        ways: dict[str, Run] = {
            "no exit": net.backbone,
            "shoal": lambda x: net.predict(x, policy),
            "earlyon": batched,
            "by the mean": lambda x: by_the_mean(net, policy, x),
        }
        # stages before and after, so that a busy moment disturbs both alike
        sizes = [size for size in SIZES if size <= batch]
        before = {size: stage_seconds(net, some[:size], 3) for size in sizes}
        seconds = in_turn(ways, some, batch, args.turns)
        after = {size: stage_seconds(net, some[:size], 3) for size in sizes}
        stages = {size: [(a + b) / 2 for a, b in zip(before[size], after[size], strict=True)] for size in sizes}
        ratios = {
            name: [x / y for x, y in zip(seconds["no exit"], times, strict=True)] for name, times in seconds.items()
        }
        row = {
            "batch": batch,
            "macs_ratio": plain / float(macs),
            "promised": promised(net, taken, batch, stages),
            "speed_up": {name: statistics.median(ratio) for name, ratio in ratios.items()},
            "spread": {name: [min(ratio), max(ratio)] for name, ratio in ratios.items()},
            "milliseconds": {name: 1e3 * statistics.median(s) / len(some) for name, s in seconds.items()},
        }
        rows.append(row)
        speed_up = ", ".join(f"{name} {x:.2f}" for name, x in row["speed_up"].items())
        promise = ", ".join(f"{name} {x:.2f}" for name, x in row["promised"].items())
        say(f"batch {batch}: MACs {row['macs_ratio']:.2f}; promised {promise}; speed-up {speed_up}")
    return {
        "network": f"cifar_resnet18, width {args.width}, exits at {', '.join(net.at)}",
        "right": float((found.labels == labels).double().mean()),
        "thresholds": [None if t == policy.never else t for t in policy.thresholds],
        "rows": rows,
    }


def training(args: argparse.Namespace) -> dict[str, Any]:
    """A training step with exits over one without: forward, loss, backward, update."""
    from shoal.engine import classification
    from shoal.exits import joint_objective

    config = resolve(ExitsConfig(data="cifar10", width=args.width, minutes=1.0, whitened=False))
    splits = load("cifar10")
    net = create_early(config, splits).train()
    images, labels = splits.normalise(splits.train.images[:128]), splits.train.labels[:128]
    weights = [0.3] * len(net.at) + [1.0]

    def step(model: nn.Module, objective: Any) -> Run:
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)

        def run(rows: Tensor) -> None:
            optimizer.zero_grad()
            objective(model, rows, labels)[0].backward()
            optimizer.step()

        return run

    ways = {"plain": step(net.backbone, classification()), "with exits": step(net, joint_objective(weights))}
    seconds = in_turn(ways, images, len(images), 2 * args.turns)
    ratios = [b / a for a, b in zip(seconds["plain"], seconds["with exits"], strict=True)]
    say(f"training: a step with {len(net.at)} exits takes {statistics.median(ratios):.3f} of one without")
    return {"exits": len(net.at), "ratio": statistics.median(ratios), "spread": [min(ratios), max(ratios)]}


@torch.no_grad()
def exported(args: argparse.Namespace) -> dict[str, Any]:
    """Files that skip, beside files of the network without exits, in the same form."""
    from shoal.exits.export_file import export

    onnxruntime = import_module("onnxruntime")
    net, policy, images, _ = prepare(args.width, args.minutes)
    found = net.predict(images, policy)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        files = {name: export(net, policy, place / f"net.{name}", images[:2]) for name in ("pt2", "onnx")}
        size = torch.export.Dim("n", min=1)
        plain = torch.export.export(net.backbone, (images[:2],), dynamic_shapes=({0: size},))
        torch.onnx.export(plain, dynamo=True).save(place / "plain.onnx")  # type: ignore[union-attr]
        sessions = [onnxruntime.InferenceSession(str(file)) for file in (place / "plain.onnx", files["onnx"])]
        without, within = [_in_onnxruntime(session) for session in sessions]
        program = torch.export.load(files["pt2"]).module()
        logits, index = within(images)
        assert torch.equal(torch.from_numpy(index), found.exit_index), "rows leave elsewhere in onnxruntime"
        apart = [float((torch.from_numpy(logits) - found.logits).abs().max())]
        again, index = program(images)
        assert torch.equal(index, found.exit_index), "rows leave elsewhere in the exported program"
        apart.append(float((again - found.logits).abs().max()))
        assert max(apart) < 1e-4, apart
        for batch in BATCHES:
            some = images[:ROWS_ALONE] if batch == 1 else images
            ways: dict[str, Run] = {
                "eager without": net.backbone,
                "eager": lambda x: net.predict(x, policy),
                "pt2 without": plain.module(),
                "pt2": program,
                "onnx without": without,
                "onnx": within,
            }
            seconds = in_turn(ways, some, batch, args.turns)
            speed_up = {
                name: statistics.median(a / b for a, b in zip(seconds[f"{name} without"], seconds[name], strict=True))
                for name in ("eager", "pt2", "onnx")
            }
            milliseconds = {name: 1e3 * statistics.median(times) / len(some) for name, times in seconds.items()}
            rows.append({"batch": batch, "speed_up": speed_up, "milliseconds": milliseconds})
            say(f"batch {batch}: " + ", ".join(f"{name} {x:.2f}" for name, x in speed_up.items()))
    agreement = f"Exits as in eager mode, logits within {max(apart):.0e} on {len(images)} images."
    return {"rows": rows, "agreement": agreement}


def _in_onnxruntime(session: Any) -> Any:
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x.numpy()})


PARTS: Parts = {"speed": speed, "training": training, "exported": exported}


if __name__ == "__main__":
    run_parts(__doc__, PARTS, RECORD, width=64, minutes=3.0, turns=5)
