"""How rules are written: in Python, `same() & not_self()`, or as a text, `parse_rule("same & not_self")`."""

import ast
from collections.abc import Callable

from shoal.circuits.rules import (
    AnyRule,
    At,
    Both,
    Either,
    Last,
    Not,
    NotSelf,
    Previous,
    Rule,
    Same,
    Token,
    Unique,
    as_rule,
)
from shoal.errors import InputError, wrong


def token(name: str) -> Rule:
    """Keys that hold this token.

    Example:
        >>> from shoal.circuits import selected
        >>> selected(token("A"), "ABA", 1)
        [0, 2]
    """
    if not isinstance(name, str) or not name:
        raise wrong("token", expected="the name of a token", got=repr(name))
    return Token(name)


def same() -> Rule:
    """Keys that hold the query's token, the query's own place among them.

    Example:
        >>> from shoal.circuits import selected
        >>> selected(same(), "ABA", 0)
        [0, 2]
    """
    return Same()


def at(place: int) -> Rule:
    """The key at a place, counted from 0.

    Example:
        >>> from shoal.circuits import selected
        >>> selected(at(2), "ABA", 0), selected(at(2), "AB", 0)
        ([2], [])
    """
    if not isinstance(place, int) or isinstance(place, bool) or place < 0:
        raise wrong("at", expected="a place, counted from 0", got=repr(place))
    return At(place)


def first() -> Rule:
    """The key at the first place, `at(0)`."""
    return At(0)


def last() -> Rule:
    """The key at the last place of the sequence, however long it is.

    Example:
        >>> from shoal.circuits import selected
        >>> selected(last(), "ABA", 0)
        [2]
    """
    return Last()


def previous() -> Rule:
    """The key one place before the query; none for the first query.

    Example:
        >>> from shoal.circuits import selected
        >>> selected(previous(), "ABA", 2), selected(previous(), "ABA", 0)
        ([1], [])
    """
    return Previous()


def not_self() -> Rule:
    """Keys at other places than the query's.

    Example:
        >>> from shoal.circuits import selected
        >>> selected(same() & not_self(), "ABA", 0)
        [2]
    """
    return NotSelf()


def unique() -> Unique:
    """A rule for the output, not a selection: +1 where the query's token occurs once, −1 where it repeats.

    Example:
        >>> from shoal.circuits import expected_output
        >>> expected_output(unique(), "ABA", "AB")
        [[-1.0], [1.0], [-1.0]]
    """
    return Unique()


_WRITTEN: dict[str, Callable[..., AnyRule]] = {
    "token": token,
    "same": same,
    "first": first,
    "last": last,
    "previous": previous,
    "at": at,
    "not_self": not_self,
    "unique": unique,
}


def parse_rule(text: str) -> AnyRule:
    """The rule that a text says, in the notation of this module; empty brackets may be left out.

    Raises:
        InputError: if it says none.

    Example:
        >>> print(parse_rule("same & ~(first | at(2))"))
        same() & ~(first() | at(2))
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # ValueError: a null byte, before Python 3.11.4
        raise _unreadable(text) from None
    try:
        return _built(tree.body, text)
    except RecursionError:
        raise _unreadable(text) from None


def _built(node: ast.expr, text: str) -> AnyRule:
    signs = {ast.BitAnd: Both, ast.BitOr: Either}
    if isinstance(node, ast.BinOp) and type(node.op) in signs:
        sign = "&" if isinstance(node.op, ast.BitAnd) else "|"
        sides = [as_rule(_built(side, text), sign) for side in (node.left, node.right)]
        return signs[type(node.op)](*sides)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        return Not(as_rule(_built(node.operand, text), "~"))
    named = isinstance(node, ast.Call) and bool(node.keywords)
    name, arguments = (node.func, node.args) if isinstance(node, ast.Call) else (node, [])
    values = [argument.value for argument in arguments if isinstance(argument, ast.Constant)]
    if isinstance(name, ast.Name) and name.id in _WRITTEN and len(values) == len(arguments) and not named:
        try:
            return _WRITTEN[name.id](*values)
        except TypeError:
            pass  # another number of arguments
    raise _unreadable(text)


def _unreadable(text: str) -> InputError:
    names = "token('A'), same, first, last, previous, at(2), not_self, joined by &, | and ~, or unique"
    return wrong("rule", expected=names, got=repr(text))
