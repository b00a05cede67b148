"""Pairs for sets that come without: drawn, in parts that share no person where there are enough people.

    pairs = draw_pairs(faces.labels, per_fold=300, seed=0)

Matched pairs are spread as evenly over people as their images allow, and of mismatched ones both people are
drawn first: somebody with hundreds of photos does not decide the result.
"""

import numpy as np
import torch
from jaxtyping import Int64
from numpy.typing import NDArray
from torch import Tensor

from shoal.data.faces.pairs import FOLDS, FacePairs
from shoal.errors import InputError, wrong

Rows = list[NDArray[np.int64]]  # of one part: rows of each person


def draw_pairs(
    labels: Int64[Tensor, "n"], *, per_fold: int = 300, folds: int = FOLDS, seed: int = 0, name: str = "drawn"
) -> FacePairs:
    """Draw as many matched as mismatched pairs for each of several parts.

    No pair occurs twice. With at least `folds` people who have two images and twice as many people in all, a
    person occurs in one part only; with fewer, an image does.

    Args:
        labels: who is on each image; rows with −1 are left out.
        per_fold: pairs of each kind in each part, at least 1; fewer where a part has not so many.
        folds: parts, at least 1.
        seed: of the draws.
        name: see `FacePairs`.

    Returns:
        The pairs, part by part, the matched ones of each first.

    Raises:
        InputError: if there are too few images, or a number is out of range.

    Example:
        >>> pairs = draw_pairs(torch.arange(40) % 8, per_fold=3, folds=2)
        >>> len(pairs), pairs.same.tolist()[:6]
        (12, [True, True, True, False, False, False])
    """
    if per_fold < 1 or folds < 1:
        raise wrong("pairs", expected="per_fold >= 1 and folds >= 1", got=f"{per_fold} and {folds}")
    rng = np.random.default_rng(seed)
    columns: list[tuple[NDArray[np.int64], bool, int]] = []
    for number, people in enumerate(_parts(labels, folds, rng)):
        matched, mismatched = _matched(people, per_fold, rng), _mismatched(people, per_fold, rng)
        count = min(len(matched), len(mismatched))
        if not count:
            expected = f"two images of a person, and two people, in each of {folds} parts"
            got = f"{len(labels)} images of {len(labels[labels >= 0].unique())} people"
            raise wrong("pairs", expected=expected, got=got, fix="give more images, or ask for fewer folds")
        columns += [(matched[:count], True, number), (mismatched[:count], False, number)]
    rows = torch.from_numpy(np.concatenate([pairs for pairs, _, _ in columns]))  # (p, 2)
    return FacePairs(
        a=rows[:, 0].contiguous(),
        b=rows[:, 1].contiguous(),
        same=torch.cat([torch.full((len(pairs),), kind) for pairs, kind, _ in columns]),
        fold=torch.cat([torch.full((len(pairs),), number) for pairs, _, number in columns]),
        name=name,
    )


def draw_some(labels: Int64[Tensor, "n"], *, pairs: int, seed: int = 0, name: str = "drawn") -> FacePairs:
    """`draw_pairs` in as many parts as can be had, ten at most and two at least.

    Args:
        labels: as there.
        pairs: of each kind, over all parts.
        seed: as there.
        name: as there.

    Raises:
        InputError: if there are too few images even for two.
    """
    for folds in range(FOLDS, 2, -1):
        try:
            return draw_pairs(labels, per_fold=max(1, pairs // folds), folds=folds, seed=seed, name=name)
        except InputError:
            continue
    return draw_pairs(labels, per_fold=max(1, pairs // 2), folds=2, seed=seed, name=name)


def _parts(labels: Tensor, folds: int, rng: np.random.Generator) -> list[Rows]:
    """Rows of each person in each part; people are shuffled, and the images of each."""
    known = labels.cpu().numpy()
    order = np.argsort(known, kind="stable")
    order = order[known[order] >= 0]
    starts = np.unique(known[order], return_index=True)[1]
    people = [rng.permutation(rows) for rows in np.split(order, starts[1:]) if len(rows)]
    people = [people[i] for i in rng.permutation(len(people))]
    several = [rows for rows in people if len(rows) > 1]
    parts: list[Rows] = [[] for _ in range(folds)]
    if len(several) >= folds and len(people) >= 2 * folds:
        for i, rows in enumerate([*several, *(rows for rows in people if len(rows) == 1)]):
            parts[i % folds].append(rows)
        return parts
    for i, rows in enumerate(people):  # two images at least go together: alone, none makes a matched pair
        pieces = np.array_split(rows, min(folds, max(1, len(rows) // 2)))
        for k, piece in enumerate(pieces):
            parts[(i + k) % folds].append(piece)
    return parts


def _matched(people: Rows, wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """At most `wanted` pairs of one person, [m, 2]: one of everybody, then another of those who have more."""
    several = [rows for rows in people if len(rows) > 1]
    turns, pairs = [], []
    for rows in several:
        possible = len(rows) * (len(rows) - 1) // 2
        drawn = rng.choice(possible, min(possible, wanted), replace=False)
        first, second = _unrank(drawn)
        pairs.append(np.stack((rows[first], rows[second]), axis=1))
        turns.append(np.arange(len(drawn)))
    if not pairs:
        return np.empty((0, 2), dtype=np.int64)
    order = np.argsort(np.concatenate(turns), kind="stable")
    return np.concatenate(pairs)[order[:wanted]]


def _unrank(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pair i < j that has each number in (0, 1), (0, 2), (1, 2), (0, 3), …: number = j (j − 1) / 2 + i."""
    j = ((1 + np.sqrt(1 + 8.0 * numbers)) // 2).astype(np.int64)
    j -= j * (j - 1) // 2 > numbers  # what rounding may have added
    j += j * (j + 1) // 2 <= numbers
    return numbers - j * (j - 1) // 2, j


def _mismatched(people: Rows, wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """At most `wanted` pairs of different people, [m, 2], all different."""
    sizes = np.array([len(rows) for rows in people], dtype=np.int64)
    possible = (int(sizes.sum()) ** 2 - int((sizes**2).sum())) // 2
    if possible <= 2 * wanted:  # few: list them all
        who = np.repeat(np.arange(len(people)), sizes)
        rows = np.concatenate(people) if people else np.empty(0, dtype=np.int64)
        i, j = np.triu_indices(len(rows), 1)
        every = np.stack((rows[i], rows[j]), axis=1)[who[i] != who[j]]
        return rng.permutation(every)[:wanted]
    found: dict[tuple[int, int], tuple[int, int]] = {}
    while len(found) < wanted:
        one, other = rng.choice(len(people), 2, replace=False)
        a, b = int(rng.choice(people[one])), int(rng.choice(people[other]))
        found.setdefault((min(a, b), max(a, b)), (a, b))
    return np.array(list(found.values()), dtype=np.int64)
