"""What every face network is: a trunk from images to features, a linear embedding, and unit length.

    embedding = l2_normalise(linear(trunk(images)))       # [n, embedding_dim], squared distances in [0, 4]

The trunk is a sequence of named layers, one per row of the paper's tables. It knows which images it takes.
"""

from collections import OrderedDict
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shoal.engine import stream
from shoal.errors import wrong
from shoal.faces.layers import draw_filters, initialise, l2_normalise

ImageSize = tuple[int, int]  # height, width
_WIDEST = 65_536  # numbers of an embedding; more is a slip or a damaged file


class Trunk(nn.Sequential):
    """Named layers from images [n, 3, h, w] to features [n, feature_dim].

    Args:
        layers: by name, in order.
        feature_dim: numbers of an image's features.
        image_size: height and width that the layers were designed for.
        batch_norm: whether the convolutions are followed by batch normalisation.
        stride: pixels of a side per position of the last feature map.
        fixed: whether fully connected layers read that map as it is, so that it must keep its number of
            positions. Otherwise it is averaged, and images may have any size.
    """

    def __init__(
        self,
        layers: Mapping[str, nn.Module],
        *,
        feature_dim: int,
        image_size: ImageSize,
        batch_norm: bool,
        stride: int = 32,
        fixed: bool = False,
    ):
        super().__init__(OrderedDict(layers))
        self.feature_dim, self.image_size, self.batch_norm = feature_dim, image_size, batch_norm
        self.stride, self.fixed = stride, fixed

    def takes(self, height: int, width: int) -> bool:
        """Whether images of this size can be embedded."""
        if not self.fixed:
            return min(height, width) >= self.stride
        positions = zip((height, width), self.image_size, strict=True)
        return all(-(-side // self.stride) == -(-designed // self.stride) for side, designed in positions)

    def what_it_takes(self) -> str:
        """The sizes of images that can be embedded, in words."""
        if not self.fixed:
            return f"sides >= {self.stride}"
        height, width = (-(-side // self.stride) for side in self.image_size)
        sides = [f"{self.stride * (n - 1) + 1} to {self.stride * n}" for n in (height, width)]
        reason = f"its fully connected layers read {height} × {width} positions"
        return f"a height of {sides[0]} and a width of {sides[1]}, since {reason}"


class FaceNetwork(nn.Module):
    """A network that embeds faces; made by `create_network`.

    Args:
        name: of the network.
        trunk: from images to features; taken with the weights that it has.
        embedding_dim: numbers of an embedding, from 1 to 65,536.
        image_size: height and width of the images that it is going to embed; those it was designed for unless
            given.

    Attributes:
        name, embedding_dim, image_size: as given.
        batch_norm: whether its convolutions are followed by batch normalisation.
        trunk: the layers up to the features.
        embedding: the last layer, linear.

    Raises:
        InputError: if embedding_dim is no such number, or images of image_size cannot be embedded.
    """

    def __init__(self, name: str, trunk: Trunk, embedding_dim: int, image_size: ImageSize | None = None):
        super().__init__()
        if type(embedding_dim) is not int or not 1 <= embedding_dim <= _WIDEST:
            raise wrong("embedding_dim", expected=f"a whole number from 1 to {_WIDEST}", got=embedding_dim)
        height, width = image_size or trunk.image_size
        if not trunk.takes(height, width):
            raise wrong(f"image_size of {name}", expected=trunk.what_it_takes(), got=f"{height} × {width}")
        self.name, self.embedding_dim, self.batch_norm = name, embedding_dim, trunk.batch_norm
        self.image_size: ImageSize = (height, width)
        self.trunk = trunk
        self.embedding = nn.Linear(trunk.feature_dim, embedding_dim)
        initialise(self.embedding)

    def features(self, x: Tensor) -> Float[Tensor, "n f"]:
        """What the embedding layer reads.

        Args:
            x: images [n, 3, h, w], floating point, about unit scale.

        Returns:
            Features [n, embedding.in_features].

        Raises:
            InputError: if x has another form, dtype or size.
        """
        if x.ndim != 4 or x.shape[1] != 3 or not self.trunk.takes(*x.shape[2:]):
            form = f"[n, 3, height, width] with {self.trunk.what_it_takes()}"
            raise wrong(f"images for {self.name}", expected=form, got=list(x.shape))
        if not x.is_floating_point():
            fix = "bring them to about unit scale, or let shoal.faces.embed do it"
            raise wrong(f"images for {self.name}", expected="floating point", got=x.dtype, fix=fix)
        return self.trunk(x)  # [n, f]

    def forward(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Embed images.

        Args:
            x: images [n, 3, h, w], floating point, about unit scale.

        Returns:
            Embeddings [n, embedding_dim] of unit length, in float32 at least. Where the last layer gives zeros,
            they are zeros.

        Raises:
            InputError: if x has another form, dtype or size.
        """
        return l2_normalise(self.embedding(self.features(x)))

    def reset_embedding(self, seed: int) -> None:
        """Give the last layer new weights, as harmonic training begins; nothing else changes.

        Args:
            seed: decides the weights, on every device alike; torch's global random state is left alone.
        """
        fresh = torch.empty(self.embedding.weight.shape, dtype=torch.float32, device="cpu")
        draw_filters(fresh, gain=1.0, generator=stream(seed, "embedding"))
        with torch.no_grad():
            self.embedding.weight.copy_(fresh)
            self.embedding.bias.zero_()

    def extra_repr(self) -> str:
        """What the constructor was given."""
        height, width = self.image_size
        return f"{self.name}, embedding_dim={self.embedding_dim}, image_size=({height}, {width})"
