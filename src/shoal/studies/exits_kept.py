"""What a run of the exits study keeps: its network with exits, what they say of test images, and some of these.

kept = load_kept_exits("runs/exits-quick-digits-1a2b3c")
kept.outputs.replay(Margin([0.5] * len(kept.net.at)))          # what a threshold does to the test images
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from shoal.data import ImageSet, ImageSplits
from shoal.engine import RunFolder
from shoal.errors import ShoalError
from shoal.exits import EarlyExit, ExitOutputs, Policy, load_exits, save_exits
from shoal.exits.saving import ImageInputs, inputs_of
from shoal.studies.kept import NETWORK, evenly, keep, load_kept

MOST_NUMBERS = 8_000_000  # of logits: all of 10,000 images with 8 exits and 100 classes


@dataclass(frozen=True, eq=False, kw_only=True)
class KeptExits:
    """A network with exits, and what it says.

    Attributes:
        net: on the CPU, in evaluation mode.
        policy: that the study chose on its validation images.
        inputs: the images that it takes.
        outputs: what every exit says of the test images, as the study measured it.
        shown: test images, those that leave first come first.
    """

    net: EarlyExit
    policy: Policy
    inputs: ImageInputs
    outputs: ExitOutputs
    shown: ImageSet


def keep_exits(run: RunFolder, net: EarlyExit, splits: ImageSplits, policy: Policy, outputs: ExitOutputs) -> None:
    """Write it into the run folder.

    Args:
        run: its folder.
        net: the trained network.
        splits: of the run.
        policy: chosen on the validation images.
        outputs: what every exit says of the test images.
    """
    inputs = ImageInputs(shape=splits.shape, classes=splits.classes, mean=splits.mean, std=splits.std)
    save_exits(net, run.path / NETWORK, policy=policy, inputs=inputs)
    exits, rows, classes = outputs.logits.shape
    some = torch.arange(min(rows, max(1, MOST_NUMBERS // (exits * classes))))  # test images are in a random order
    shown = splits.test.take(_by_exit(outputs, policy))
    keep(
        run,
        {
            "name": splits.name,
            "source": splits.source,
            "logits": outputs.logits[:, some],
            "labels": outputs.labels[some],
            "costs": outputs.costs,
            "images": shown.images,
            "image_labels": shown.labels,
        },
    )


def load_kept_exits(folder: str | Path) -> KeptExits:
    """Read what `keep_exits` wrote.

    Raises:
        ShoalError: if the run is of an earlier version and kept nothing, or a file is damaged.
    """
    state = load_kept(folder, "exits")
    net, policy = load_exits(Path(folder) / NETWORK)
    inputs = inputs_of(net)
    if policy is None or inputs is None:
        raise ShoalError(f"{folder}: expected a network with its policy, got one without; run the study again")
    try:
        shown = ImageSet(
            name=state["name"],
            images=state["images"],
            labels=state["image_labels"],
            classes=inputs.classes,
            source=state["source"],
        )
        outputs = ExitOutputs(state["logits"], state["labels"], state["costs"])
    except (KeyError, TypeError) as error:
        raise ShoalError(f"{folder}: expected what an exits run keeps, got: {error!r}; run it again") from None
    return KeptExits(net=net, policy=policy, inputs=inputs, outputs=outputs, shown=shown)


def _by_exit(outputs: ExitOutputs, policy: Policy) -> Tensor:
    """Test images to pick, evenly from those that leave first to those that never do."""
    order = outputs.exits_taken(policy).argsort(stable=True)
    return order[evenly(len(order))]
