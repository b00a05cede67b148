"""A small language of selection rules: which keys a query takes the mean of.

    same() & not_self()            # other places that hold the query's token
    token("A") | token("B")        # places that hold an A or a B
    ~first()                       # all but the first place

Rules by content look at the tokens of a query and a key (`token`, `same`), rules by position at their places (`first`,
`last`, `previous`, `at`, `not_self`). `&`, `|` and `~` combine them. `unique()` is another kind of rule, one for the
output: + where the query's token occurs once, − where it repeats.

`selected` and `expected_output` are the reference: plain Python, a key at a time. Everything else is tested against
them. Where nothing is selected, the output is zero.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from torch import Tensor
from typing_extensions import override

from shoal.errors import wrong


@dataclass(frozen=True)
class Rule(ABC):
    """Which keys a query selects."""

    @abstractmethod
    def selects(self, tokens: Sequence[str], query: int, key: int) -> bool:
        """Whether the query at one place takes part of the key at another; the reference."""

    @abstractmethod
    def on_grid(self, grid: "Grid") -> Tensor:
        """The same for all pairs of a grid at once."""

    def parts(self) -> Iterator["Rule"]:
        """The rule and all rules that it is made of."""
        yield self

    def __and__(self, other: "Rule") -> "Rule":
        return Both(self, as_rule(other, "&"))

    def __or__(self, other: "Rule") -> "Rule":
        return Either(self, as_rule(other, "|"))

    def __invert__(self) -> "Rule":
        return Not(self)


def as_rule(found: Any, sign: str) -> Rule:
    """Refuse what cannot stand beside `&`, `|` or `~`.

    Raises:
        InputError: if it is no selection rule.
    """
    if not isinstance(found, Rule):
        got = "unique(), which is a rule for the output" if isinstance(found, Unique) else repr(found)
        raise wrong(f"what stands beside {sign}", expected="a selection rule", got=got)
    return found


@dataclass(frozen=True)
class Grid:
    """What rules look at, as tensors that broadcast against each other.

    Attributes:
        query_token, key_token: index of the token.
        query, key: place.
        length: of the sequence.
        vocabulary: names of the tokens.
    """

    query_token: Tensor
    key_token: Tensor
    query: Tensor
    key: Tensor
    length: Tensor
    vocabulary: tuple[str, ...]

    def index(self, name: str) -> int:
        """Of a token.

        Raises:
            InputError: if the vocabulary does not hold it.
        """
        if name not in self.vocabulary:
            raise wrong("token", expected=f"one of {', '.join(self.vocabulary)}", got=repr(name))
        return self.vocabulary.index(name)


# ---------------------------------------------------------------------- by content


@dataclass(frozen=True)
class Token(Rule):
    """See `token`."""

    name: str

    @override
    def selects(self, tokens: Sequence[str], query: int, key: int) -> bool:
        return tokens[key] == self.name

    @override
    def on_grid(self, grid: Grid) -> Tensor:
        return grid.key_token == grid.index(self.name)

    def __str__(self) -> str:
        return f"token({self.name!r})"


@dataclass(frozen=True)
class Same(Rule):
    """See `same`."""

    @override
    def selects(self, tokens: Sequence[str], query: int, key: int) -> bool:
        return tokens[key] == tokens[query]

    @override
    def on_grid(self, grid: Grid) -> Tensor:
        return grid.key_token == grid.query_token

    def __str__(self) -> str:
        return "same()"


# ---------------------------------------------------------------------- by position


@dataclass(frozen=True)
class At(Rule):
    """See `at` and `first`."""

    place: int

    @override
    def selects(self, tokens: Sequence[str], query: int, key: int) -> bool:
        return key == self.place

    @override
    def on_grid(self, grid: Grid) -> Tensor:
        return grid.key == self.place

    def __str__(self) -> str:
        return f"at({self.place})" if self.place else "first()"


@dataclass(frozen=True)
class Last(Rule):
    """See `last`."""

    @override
    def selects(self, tokens: Sequence[str], query: int, key: int) -> bool:
        return key == len(tokens) - 1

    @override
    def on_grid(self, grid: Grid) -> Tensor:
        return grid.key == grid.length - 1

    def __str__(self) -> str:
        return "last()"


@dataclass(frozen=True)
class Previous(Rule):
    """See `previous`."""

    @override
    def selects(self, tokens: Sequence[str], query: int, key: int) -> bool:
        return key == query - 1

    @override
    def on_grid(self, grid: Grid) -> Tensor:
        return grid.key == grid.query - 1

    def __str__(self) -> str:
        return "previous()"


@dataclass(frozen=True)
class NotSelf(Rule):
    """See `not_self`."""

    @override
    def selects(self, tokens: Sequence[str], query: int, key: int) -> bool:
        return key != query

    @override
    def on_grid(self, grid: Grid) -> Tensor:
        return grid.key != grid.query

    def __str__(self) -> str:
        return "not_self()"


# ---------------------------------------------------------------------- combinations


@dataclass(frozen=True)
class _Pair(Rule):
    one: Rule
    other: Rule

    @override
    def parts(self) -> Iterator[Rule]:
        yield self
        yield from self.one.parts()
        yield from self.other.parts()

    def _joined(self, sign: str) -> str:
        bare = lambda side: not isinstance(side, _Pair) or type(side) is type(self)  # noqa: E731
        return f" {sign} ".join(str(side) if bare(side) else f"({side})" for side in (self.one, self.other))


@dataclass(frozen=True)
class Both(_Pair):
    """Keys that both rules select."""

    @override
    def selects(self, tokens: Sequence[str], query: int, key: int) -> bool:
        return self.one.selects(tokens, query, key) and self.other.selects(tokens, query, key)

    @override
    def on_grid(self, grid: Grid) -> Tensor:
        return self.one.on_grid(grid) & self.other.on_grid(grid)

    def __str__(self) -> str:
        return self._joined("&")


@dataclass(frozen=True)
class Either(_Pair):
    """Keys that at least one of the rules selects."""

    @override
    def selects(self, tokens: Sequence[str], query: int, key: int) -> bool:
        return self.one.selects(tokens, query, key) or self.other.selects(tokens, query, key)

    @override
    def on_grid(self, grid: Grid) -> Tensor:
        return self.one.on_grid(grid) | self.other.on_grid(grid)

    def __str__(self) -> str:
        return self._joined("|")


@dataclass(frozen=True)
class Not(Rule):
    """Keys that the rule does not select."""

    rule: Rule

    @override
    def parts(self) -> Iterator[Rule]:
        yield self
        yield from self.rule.parts()

    @override
    def selects(self, tokens: Sequence[str], query: int, key: int) -> bool:
        return not self.rule.selects(tokens, query, key)

    @override
    def on_grid(self, grid: Grid) -> Tensor:
        return ~self.rule.on_grid(grid)

    def __str__(self) -> str:
        return f"~({self.rule})" if isinstance(self.rule, _Pair) else f"~{self.rule}"


@dataclass(frozen=True)
class Unique:
    """See `unique`."""

    def _alone(self, *_: object) -> NoReturn:
        raise wrong("unique()", expected="to stand alone: it is a rule for the output", got="&, | or ~ beside it")

    __and__ = __or__ = __invert__ = _alone

    def __str__(self) -> str:
        return "unique()"


AnyRule = Rule | Unique


def selected(rule: Rule, tokens: Sequence[str], query: int) -> list[int]:
    """Places of the keys that a query selects."""
    return [key for key in range(len(tokens)) if rule.selects(tokens, query, key)]


def expected_output(rule: AnyRule, tokens: Sequence[str], vocabulary: Sequence[str]) -> list[list[float]]:
    """What a head should return for every place: the mean of the selected tokens, one-hot; zeros where there are none.

    Args:
        rule: a selection rule, or `unique()`, whose output is one number.
        tokens: the sequence.
        vocabulary: names of all tokens; entry i of an output stands for the i-th.

    Example:
        >>> from shoal.circuits import first
        >>> expected_output(~first(), "ABA", "AB")
        [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
    """
    if isinstance(rule, Unique):
        return [[1.0 if list(tokens).count(token) == 1 else -1.0] for token in tokens]
    outputs = []
    for query in range(len(tokens)):
        keys = selected(rule, tokens, query)
        outputs.append([sum(tokens[key] == name for key in keys) / max(1, len(keys)) for name in vocabulary])
    return outputs
