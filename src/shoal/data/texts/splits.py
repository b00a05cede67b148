"""Splitting pairs so that nothing leaks: what hangs together stays together.

Two rows hang together if they share a group, a document (or its first paragraph), or a summary; so do rows that
hang together with a third. Such a component goes whole into training, validation or test.

    train, validation, test = split_pairs(pairs, validation=0.1, test=500, seed=0)
"""

import random
from collections import Counter
from dataclasses import replace

from shoal.data.texts.pairs import TextPairs, TextSplits, normalise, opening
from shoal.errors import wrong

_MOST = 2_000  # rows that are held out by default, as many as measure ROUGE to within a point
_SHARE = 10
_SMALL = 20  # a component is small if it fills at most one part in so many of what is held out


def split_pairs(
    pairs: TextPairs, *, validation: int | float | None = None, test: int | float | None = None, seed: int = 0
) -> tuple[TextPairs, TextPairs, TextPairs]:
    """Divide pairs into training, validation and test rows; no component is in two of them.

    The held-out rows come from small components, in an order drawn by `seed`, so that no family of near-equal
    texts fills them; larger ones are taken only where small ones do not suffice. The test rows do not depend on
    how many validation rows are asked for.

    Args:
        pairs: the rows.
        validation: rows (int) or share of all rows (float in [0, 1)); None takes a tenth, at most 2,000.
        test: the same for test rows.
        seed: of the draw.

    Returns:
        (train, validation, test), each in the order of `pairs`. Sizes are as asked where the components allow it,
        and between half and twice of that elsewhere.

    Raises:
        InputError: if the components do not allow that, or leave nothing to train on.

    Example:
        >>> names = [f"{i} {'abcdefghij'[i % 10]}" for i in range(100)]
        >>> pairs = TextPairs(documents=tuple("text " + n for n in names), summaries=tuple(names), name="toy")
        >>> [len(part) for part in split_pairs(pairs, validation=0.1, test=5, seed=0)]
        [85, 10, 5]
    """
    train, held_out, tested = split_rows(pairs, validation=validation, test=test, seed=seed)
    return pairs.take(train), pairs.take(held_out), pairs.take(tested)


def with_test_rows(splits: TextSplits, *, seed: int = 0) -> TextSplits:
    """Splits that have test rows: the same, or the validation rows for testing and a tenth of the others for choosing.

    A training that stops where its validation loss is lowest has chosen with the validation rows.

    Args:
        splits: any.
        seed: of the draw.
    """
    if len(splits.test):
        return splits
    train, validation, _ = split_pairs(splits.train, test=0, seed=seed)
    return replace(splits, train=train, validation=validation, test=splits.validation)


def split_rows(
    pairs: TextPairs, *, validation: int | float | None = None, test: int | float | None = None, seed: int = 0
) -> tuple[list[int], list[int], list[int]]:
    """The numbers of the rows that `split_pairs` takes for training, validation and test, each ascending.

    Raises:
        InputError: see `split_pairs`.
    """
    sizes = {"test": rows_of(test, len(pairs), "test"), "validation": rows_of(validation, len(pairs), "validation")}
    if sum(sizes.values()) >= len(pairs):
        got = f"{sizes['test']} for test and {sizes['validation']} for validation"
        raise wrong(f"splits of {pairs.name}", expected=f"fewer held-out rows than the {len(pairs)} there are", got=got)
    left = components(pairs)
    random.Random(seed).shuffle(left)
    rows = {}
    for part, size in sizes.items():
        taken, left = _take(left, size)
        rows[part] = _sorted_rows(taken)
        if (size and not size / 2 <= len(rows[part]) <= 2 * size) or not left:
            raise _impossible(pairs, part, size)
    return _sorted_rows(left), rows["validation"], rows["test"]


def components(pairs: TextPairs) -> list[list[int]]:
    """Rows that hang together, by equal group, document, first paragraph or summary, or through others.

    Args:
        pairs: the rows.

    Returns:
        Lists of row numbers, each ascending, in the order of their first rows; every row is in exactly one.

    Example:
        >>> pairs = TextPairs(documents=("a", "b", "c", "d"), summaries=("x", "y", "X.", "z"), name="toy",
        ...                   groups=("", "p", "p", "q"))
        >>> components(pairs)
        [[0, 1, 2], [3]]
    """
    root = list(range(len(pairs)))

    def find(row: int) -> int:
        while root[row] != row:
            root[row] = row = root[root[row]]  # halve the path, so that the next search is short
        return row

    for keys in _keys(pairs):
        first: dict[str, int] = {}
        for row, key in enumerate(keys):
            if key:
                one, other = find(first.setdefault(key, row)), find(row)
                root[max(one, other)] = min(one, other)
    found: dict[int, list[int]] = {}
    for row in range(len(pairs)):
        found.setdefault(find(row), []).append(row)
    return list(found.values())


def rows_of(size: int | float | None, rows: int, what: str) -> int:
    """A number of rows from a number, a share, or None for the default.

    Raises:
        InputError: if it is neither.
    """
    if size is None:
        return min(_MOST, max(1, rows // _SHARE))
    if isinstance(size, bool) or not size >= 0 or (isinstance(size, float) and not size < 1):
        expected = f"rows (0 to {rows - 1:,}) or a share of them (0.0 up to 1.0, not 1)"
        raise wrong(f"{what} size", expected=expected, got=size)
    return size if isinstance(size, int) else max(round(size * rows), int(size > 0))


def _keys(pairs: TextPairs) -> list[tuple[str, ...] | list[str]]:
    return [
        pairs.groups,
        [normalise(text) for text in pairs.documents],
        [opening(text) for text in pairs.documents],
        [normalise(text) for text in pairs.summaries],
    ]


def _take(left: list[list[int]], size: int) -> tuple[list[list[int]], list[list[int]]]:
    """Components of about `size` rows, small ones first in their drawn order; and those that are left."""
    small = max(1, size // _SMALL)
    order = sorted(range(len(left)), key=lambda i: max(small, len(left[i])))
    room, taken = size, set[int]()
    for i in order if size else ():
        if len(left[i]) <= room:
            taken.add(i)
            room -= len(left[i])
    if size and not taken and left:
        taken.add(order[0])
    return [left[i] for i in sorted(taken)], [part for i, part in enumerate(left) if i not in taken]


def _sorted_rows(parts: list[list[int]]) -> list[int]:
    return sorted(row for part in parts for row in part)


def _impossible(pairs: TextPairs, what: str, size: int) -> Exception:
    sizes = Counter(map(len, components(pairs)))
    largest = max(sizes)
    return wrong(
        f"{what} size of {pairs.name}",
        expected=f"rows that can be split off: the {len(pairs):,} rows hang together in {sizes.total():,} parts, the "
        f"largest of {largest:,}, by equal groups, documents, first paragraphs or summaries",
        got=size,
        fix="ask for another size, or give more varied rows",
    )
