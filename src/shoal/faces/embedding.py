"""From images of faces to embeddings: what every other part of this system compares.

embeddings = embed(network, images, flip=True)          # [n, 128], unit length
distances = (embeddings[a] - embeddings[b]).square().sum(1)
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from shoal.data import Normalise
from shoal.engine import Precision, choose_device, precision_named
from shoal.errors import wrong
from shoal.faces.network import FaceNetwork
from shoal.measure.modes import in_mode

to_unit = Normalise((0.5,) * 3, (0.25,) * 3)
"""From bytes to what the networks take: about mean 0 and standard deviation 1, the same for every image."""


def embed(
    network: FaceNetwork,
    images: Tensor,
    *,
    batch_size: int = 256,
    flip: bool = False,
    device: str = "auto",
    precision: str = "fp32",
) -> Float32[Tensor, "n dim"]:
    """Embed faces.

    Args:
        network: run in evaluation mode; afterwards every part is in the mode, and on the device, that it was in.
        images: uint8 [n, 3, height, width], in the size that the network was trained with.
        batch_size: images at a time, >= 1.
        flip: embed the mirrored image too, and take the direction between both: twice the time, fewer mistakes.
        device: "auto" for CUDA where it is present, "cpu", "cuda".
        precision: "fp32" or "bf16", see `shoal.engine.Precision`.

    Returns:
        Rows of unit length on the CPU; [0, dim] of no images.

    Raises:
        InputError: if the images are no bytes or of another shape, or a setting is wrong.

    Example:
        >>> from shoal.faces.networks import create_network
        >>> faces = torch.randint(256, (3, 3, 64, 64), dtype=torch.uint8)
        >>> embed(create_network("compact", embedding_dim=16, seed=0), faces, device="cpu").shape
        torch.Size([3, 16])
    """
    check_images(images)
    if batch_size < 1:
        raise wrong("batch_size", expected="a whole number >= 1", got=batch_size)
    if not len(images):
        return torch.empty(0, network.embedding_dim)
    chosen, arithmetic = choose_device(device)[0], precision_named(precision)
    before = next(network.parameters()).device
    arithmetic.place_model(network, chosen)
    try:
        return embed_with(network, images, precision=arithmetic, device=chosen, batch_size=batch_size, flip=flip)
    finally:
        network.to(before)


@torch.no_grad()
def embed_with(
    network: nn.Module,
    images: UInt8[Tensor, "n 3 h w"],
    *,
    precision: Precision,
    device: torch.device,
    batch_size: int = 256,
    flip: bool = False,
) -> Float32[Tensor, "n dim"]:
    """The same with a network that is in its place already.

    Args:
        network: gives rows of unit length; run in evaluation mode.
        images: at least one.
        precision: how to run.
        device: that the network is on.
        batch_size: see `embed`.
        flip: see `embed`.
    """
    found = []
    with in_mode(network, training=False), precision.autocast(device):
        for part in images.split(batch_size):
            pixels = precision.place(to_unit(part.to(device)), device)  # (b, 3, h, w)
            embeddings = network(pixels).float()  # (b, dim)
            if flip:
                embeddings = F.normalize(embeddings + network(pixels.flip(3)).float())
            found.append(embeddings.cpu())
    return torch.cat(found)


def check_images(images: Tensor) -> None:
    """Refuse what are no faces as bytes.

    Raises:
        InputError: if they are no uint8 tensor [n, 3, h, w].
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        got = f"{images.dtype} {list(images.shape)}".removeprefix("torch.")
        raise wrong("images", expected="uint8 [n, 3, height, width]", got=got)
