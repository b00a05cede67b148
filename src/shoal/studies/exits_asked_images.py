"""Images for a saved network with exits: read as it takes them, and without those that it was trained on.

    found = find_images(net, "photos")
    found.new.pair              # of the folder that it was fitted on: what was held out then
    found.test                  # and its test part, where it has one

Which images those are is told by their content. So a folder may be moved, renamed or grow, and what was held out stays
what it was.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from shoal.data import ImageSet, find_best
from shoal.errors import wrong
from shoal.exits import EarlyExit
from shoal.exits.content import digests
from shoal.exits.saving import ImageInputs, inputs_of

MOSTLY = 0.5  # share of its training images that a data set holds from which on it is the one that was fitted on


@dataclass(frozen=True, kw_only=True)
class Found:
    """Images that a network can be measured on.

    Attributes:
        new: that it was not trained on: of the data that it was fitted on, what was held out; of other data their test
            part, or all where they have none.
        test: the test part of the data that it was fitted on; else nothing.
        says: what was taken, for people.
    """

    new: ImageSet
    test: ImageSet
    says: str


def known(images: Shaped[Tensor, "n ..."], others: Shaped[Tensor, "m ..."]) -> Bool[Tensor, "n"]:
    """Which images occur among others, byte by byte."""
    return torch.isin(digests(images), digests(others))


def takes(net: EarlyExit) -> ImageInputs:
    """The images that a saved network takes.

    Raises:
        InputError: if it does not know.
    """
    inputs = inputs_of(net)
    if inputs is None:
        fix = "save it with save_exits(net, folder, inputs=...)"
        raise wrong("network", expected="one that was saved with the images it takes", got="none of these", fix=fix)
    return inputs


def find_images(net: EarlyExit, data: str) -> Found:
    """Read images as a network takes them.

    Args:
        net: that was loaded.
        data: a folder of class folders of images, or a data set's name.

    Raises:
        InputError: if the data cannot be used, or have other classes or channels than the network.
        ShoalError: if an image is damaged.
    """
    inputs = takes(net)
    _, height, width = inputs.shape
    splits = find_best(data, size=height if height == width else None, validation=0, test=0).splits
    every, test = (_as_taken(part, inputs, data) for part in (splits.train, splits.test))
    seen = digests(every.images)
    trained = net.trained_on
    if len(trained) and float(torch.isin(trained, seen).double().mean()) >= MOSTLY:
        new = every.take((~torch.isin(seen, trained)).nonzero().flatten())
        if not len(new):
            raise wrong(data, expected="images that the network was not trained on", got="none", fix="give others")
        return Found(new=new, test=test, says=f"{len(new):,} images of {every.name} that were held out of the training")
    part = "test images" if len(test) else "images"
    new = test if len(test) else every
    return Found(
        new=new, test=every.take(torch.empty(0, dtype=torch.long)), says=f"{len(new):,} {part} of {every.name}"
    )


def _as_taken(images: ImageSet, inputs: ImageInputs, data: str) -> ImageSet:
    """The same with the network's channels and the numbers of its classes."""
    unknown = [name for name in images.classes if name not in inputs.classes]
    if unknown:
        expected = f"the classes of the network ({_few(inputs.classes)})"
        got = f"{len(images.classes)} classes, among them {_few(unknown)}"
        raise wrong(data, expected=expected, got=got, fix="name the folders as they were in the training")
    if images.shape[0] == 1 and inputs.shape[0] == 3:  # all of them grey: a picture as any other, in three channels
        images = replace(images, images=images.images.expand(-1, 3, -1, -1).contiguous())
    if images.shape != inputs.shape:
        raise wrong(data, expected=f"images {_size(inputs.shape)}, as the network takes", got=_size(images.shape))
    numbers = torch.tensor([inputs.classes.index(name) for name in images.classes])
    return replace(images, labels=numbers[images.labels], classes=inputs.classes)


def _size(shape: tuple[int, int, int]) -> str:
    channels, height, width = shape
    return f"{height}×{width}×{channels}"


def _few(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
