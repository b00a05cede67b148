"""Face networks by name.

    network = create_network("compact", embedding_dim=128, seed=0)
    network(images)                       # [n, 3, h, w] -> [n, 128], unit length

`shoal.faces.compare_networks()` tells what each of them costs.
"""

from collections.abc import Callable

import torch

from shoal.errors import unknown_name
from shoal.faces.compact import compact
from shoal.faces.layers import initialise
from shoal.faces.network import FaceNetwork, ImageSize, Trunk
from shoal.faces.networks_paper import nn1, nn2, nn3, nn4
from shoal.faces.networks_small import nns1, nns2

_TRUNKS: dict[str, Callable[[bool], Trunk]] = {
    "nn1": nn1,
    "nn2": nn2,
    "nn3": nn3,
    "nn4": nn4,
    "nns1": nns1,
    "nns2": nns2,
    "compact": lambda _batch_norm: compact(),
}


def list_networks() -> list[str]:
    """Names of the face networks, the paper's first.

    Example:
        >>> list_networks()
        ['nn1', 'nn2', 'nn3', 'nn4', 'nns1', 'nns2', 'compact']
    """
    return list(_TRUNKS)


def create_network(
    name: str,
    embedding_dim: int = 128,
    batch_norm: bool = False,
    *,
    seed: int | None = None,
    image_size: ImageSize | None = None,
) -> FaceNetwork:
    """Build a face network with new weights.

    Args:
        name: one of `list_networks()`. "nn1" to "nn4" are the paper's; "nns1" and "nns2" are reconstructions,
            since their layers were never published; "compact" is ours, for small data and CPUs.
        embedding_dim: numbers of an embedding, from 1 to 65,536.
        batch_norm: follow every convolution by batch normalisation instead of a bias; response normalisation is
            left out then. The paper has none. "compact" always has it.
        seed: of the weights; torch's global random state is then neither used nor changed. None draws from that
            state. The same seed gives the same trunk for every embedding_dim.
        image_size: height and width of the images that it is going to embed, kept with it as `image_size`;
            those it was designed for unless given.

    Returns:
        The network, in training mode. "nn2" to "nn4" and "compact" embed images of any size from 32 (16) pixels
        on; "nn1", "nns1" and "nns2" have fully connected layers and take sizes near their own.

    Raises:
        InputError: if there is no such network, or an argument cannot be used.

    Example:
        >>> network = create_network("compact", embedding_dim=32, seed=0)
        >>> embeddings = network(torch.randn(4, 3, 64, 64))
        >>> embeddings.shape, bool((embeddings.norm(dim=1) - 1 < 1e-5).all())
        (torch.Size([4, 32]), True)

    Source: Schroff, Kalenichenko & Philbin 2015, "FaceNet", section 3.3 (arXiv 1503.03832).
    """
    if name not in _TRUNKS:
        raise unknown_name("face network", str(name), _TRUNKS)
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)  # the CPU's alone: only that one is put back afterwards
        trunk = _TRUNKS[name](batch_norm)
        initialise(trunk)  # before there is an embedding, whose size would change what is drawn
        return FaceNetwork(name, trunk, embedding_dim, image_size)
