"""What can be measured of an image besides its depth: contrast, clutter, and how near it lies to another class.

Depth is what a network's layers agree on; none of these is made of layers or neighbours, so that they can say what sets
hard images apart.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from shoal.data import ImageSet
from shoal.engine import Precision, in_order
from shoal.measure.logits import logits_of
from shoal.measure.modes import in_mode

BATCH = 256
NEARLY_NOTHING = 1e-12

Images = UInt8[Tensor, "n channels height width"]

MEANINGS = {
    "contrast": "standard deviation of the brightness, in shares of white",
    "clutter": "mean step from pixel to pixel, over the standard deviation: 0 for a flat image",
    "typicality": "cosine with the mean of the label's class in the last layer",
    "boundary": "distance to where another class wins, to first order, in standard deviations of a pixel",
    "people": "how much people disagree about it, entropy in nats",
}


def contrast(images: Images) -> Float[Tensor, " n"]:
    """Standard deviation of an image's brightness, 0 to 1/2.

    Example:
        >>> image = torch.tensor([[[[0, 255], [0, 255]]]], dtype=torch.uint8)
        >>> contrast(image).tolist()
        [0.5]
    """
    return _brightness(images).flatten(1).std(1, correction=0)


def clutter(images: Images) -> Float[Tensor, " n"]:
    """Mean size of the step between neighbouring pixels, over the standard deviation: many edges, however faint.

    Example:
        >>> stripes = torch.tensor([[[[0, 0, 255, 255]] * 4]], dtype=torch.uint8)
        >>> noisy = torch.tensor([[[[0, 255, 0, 255]] * 4]], dtype=torch.uint8)
        >>> float(clutter(stripes)) < float(clutter(noisy)), float(clutter(stripes // 2 + 9)) == float(clutter(stripes))
        (True, True)
    """
    grey = _brightness(images)
    steps = torch.cat([grey.diff(dim=1).abs().flatten(1), grey.diff(dim=2).abs().flatten(1)], 1).mean(1)
    return steps / contrast(images).clamp_min(NEARLY_NOTHING)


def _brightness(images: Images) -> Float[Tensor, "n height width"]:
    return images.double().mean(1) / 255


def boundary_distance(
    model: nn.Module,
    images: ImageSet,
    *,
    prepare: Callable[[Tensor], Tensor],
    precision: Precision,
    device: torch.device,
) -> Float[Tensor, " n"]:
    """How far the inputs are from where the second class would win, if the logits were linear.

    The difference of the two largest logits over the length of its gradient by the input.

    Args:
        model: a classifier.
        images: to measure.
        prepare: applied to every batch.
        precision: how to run; bf16 has too few digits.
        device: where the model is.

    Source: Elsayed et al. 2018, "Large margin deep networks for classification", equation 7 (arXiv 1803.05598).
    """
    found = []
    with in_mode(model, training=False), torch.enable_grad():
        for inputs, _ in in_order(images.pair, batch_size=BATCH, prepare=prepare):
            asked = precision.place(inputs, device).detach().requires_grad_()
            top = logits_of(model(asked)).float().topk(2, 1).values
            lead = top[:, 0] - top[:, 1]  # (b,)
            (slope,) = torch.autograd.grad(lead.sum(), asked)
            steepness = slope.flatten(1).norm(dim=1).clamp_min(NEARLY_NOTHING)
            found.append((lead.detach() / steepness).double().cpu())
    return torch.cat(found)
