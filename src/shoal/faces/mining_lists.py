"""Every triplet of a batch, listed: whole where they are few, in blocks where they are many."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from shoal.errors import wrong
from shoal.faces.mining_distances import check_batch, check_labels
from shoal.faces.triplets import Identities, Triplets

TRIPLETS_AT_ONCE = 1 << 20


def mine_all(
    embeddings: Float[Tensor, "batch dim"], labels: Integer[Tensor, " batch"], *, limit: int = 10_000_000
) -> Triplets:
    """List every triplet (anchor, positive, negative), sorted by anchor, positive and negative.

    Args:
        embeddings: checked, and not looked at otherwise.
        labels: identity of each row.
        limit: the most to list, >= 1; a triplet takes 24 bytes.

    Returns:
        All of them.

    Raises:
        InputError: if there are more than `limit`; it says how many. Also see `mine_semi_hard`.

    Example:
        >>> len(mine_all(torch.eye(4), torch.tensor([0, 0, 1, 1])))
        8
    """
    check_batch(embeddings, labels)
    if not isinstance(limit, int) or limit < 1:
        raise wrong("limit", expected="a whole number of triplets >= 1", got=limit)
    number = Identities.of(labels).count_triplets()
    if number > limit:
        fix = 'go through them in blocks with `all_triplets(labels)`; TripletLoss(mining="all") never lists them'
        raise wrong("all triplets", expected=f"at most {limit:,}", got=f"{number:,} ({24e-9 * number:.1f} GB)", fix=fix)
    blocks = list(all_triplets(labels.to(embeddings.device)))
    none = torch.zeros(0, dtype=torch.int64, device=embeddings.device)
    columns = ([none, *(getattr(block, name) for block in blocks)] for name in ("anchor", "positive", "negative"))
    return Triplets(*map(torch.cat, columns))


def all_triplets(labels: Integer[Tensor, " batch"], *, at_once: int = TRIPLETS_AT_ONCE) -> Iterator[Triplets]:
    """Go through every triplet in the order of `mine_all`, a block at a time.

    Args:
        labels: identity of each row.
        at_once: about as many triplets a block; it holds whole pairs, at least one.

    Yields:
        Blocks; none where there is no triplet.

    Example:
        >>> [len(block) for block in all_triplets(torch.tensor([0, 0, 1, 1]), at_once=8)]
        [4, 4]
    """
    check_labels(labels, len(labels))
    people = Identities.of(labels)
    pairs = people.pairs()
    step = max(1, at_once // max(1, len(labels)))
    for anchor, positive in zip(*(rows.split(step) for rows in pairs), strict=True):
        if len(anchor):
            pair, negative = (people.who[anchor][:, None] != people.who).nonzero().unbind(1)  # [block, 2]
            yield Triplets(anchor[pair], positive[pair], negative)
