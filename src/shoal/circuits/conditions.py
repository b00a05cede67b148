"""What a rule asks of contents and of places, as tables; and which rules one head can follow.

Scores of contents and positions add up. Keys that are selected must share the highest score, whatever the others hold,
so a rule fits into one head where it asks one thing of the contents *and* one of the places:

    selected(query, key)  =  content[query token, key token]  and  place[query place, key place]

`last` depends on how long the sequence is, which no key can know: there, every place gets a level, higher for later
places, so that the last key present wins. What fits into no such table is refused, with the pair that shows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from shoal.circuits.rules import Grid, Rule
from shoal.errors import InputError, wrong


@dataclass(frozen=True)
class Conditions:
    """A rule as tables.

    Attributes:
        content: whether a key's token may be selected, by the query's; None where any may.
        level: how high a key's place stands, by the query's; 0 where it is never selected, and None where every place
            may be. Keys are selected at the highest level that is present.
        threshold: level that a place must exceed to be selected: that of the null key.
        empty: whether some query selects nothing.
        either: whether one of the two is enough; they are then never both true.
    """

    content: Bool[Tensor, "tokens tokens"] | None
    level: Int[Tensor, "places places"] | None
    threshold: int
    empty: bool
    either: bool = False


def conditions_of(rule: Rule, vocabulary: tuple[str, ...], max_len: int) -> Conditions:
    """Read a rule's tables.

    Raises:
        InputError: if it selects nothing ever, or cannot be followed by one head.
    """
    chosen, possible = _on_all_pairs(rule, vocabulary, max_len)  # (V, V, L, L, L): tokens, places, length
    if not bool((chosen & possible).any()):
        raise wrong(f"rule {rule}", expected="one that selects a key of some sequence", got="one that never does")
    by_content = (chosen & possible).any(dim=(2, 3, 4))  # (V, V)
    by_place = (chosen & possible).any(dim=(0, 1))  # (L, L, L)
    product = by_content[:, :, None, None, None] & by_place
    if bool(((chosen != product) & possible).any()):
        if (found := _either(chosen, possible)) is not None:
            return found
        raise _not_one_head(rule, (product & ~chosen & possible).nonzero()[0].tolist(), vocabulary)
    if not bool(((chosen != by_place) & possible).any()):
        by_content = torch.ones_like(by_content)  # places say it all
    elif not bool(((chosen != by_content[:, :, None, None, None]) & possible).any()):
        by_place = torch.ones_like(by_place)
    content = None if bool(by_content.all()) else by_content
    present = torch.arange(1, max_len + 1)
    exists = torch.maximum(*torch.meshgrid(present, present, indexing="ij"))[..., None] <= present  # (q, k, length)
    empty = _can_be_empty(by_content, by_place, exists)
    by_length = _place_or_none(by_place, exists)
    if by_length is not None:
        level = None if bool(by_length.all()) else by_length.long()
        return Conditions(content, level, 0, empty)
    if content is not None:
        raise wrong(
            f"rule {rule}",
            expected="`last` with rules by position only",
            got="one with a rule by content",
            fix="which key is the last depends on the length, which a score by content cannot make up for",
        )
    return Conditions(None, _levels(rule, by_place), 1, empty)


def _on_all_pairs(rule: Rule, vocabulary: tuple[str, ...], max_len: int) -> tuple[Tensor, Tensor]:
    """Whether the rule selects, and whether there is such a pair: (V, V, L, L, L)."""
    tokens, places = torch.arange(len(vocabulary)), torch.arange(max_len)
    along = lambda x, axis: x.reshape([-1 if i == axis else 1 for i in range(5)])  # noqa: E731
    grid = Grid(
        query_token=along(tokens, 0),
        key_token=along(tokens, 1),
        query=along(places, 2),
        key=along(places, 3),
        length=along(places + 1, 4),
        vocabulary=vocabulary,
    )
    possible = (grid.query < grid.length) & (grid.key < grid.length)
    possible = possible & ((grid.query != grid.key) | (grid.query_token == grid.key_token))
    return rule.on_grid(grid).broadcast_to(possible.shape), possible


def _either(chosen: Tensor, possible: Tensor) -> Conditions | None:
    """Tables of a rule that selects by content or by place, where no key can be both; else None.

    A key at the query's own place holds the query's token: `~same() | ~not_self()` is such a rule.
    """
    by_content = (chosen | ~possible).all(4).all(3).all(2) & possible.any(4).any(3).any(2)  # (V, V)
    by_place = (chosen | ~possible).all(1).all(0)  # (L, L, L)
    content = by_content[:, :, None, None, None]
    exact = not bool(((chosen != (content | by_place)) & possible).any())
    if not exact or bool((content & by_place & possible).any()):
        return None
    exists = possible.any(1).any(0)
    level = _place_or_none(by_place & exists, exists)
    if level is None:
        return None
    empty = bool((possible.any(3) & ~(chosen & possible).any(3)).any()) or not _always_some(
        by_content, by_place & exists, exists
    )
    return Conditions(by_content, level.long(), 0, empty, either=True)


def _always_some(content: Tensor, place: Tensor, exists: Tensor) -> bool:
    """Whether every query selects a key, whatever the tokens are."""
    certain = place.any(1) | ~exists.diagonal(dim1=0, dim2=1).T  # (query, length)
    return bool(certain.all()) or bool(content.all())


def _can_be_empty(content: Tensor, place: Tensor, exists: Tensor) -> bool:
    """Whether tokens can be such that a query selects nothing.

    Args:
        content: (V, V).
        place: by query, key and length.
        exists: pairs of places that a length has.
    """
    avoidable = ~content.all(1)  # (V,): another place can hold a token that this query token does not select
    refuses_itself = ~content.diagonal()
    keys = place & exists
    own = keys.diagonal(dim1=0, dim2=1).T  # (query, length)
    others = (keys & ~torch.eye(len(place), dtype=torch.bool)[..., None]).any(1)  # (query, length)
    real = exists.diagonal(dim1=0, dim2=1).T
    unselected = (refuses_itself[:, None, None] | ~own) & (avoidable[:, None, None] | ~others)  # (V, query, length)
    return bool((unselected & real).any())


def _place_or_none(place: Tensor, exists: Tensor) -> Tensor | None:
    """The table by query and key where it is the same at every length; else None."""
    ever, always = (place & exists).any(2), (place | ~exists).all(2)
    return ever if bool((ever == always).all()) else None


def _levels(rule: Rule, place: Tensor) -> Int[Tensor, "places places"]:
    """Levels of places by query; the null key has level 1.

    With every longer sequence a new key comes in. It is alone selected (a higher level than all so far), or joins
    those that are (their level), or is not selected (0); whatever else would need a key to know the length.
    """
    max_len = len(place)
    levels = torch.zeros(max_len, max_len, dtype=torch.long)
    for query in range(max_len):
        so_far = place[query, : query + 1, query].nonzero()[:, 0].tolist()
        top = 2 if so_far else 1
        levels[query, so_far] = top
        for new in range(query + 1, max_len):
            now = place[query, : new + 1, new].nonzero()[:, 0].tolist()
            if now == [new]:
                top += 1
                levels[query, new] = top
            elif so_far and now == [*so_far, new]:
                levels[query, new] = top
            elif now != so_far:
                raise wrong(
                    f"rule {rule}",
                    expected="one whose keys stay selected until a later one takes their place",
                    got=f"for the query at place {query}, keys {so_far} of {new} tokens and {now} of {new + 1}",
                    fix="a key cannot know how long the sequence is",
                )
            so_far = now
    shared = levels[:1].expand(max_len, -1)  # what the first query needs, which sees every key come in
    return shared if _wins(shared, place) else levels


def _wins(levels: Tensor, place: Tensor) -> bool:
    """Whether the keys at the highest level are the selected ones, for every query and length."""
    for query in range(len(place)):
        for length in range(query + 1, len(place) + 1):
            present = levels[query, :length]
            if not torch.equal((present == present.max()) & (present > 1), place[query, :length, length - 1]):
                return False
    return True


def _not_one_head(rule: Rule, pair: Sequence[int], vocabulary: tuple[str, ...]) -> InputError:
    query, key = (f"{vocabulary[pair[i]]} at place {pair[2 + i]}" for i in (0, 1))
    return wrong(
        f"rule {rule}",
        expected="one that asks one thing of the contents and one of the places",
        got=f"another: the query {query} must pass over the key {key}, whose token and whose place are both selected "
        "elsewhere",
        fix="scores of content and position add up, so one head would select it; take a head for each side of `|`",
    )
