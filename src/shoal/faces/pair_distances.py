"""How far the two images of each pair are apart, and the checks that everything about pairs begins with."""

from jaxtyping import Bool, Float, Float64
from torch import Tensor

from shoal.errors import wrong


def pair_distances(
    a: Float[Tensor, "a_pairs a_dim"],
    b: Float[Tensor, "b_pairs b_dim"],
) -> Float64[Tensor, "pairs"]:
    """Squared Euclidean distances, from 0 (alike) to 4 (opposite) where embeddings have length 1.

    Args:
        a: embeddings of the first images, a row per pair; any float dtype.
        b: embeddings of the second ones.

    Returns:
        float64 [pairs], on the CPU.

    Raises:
        InputError: if shapes differ, or an embedding is not finite, or zero.

    Example:
        >>> import torch
        >>> a, b = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
        >>> pair_distances(a, b).tolist()
        [2.0, 4.0]
    """
    check_tensor(a, "first embeddings")
    check_tensor(b, "second embeddings")
    if a.ndim != 2 or a.shape != b.shape:
        got = f"{list(a.shape)} and {list(b.shape)}"
        raise wrong("embeddings of pairs", expected="two tensors [pairs, dim] of one shape", got=got)
    first, second = check_embeddings(a, "first embeddings"), check_embeddings(b, "second embeddings")
    return (first - second).square().sum(1)


def check_embeddings(embeddings: Tensor, what: str) -> Float64[Tensor, "rows dim"]:
    """Refuse rows that no network should give: not finite, or all zeros, which a dead network gives.

    Args:
        embeddings: [rows, dim].
        what: names them in the message.

    Returns:
        The same as float64 on the CPU.

    Raises:
        InputError: naming the first such row.
    """
    check_tensor(embeddings, what)
    if embeddings.ndim != 2 or not embeddings.is_floating_point():
        got = f"{embeddings.dtype} {list(embeddings.shape)}"
        raise wrong(what, expected="floats [rows, dim]", got=got)
    rows = embeddings.detach().double().cpu()
    for bad, how in ((~rows.isfinite().all(1), "NaN or infinity"), (~rows.any(1), "only zeros")):
        if bad.any():
            got = f"{how} in {int(bad.sum()):,} of {len(rows):,} rows, the first is row {int(bad.nonzero()[0])}"
            raise wrong(what, expected="finite rows, none of them zero", got=got)
    return rows


def check_pairs(
    distances: Float[Tensor, "a_pairs"], same: Bool[Tensor, "b_pairs"]
) -> tuple[Float64[Tensor, "pairs"], Bool[Tensor, "pairs"]]:
    """Refuse pairs that nothing can be measured on.

    Args:
        distances: of each pair, at least 0.
        same: which pairs are matched.

    Returns:
        Both on the CPU, distances as float64.

    Raises:
        InputError: if lengths differ, a distance is not finite or negative, or one kind of pair is missing.
    """
    check_tensor(distances, "distances")
    check_tensor(same, "same")
    if distances.ndim != 1 or same.shape != distances.shape:
        got = f"{list(distances.shape)} and {list(same.shape)}"
        raise wrong("distances and same", expected="two tensors [pairs] of one length", got=got)
    numbers = check_distances(distances, "distances")
    same = same.detach().bool().cpu()
    if same.all() or not same.any():
        kind = "matched" if same.all() else "mismatched"
        got = f"{len(same):,}, all of them {kind}" if len(same) else "none"
        raise wrong("pairs", expected="matched and mismatched ones", got=got)
    return numbers, same


def check_distances(distances: Tensor, what: str) -> Float64[Tensor, "pairs"]:
    """Refuse what is no distance.

    Args:
        distances: [pairs].
        what: names them in the message.

    Returns:
        The same as float64 on the CPU.

    Raises:
        InputError: naming the first that is none.
    """
    check_tensor(distances, what)
    numbers = distances.detach().double().cpu()
    if numbers.ndim != 1:
        raise wrong(what, expected="a tensor [pairs]", got=list(numbers.shape))
    bad = ~(numbers >= 0) | numbers.isinf()  # NaN is not at least 0
    if bad.any():
        first = int(bad.nonzero()[0])
        raise wrong(what, expected="finite numbers >= 0", got=f"{float(numbers[first])} in pair {first}")
    return numbers


def check_tensor(values: object, what: str) -> None:
    """Refuse lists and arrays.

    Args:
        values: what was given.
        what: names them in the message.

    Raises:
        InputError: if they are no tensor.
    """
    if not isinstance(values, Tensor):
        raise wrong(what, expected="a tensor", got=type(values).__name__, fix="torch.as_tensor makes one")
