"""What a network costs by the paper's own convention, layer by layer.

    print(layer_table(create_network("nn2")))       # table 2, row by row

**"FLOPS" as the paper counts** are, for every convolution and fully connected layer, (weights + biases) ×
positions of its output: one multiply–add per weight and position, and one for each bias.
`shoal.measure.count_macs` counts products only, so that biases cost nothing. Neither counts pooling,
activations or normalisation; in use, batch normalisation becomes part of the convolution before it. Everything
is for one image.

A network runs on torch's meta device, so that NN1's 560 MB are never touched.

Source: Schroff, Kalenichenko & Philbin 2015, "FaceNet", tables 1 and 2 (arXiv 1503.03832).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from shoal.faces.network import FaceNetwork, ImageSize
from shoal.faces.tables import TextTable
from shoal.measure import count_parameters
from shoal.measure.modes import in_mode

See = Callable[[str, nn.Module, Tensor], None]  # told a layer's name, the layer, and its output


@dataclass(frozen=True)
class LayerRow:
    """One row of a network's table.

    Attributes:
        name: of the layer.
        output: shape of its output for one image: (channels, height, width) or (features,).
        parameters: weights and biases; with batch normalisation its scales and shifts too.
        flops: multiply–adds as the paper counts them.
    """

    name: str
    output: tuple[int, ...]
    parameters: int
    flops: int


@dataclass(frozen=True)
class LayerTable(TextTable):
    """A network layer by layer, for one image.

    Attributes:
        rows: from the image to the embedding.
    """

    rows: tuple[LayerRow, ...]

    @property
    def parameters(self) -> int:
        """Of all layers."""
        return sum(row.parameters for row in self.rows)

    @property
    def flops(self) -> int:
        """Of all layers, as the paper counts them."""
        return sum(row.flops for row in self.rows)

    def cells(self) -> list[tuple[str, ...]]:
        """The table as text, head first; sizes as the paper writes them, height × width × channels."""
        head = ("layer", "output", "parameters", "M FLOPS")
        body = [(row.name, _size(row.output), f"{row.parameters:,}", millions(row.flops)) for row in self.rows]
        return [head, *body, ("total", "", f"{self.parameters:,}", millions(self.flops))]


def layer_table(network: FaceNetwork, image_size: ImageSize | None = None) -> LayerTable:
    """Compute the paper's numbers of a network, row by row.

    Args:
        network: any face network; it is left as it is.
        image_size: height and width; the network's own unless given.

    Returns:
        A row for each layer of the trunk, pooling included, and one for the embedding.

    Raises:
        InputError: if the network does not take images of that size.

    Example:
        >>> from shoal.faces import create_network
        >>> table = layer_table(create_network("nn4"))
        >>> table.parameters, table.rows[0]
        (6607888, LayerRow(name='conv1', output=(64, 48, 48), parameters=9472, flops=21823488))
    """
    height, width = image_size or network.image_size
    layers = {f"trunk.{name}": layer for name, layer in network.trunk.named_children()}
    layers["embedding"] = network.embedding
    outputs: dict[str, tuple[int, ...]] = {}

    def see(name: str, _layer: nn.Module, output: Tensor) -> None:
        outputs[name] = tuple(output.shape[1:])

    with _observing(layers, see):
        flops = count_flops(network, torch.empty(1, 3, height, width, device="meta"))
    rows = [
        LayerRow(
            name.removeprefix("trunk."),
            outputs[name],
            count_parameters(layer),
            sum(count for inner, count in flops.items() if inner == name or inner.startswith(f"{name}.")),
        )
        for name, layer in layers.items()
    ]
    return LayerTable(tuple(rows))


def count_flops(model: nn.Module, x: Tensor) -> dict[str, int]:
    """Count a model's multiply–adds as the paper does: (weights + biases) × positions of the output.

    The model runs once on the meta device, in evaluation mode: nothing is computed, its weights are not
    touched.

    Args:
        model: of which only convolutions and fully connected layers count.
        x: an example of one image; only its shape matters.

    Returns:
        Multiply–adds by dotted name of the layer, in the order in which they ran. A layer that runs twice
        counts twice.

    Example:
        >>> count_flops(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), torch.zeros(1, 3, 8, 8))
        {'0': 4032}
    """
    found: dict[str, int] = {}

    def see(name: str, layer: nn.Module, output: Tensor) -> None:
        positions = prod(output.shape[2:])  # of a fully connected layer: 1
        found[name] = found.get(name, 0) + count_parameters(layer) * positions

    layers = {name: part for name, part in model.named_modules() if isinstance(part, nn.Conv2d | nn.Linear)}
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    on_meta = {name: tensor.detach().to("meta") for name, tensor in tensors.items()}
    dtype = next((tensor.dtype for tensor in model.parameters()), torch.float32)
    with in_mode(model, training=False), torch.no_grad(), _observing(layers, see):
        functional_call(model, on_meta, (torch.empty(x.shape, dtype=dtype, device="meta"),))
    return found


def millions(count: int) -> str:
    """A count in millions with one decimal; nothing for nothing."""
    return f"{count / 1e6:,.1f}" if count else ""


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, (*shape[1:], shape[0])))


@contextmanager
def _observing(layers: Mapping[str, nn.Module], see: See) -> Iterator[None]:
    """Call see(name, layer, output) whenever one of the layers has run."""

    def hook(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda layer, _inputs, output: see(name, layer, output)

    with ExitStack() as hooks:
        for name, layer in layers.items():
            hooks.callback(layer.register_forward_hook(hook(name)).remove)
        yield
