"""Squared Euclidean distances between all rows of a batch, and what is refused as a batch.

|a − b|² = |a|² + |b|² − 2 a·b, which is 2 − 2 a·b for rows of length 1: one product of matrices. It is computed
once a batch; miners and losses read the same numbers. Half precision is raised to float32 first, also under
autocast: squared distances of 16 bits would tie in thousands.
"""

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from shoal.errors import wrong

ROWS_AT_ONCE = 256  # a block of distances is finished while it lies in the cache
LARGEST = 1e30  # of a squared length: sums of two stay finite in float32
WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def working(embeddings: Tensor) -> Tensor:
    """The rows without gradient, in the precision of distances: float32, or float64 if they are."""
    rows = embeddings.detach()
    return rows if rows.dtype == torch.float64 else rows.float()


def squared_distances(rows: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch batch"]:
    """Squared Euclidean distance of every row to every row; never negative.

    Args:
        rows: in float32 or float64, of any length; of length 1 the distances lie in [0, 4].

    Example:
        >>> squared_distances(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        tensor([[0., 2.],
                [2., 0.]])
    """
    with torch.no_grad(), torch.autocast(rows.device.type, enabled=False):
        squares = rows.square().sum(1)
        far = rows.new_empty(len(rows), len(rows))
        parts = (x.split(ROWS_AT_ONCE) for x in (far, rows, squares))
        for block, some, own in zip(*parts, strict=True):
            torch.addmm(squares, some, rows.T, alpha=-2, out=block)  # (b, B): |n|² − 2 a·n
            block.add_(own[:, None]).clamp_(min=0)
        return far


def check_batch(embeddings: Float[Tensor, "batch dim"], labels: Integer[Tensor, " batch"]) -> None:
    """Refuse what no distance is defined for.

    Raises:
        InputError: if the shapes or types are others, the lengths differ, or a row is NaN, infinite or zero.
    """
    if not isinstance(embeddings, Tensor) or embeddings.ndim != 2 or not embeddings.is_floating_point():
        raise wrong("embeddings", expected="rows [batch, dim] of floating-point numbers", got=_kind(embeddings))
    check_labels(labels, len(embeddings))
    if not len(embeddings):
        return
    squares = working(embeddings).square().sum(1)
    fine = (squares > 0) & (squares < LARGEST)  # NaN is neither
    if not bool(fine.all()):
        _refuse(embeddings, int((~fine).nonzero()[0]))


def check_labels(labels: Integer[Tensor, " batch"], rows: int) -> None:
    """Refuse labels that are not one whole number for each row."""
    if not isinstance(labels, Tensor) or labels.ndim != 1 or labels.dtype not in WHOLE:
        raise wrong("labels", expected="whole numbers [batch], one for each person", got=_kind(labels))
    if len(labels) != rows:
        raise wrong("labels", expected=f"{rows}, one for each embedding", got=len(labels))


def _refuse(embeddings: Tensor, row: int) -> None:
    """Say what is wrong with a row."""
    values = embeddings[row]
    where = f"embeddings, row {row}"
    if bool(values.isnan().any()):
        fix = "training has diverged, or this image holds NaN: look at it, or lower the learning rate"
        raise wrong(where, expected="numbers", got="NaN", fix=fix)
    if bool((values == 0).all()):
        fix = "zeros have no direction: the network answers nothing to this image; normalise after the last layer"
        raise wrong(where, expected="a row of length 1", got="zeros", fix=fix)
    got = f"length {float(values.double().norm()):.3g}"
    raise wrong(where, expected="a row of length 1", got=got, fix="divide each row by its length")


def _kind(found: object) -> str:
    """What there is instead."""
    return f"{found.dtype} {list(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
