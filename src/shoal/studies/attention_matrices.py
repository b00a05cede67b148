"""Attention matrices as small images: the exact one beside those of feature maps, of the same queries and keys."""

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.attention import FeatureMap, create_feature_map, kernel_matrix
from shoal.studies.attention_errors import Inputs
from shoal.studies.images import to_png
from shoal.studies.measured_rows import Row

TOKENS, PIXELS = 48, 2
HEAD = 0
SHOWN = {"trig": "trig", "positive": "FAVOR+", "sderf": "SDERF", "landmark": "landmark", "elu": "elu"}  # with captions


def matrices(inputs: Inputs) -> Row:
    """Exact and approximated attention of 48 tokens of the first head.

    Queries and keys are sorted along the strongest direction of the logits, so that neighbours attend alike.

    Returns:
        images: {"caption", "image"}; one scale for all, white for 0.
    """
    q, k, _ = (x[:, HEAD : HEAD + 1, :TOKENS].double() for x in inputs.test)
    logits = q[0, 0] @ k[0, 0].mT * q.shape[-1] ** -0.5
    left, _, right = torch.linalg.svd(logits - logits.mean(1, keepdim=True))
    q, k = q[:, :, left[:, 0].argsort()], k[:, :, right[0].argsort()]
    exact = (q[0, 0] @ k[0, 0].mT * q.shape[-1] ** -0.5).softmax(-1)
    shown = [("exact", exact)]
    for name, phi in _maps(inputs):
        kernel = kernel_matrix(q, k, phi)[0, 0]
        shown.append((f"{name}, {phi.num_features}", kernel / kernel.sum(-1, keepdim=True)))
    top = float(exact.quantile(0.995))
    return {"images": [{"caption": name, "image": to_png(painted(matrix, top))} for name, matrix in shown]}


def painted(matrix: Float[Tensor, "n m"], top: float) -> Tensor:
    """White for 0 (and below) to dark blue for `top` and beyond, uint8 [3, 2n, 2m]; the root lifts small weights."""
    share = (matrix.nan_to_num(0.0) / top).clamp(0, 1).sqrt()
    white, blue = torch.tensor([255.0, 255.0, 255.0]), torch.tensor([16.0, 42.0, 110.0])
    image = white[:, None, None] + (blue - white)[:, None, None] * share.float()
    return image.round().to(torch.uint8).repeat_interleave(PIXELS, 1).repeat_interleave(PIXELS, 2)


def _maps(inputs: Inputs) -> list[tuple[str, FeatureMap]]:
    """What the pictures are called, and their maps, fitted to the calibration tokens of the head."""
    config = inputs.config
    q, k, v = (x[:, HEAD : HEAD + 1] for x in inputs.calibration)
    found = []
    for name in SHOWN:
        phi = create_feature_map(name, config.dim, max(config.features), seed=config.seed)
        found.append((SHOWN[name], phi.fit(q, k, v) if phi.needs_fit else phi))
    return found
