"""What fitted maps draw from a calibration batch: tokens that matter, and centres that stand for them.

Most of an attention output's error sits in few rows with sharp weights, so tokens are drawn with a probability that
grows with their share of the attention matrix's energy Σ P².
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from shoal.errors import wrong

LONGEST = 1024  # keys of a calibration block: longer sequences are cut
MOST_BLOCKS = 192  # that energies are computed of


def in_blocks(
    x: Float[Tensor, "batch heads rows dim"], groups: int, *keys: Float[Tensor, "batch heads n _"]
) -> tuple[Float[Tensor, "heads blocks length _"], ...]:
    """Sequences as blocks of at most 1024 tokens; what is left over at the end of a sequence is dropped.

    Args:
        x: query rows, those of `groups` query heads that share a key head one after the other.
        groups: how many those are; each makes blocks of its own.
        keys: what belongs to keys: rows, values, offsets.

    Returns:
        x and keys, block by block. Queries and keys of different lengths give one block a sequence.
    """
    n_q, n_k = x.shape[2] // groups, keys[0].shape[2]
    count = n_k // min(n_k, LONGEST) if n_q == n_k else 1

    def cut(rows: Tensor) -> Tensor:  # (B, H, G, n, D) → (H, B·G·count, length, D)
        length = min(rows.shape[3], LONGEST)
        blocks = rows[..., : count * length, :].unflatten(3, (count, length))
        return blocks.permute(1, 0, 2, 3, 4, 5).flatten(1, 3)

    shared = (rows[:, :, None].expand(-1, -1, groups, -1, -1) for rows in keys)
    return (cut(x.unflatten(2, (groups, n_q))), *map(cut, shared))


def energies(
    x: Float[Tensor, "heads blocks queries dim"],
    y: Float[Tensor, "heads blocks length dim"],
    key_offset: Float[Tensor, "heads blocks length 1"],
) -> tuple[Float[Tensor, "heads blocks queries"], Float[Tensor, "heads blocks length"]]:
    """Row and column sums of P² of every block; P = softmax(x·y + key offset)."""
    rows, columns = x.new_zeros(x.shape[:3]), y.new_zeros(y.shape[:3])
    for block in range(x.shape[1]):
        squares = (x[:, block] @ y[:, block].mT + key_offset[:, block].mT).softmax(-1).square()
        rows[:, block], columns[:, block] = squares.sum(-1), squares.sum(-2)
    return rows, columns


def draw(
    energy: Float[Tensor, "heads blocks length"], count: int, *, energy_share: float, seed: int
) -> Int[Tensor, "heads count"]:
    """Draw tokens without replacement, from a mixture of the uniform distribution and one that follows the energy."""
    flat = energy.flatten(1)
    generator = torch.Generator().manual_seed(seed)
    weights = (1 - energy_share) / flat.shape[1] + energy_share * flat / flat.sum(1, keepdim=True)
    return torch.multinomial(weights.cpu(), min(count, flat.shape[1]), generator=generator).to(flat.device)


def pick(rows: Float[Tensor, "heads blocks length dim"], index: Int[Tensor, "heads count"]) -> Tensor:
    """The drawn tokens, (H, count, D)."""
    flat = rows.flatten(1, 2)
    return flat.gather(1, index[..., None].expand(-1, -1, flat.shape[2]))


def centres(
    rows: Float[Tensor, "heads n dim"], count: int, *, seed: int, iterations: int = 6
) -> Float[Tensor, "heads count dim"]:
    """k-means centres of every head's rows; a few iterations are enough.

    Raises:
        InputError: if there are fewer rows than centres.
    """
    from sklearn.cluster import KMeans  # here: a second of import that other maps do not need

    if rows.shape[1] < count:
        fix = "pass more calibration tokens, or ask for fewer features"
        raise wrong(
            "calibration batch", expected=f"at least {count} tokens, one per feature", got=rows.shape[1], fix=fix
        )
    means = KMeans(count, init="random", n_init=1, max_iter=iterations, random_state=seed)  # pyright: ignore[reportArgumentType]
    found = [torch.from_numpy(means.fit(head.cpu().numpy()).cluster_centers_) for head in rows.float()]
    return torch.stack(found).to(rows.dtype).to(rows.device)
