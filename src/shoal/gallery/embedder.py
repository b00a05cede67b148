"""What makes vectors of photos: a saved face network, a network at hand, or any function from images to embeddings.

    Embedder.of("faces.safetensors")            # what `shoal faces train` wrote
    Embedder.of(network)                        # a FaceNetwork
    Embedder.of(function, name="mine", dim=512, image_size=112)

Models are told apart by a digest over their weights and over how photos are brought to them; the same photo has the
same vector for all time under one digest.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor, nn

from shoal.data.faces.regions import Size
from shoal.errors import wrong
from shoal.faces.embedding import embed
from shoal.faces.network import FaceNetwork
from shoal.faces.pair_distances import check_embeddings
from shoal.faces.saving import load_network
from shoal.gallery.database import plain
from shoal.nets.saving import checksum

Function = Callable[[UInt8[Tensor, "n 3 height width"]], Tensor]
UNLIKE = 1e-3  # squared distance below which a model counts as giving what it gave before


@dataclass(frozen=True, eq=False, kw_only=True)
class Embedder:
    """A model as the gallery uses it.

    Attributes:
        name: to be shown.
        digest: tells models apart.
        dim: numbers of a vector.
        image_size: (height, width) that photos are brought to.
        crop: share of the photo's centre that is taken, in (0, 1].
        about: what is kept of it in the gallery: the path of its file, the network's name.
        function: from images to embeddings; called by one thread at a time.
    """

    name: str
    digest: str
    dim: int
    image_size: Size
    crop: float = 1.0
    about: dict[str, Any] = field(default_factory=dict)
    function: Function
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)  # a network has one mode, and one device

    @classmethod
    def of(cls, model: "Embedder | FaceNetwork | nn.Module | Function | str | Path", **options: Any) -> "Embedder":
        """Make one of whatever there is.

        Args:
            model: file of a saved face network, a `FaceNetwork`, an `Embedder`, or a function or module from images
                (uint8 [n, 3, height, width]) to embeddings [n, dim].
            options: name, crop and flip (also embed the mirrored image, True unless given); of functions also
                digest, dim and image_size, which they cannot say themselves.

        Raises:
            InputError: if it is none of these, or something needed is missing.
            ShoalError: if the file is damaged.
        """
        if isinstance(model, Embedder):
            return model
        if isinstance(model, str | Path):
            network, about = load_network(model)
            data = about.get("data")
            crop = data.get("crop", 1.0) if isinstance(data, dict) else 1.0
            options = {"name": Path(model).stem, "crop": crop} | options
            return cls._network(network, {"path": str(Path(model).absolute())}, **options)
        if isinstance(model, FaceNetwork):
            return cls._network(model, {}, **options)
        if callable(model):
            return cls._function(model, **options)
        raise wrong("model", expected="a file, a face network or a function", got=type(model).__name__)

    @classmethod
    def _network(
        cls, network: FaceNetwork, about: dict[str, Any], *, name: str = "", crop: float = 1.0, flip: bool = True
    ) -> "Embedder":
        how = {"weights": checksum(network.state_dict()), "crop": crop, "flip": flip}

        def function(images: Tensor) -> Tensor:
            return embed(network, images, flip=flip)

        return cls(
            name=name or network.name,
            digest=hashlib.sha256(plain(how).encode()).hexdigest(),
            dim=network.embedding_dim,
            image_size=network.image_size,
            crop=crop,
            about=about | {"network": network.name},
            function=function,
        )

    @classmethod
    def _function(
        cls, function: Function, *, name: str, dim: int, image_size: Size, crop: float = 1.0, digest: str = ""
    ) -> "Embedder":
        told = digest or plain({"name": name, "dim": dim, "image_size": image_size, "crop": crop})
        return cls(
            name=name,
            digest=hashlib.sha256(told.encode()).hexdigest(),
            dim=dim,
            image_size=image_size,
            crop=crop,
            function=function,
        )

    def __call__(self, images: UInt8[Tensor, "n 3 height width"]) -> NDArray[np.float32]:
        """Vectors of unit length, [n, dim].

        Raises:
            InputError: if the model gives something else.
        """
        with self._lock, torch.no_grad():
            found = self.function(images)
        return unit_rows(found, self.dim, f"embeddings of {self.name}")


def unit_rows(values: Any, dim: int | None, what: str) -> NDArray[np.float32]:
    """Rows of unit length, whatever they came as.

    Args:
        values: tensor or array [n, dim], or [dim].
        dim: numbers of a row; any unless given.
        what: names them in the message.

    Raises:
        InputError: if they are of another shape, not finite, or zero.

    Example:
        >>> unit_rows([[3.0, 4.0]], 2, "rows").tolist()
        [[0.6000000238418579, 0.800000011920929]]
    """
    rows = torch.as_tensor(np.asarray(values) if isinstance(values, list | tuple) else values)
    rows = rows[None] if rows.ndim == 1 else rows
    if dim is not None and rows.ndim == 2 and rows.shape[1] != dim:
        raise wrong(what, expected=f"[n, {dim}], as the gallery's model gives them", got=list(rows.shape))
    checked = check_embeddings(rows.float() if not rows.is_floating_point() else rows, what)  # float64 (n, dim)
    return torch.nn.functional.normalize(checked).float().numpy()
