"""From a rule to the weights of a head.

    content and place match     400        with a null key, at 300; without one, whatever is less
    one of them matches         200
    none                          0

in units before the division by √d: a gap of 100 between what is selected and what is not, or more where that would be
less than 30 after it; at most exp(−30) of the softmax is left for a key that should get none. Adding a number to all
scores of a query changes nothing, so the tables of `shoal.circuits.conditions` are shifted to where they need fewest
dimensions: a head that looks for the first place has one.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from shoal.circuits.conditions import Conditions, conditions_of
from shoal.circuits.head import Head
from shoal.circuits.layout import Layout, check_vocabulary
from shoal.circuits.rules import AnyRule, Rule, Unique
from shoal.circuits.writing import not_self, same
from shoal.errors import wrong

GAP = 100.0
LEAST_GAP = 30.0  # after the division by √d: heads of many dimensions have larger weights


def compile_rule(rule: AnyRule, vocabulary: Sequence[str], max_len: int, *, qk_dim: int | None = None) -> Head:
    """Make the head that follows a rule on every sequence of up to `max_len` tokens.

    Args:
        rule: see `shoal.circuits.rules`.
        vocabulary: names of the tokens; a text stands for its letters.
        max_len: longest sequence.
        qk_dim: of queries and keys; as few as the rule needs unless given.

    Returns:
        A head whose output is the mean of the selected tokens, zero where there are none; for `unique()` one number,
        +1 or −1.

    Raises:
        InputError: if the rule names a token that is not there, selects nothing ever, or does not fit into one head;
            with the reason.

    Example:
        >>> head = compile_rule(same() & not_self(), vocabulary="ABC", max_len=4)
        >>> [[round(x, 6) for x in place] for place in head.run("ABA")]
        [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    names = check_vocabulary(vocabulary, max_len)
    layout, conditions = plan(rule, names, max_len)
    scores = _scores(conditions, layout)
    content, position = layout.content, layout.position
    blocks = [_factors(scores[content, content]), _factors(scores[position, position])]
    inner = max(1, sum(queries.shape[1] for queries, _ in blocks))  # a rule that selects every key needs none
    if qk_dim is not None and (not isinstance(qk_dim, int) or qk_dim < inner):
        raise wrong("qk_dim", expected=f"at least {inner} for {rule}", got=qk_dim)
    head = Head(layout, inner if qk_dim is None else qk_dim, 1 if isinstance(rule, Unique) else len(names))
    with torch.no_grad():
        column = 0
        for rows, (queries, keys) in zip((content, position), blocks, strict=True):
            columns = slice(column, column + queries.shape[1])
            head.W_Q[rows, columns], head.W_K[rows, columns] = queries, keys
            column = columns.stop
        head.W_Q.mul_(max(1, math.ceil(LEAST_GAP * head.W_Q.shape[1] ** 0.5 / GAP)))
        head.W_V[content] = _values(rule, layout)
    return head


def plan(rule: AnyRule, vocabulary: tuple[str, ...], max_len: int) -> tuple[Layout, Conditions]:
    """The dimensions that a head for the rule has, and the tables that it follows.

    Raises:
        InputError: as `compile_rule`.
    """
    if not isinstance(rule, Rule | Unique):
        raise wrong("rule", expected="a rule, as same() & not_self()", got=repr(rule))
    selection = same() & not_self() if isinstance(rule, Unique) else rule
    found = conditions_of(selection, vocabulary, max_len) if max_len > 1 or isinstance(rule, Rule) else None
    if found is None:
        raise wrong("max_len", expected="at least 2 for unique()", got=max_len)
    return Layout(vocabulary, max_len, null=found.empty, positions=found.level is not None), found


def to_multihead(head: Head) -> nn.MultiheadAttention:
    """The same head as torch's layer with one head: outputs are the first entries of its rows, the others are 0.

    It is called with `head.layout.embed(tokens)` for queries, keys and values; the null key's row, where there is one,
    is a query there as well.

    Example:
        >>> from shoal.circuits import previous
        >>> head = compile_rule(previous(), "AB", max_len=3)
        >>> x = head.layout.embed(head.layout.indices("ABB"))
        >>> out, _ = to_multihead(head)(x, x, x)
        >>> out[0, 1:, :2].tolist() == head.run("ABB")  # the first row is the null key's
        True
    """
    dim, inner = head.W_Q.shape
    layer = nn.MultiheadAttention(dim, 1, bias=False, batch_first=True, dtype=head.W_Q.dtype)
    pad = lambda weights: nn.functional.pad(weights, (0, dim - weights.shape[1])).T  # noqa: E731
    with torch.no_grad():
        queries, keys = head.W_Q, head.W_K
        if inner > dim:  # the same products in fewer dimensions
            queries, keys = queries @ keys.T, torch.eye(dim).to(keys)
        stretch = (dim / inner) ** 0.5  # torch divides by the root of its own dimension
        layer.in_proj_weight.copy_(torch.cat([stretch * pad(queries), pad(keys), pad(head.W_V)]))
        layer.out_proj.weight.copy_(torch.eye(dim))
    return layer.to(head.W_Q.device).train(head.training)


def _scores(conditions: Conditions, layout: Layout) -> Tensor:
    """Wanted scores, (dim, dim); blocks between contents and positions are 0."""
    content, position = layout.content, layout.position
    scores = torch.zeros(len(layout.names), len(layout.names))
    step = 2 * GAP if layout.null else GAP
    null, shift = conditions.threshold * step - (GAP if layout.null else 0.0), 0.0
    if conditions.either:
        null -= step  # one of the two is enough
    tokens = slice(content.stop - len(layout.vocabulary), content.stop)
    if conditions.content is not None:
        matched, off = _cheapest(step * conditions.content)
        scores[tokens, tokens] = matched
        null, shift = null + step, shift + off
    if conditions.level is not None:
        matched, off = _cheapest(step * conditions.level)
        scores[position, position] = matched
        null, shift = null + (step if conditions.threshold == 0 else 0.0), shift + off
    if layout.null:
        scores[tokens, 0] = null - shift
    return scores


def _cheapest(scores: Tensor) -> tuple[Tensor, float]:
    """The scores, shifted by their largest entry where that needs fewer dimensions; and by how much."""
    scores = scores.float()
    top = float(scores.max())
    costs = [_factors(shifted)[0].shape[1] for shifted in (scores, scores - top)]
    return (scores, 0.0) if costs[0] <= costs[1] else (scores - top, top)


def _factors(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Queries and keys whose products are the scores: one dimension for every kind of column, or of row."""
    by_key, (keys, queries) = _kinds(scores), _kinds(scores.T)
    return by_key if by_key[0].shape[1] <= keys.shape[1] else (queries, keys)


def _kinds(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Different columns that are not 0, and which of them a key has."""
    columns: list[Tensor] = []
    members: list[list[int]] = []
    for key, column in enumerate(scores.T):
        if not bool(column.any()):
            continue
        place = next((i for i, known in enumerate(columns) if torch.equal(known, column)), None)
        if place is None:
            columns.append(column)
            members.append([key])
        else:
            members[place].append(key)
    queries = torch.stack(columns, 1) if columns else scores.new_zeros(len(scores), 0)
    keys = scores.new_zeros(scores.shape[1], len(columns))
    for dimension, own in enumerate(members):
        keys[own, dimension] = 1
    return queries, keys


def _values(rule: AnyRule, layout: Layout) -> Tensor:
    """Rows of W_V for the contents: what a key passes on."""
    if isinstance(rule, Unique):
        values = torch.full((len(layout.contents), 1), -1.0)
        values[0] = 1.0  # the null key is attended to where nothing repeats
        return values
    values = torch.eye(len(layout.vocabulary))
    return torch.cat([values.new_zeros(1, len(layout.vocabulary)), values]) if layout.null else values
