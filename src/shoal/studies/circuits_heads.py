"""Learned heads as rows of JSON and as files, and back, bit for bit.

    save_heads("heads.safetensors", heads, "same() & not_self()")
    rule, heads = load_heads("heads.safetensors")

A file holds W_Q, W_K and W_V of every head, "0.W_Q" and so on; vocabulary, longest sequence and rule are in its header.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shoal.circuits import Head, Layout
from shoal.errors import ShoalError, wrong
from shoal.files import atomic_file

WEIGHTS = ("W_Q", "W_K", "W_V")
_HEADER = "shoal.circuits"


def as_rows(heads: Sequence[Head]) -> list[list[Any]]:
    """W_Q, W_K and W_V of every head as lists."""
    return [[weights.tolist() for weights in head.parameters()] for head in heads]


def from_rows(rows: Sequence[Sequence[Any]], layout: Layout) -> list[Head]:
    """The heads again."""
    return [_head(layout, *(torch.tensor(weights) for weights in row)) for row in rows]


def save_heads(path: str | Path, heads: Sequence[Head], rule: str) -> None:
    """Write heads of one layout to a safetensors file.

    Args:
        path: of the file.
        heads: at least one.
        rule: that they were trained on.

    Raises:
        ShoalError: if it cannot be written.
    """
    from safetensors.torch import save

    layout = heads[0].layout
    header = {
        "rule": rule,
        "vocabulary": layout.vocabulary,
        "max_len": layout.max_len,
        "null": layout.null,
        "positions": layout.positions,
    }
    tensors = {
        f"{i}.{name}": weights.detach().contiguous()
        for i, head in enumerate(heads)
        for name, weights in head.named_parameters()
    }
    with atomic_file(path) as file:
        file.write(save(tensors, {_HEADER: json.dumps(header)}))


def load_heads(path: str | Path) -> tuple[str, list[Head]]:
    """Read what `save_heads` wrote.

    Returns:
        The rule that the heads were trained on, and the heads.

    Raises:
        InputError: if there is no such file, or it holds no heads.
        ShoalError: if the file is no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    expected = "a safetensors file of heads, as `shoal circuits learn --output` writes"
    if not Path(path).is_file():
        raise wrong(str(path), expected=expected, got="no such file")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(_HEADER, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise ShoalError(f"{path}: expected {expected}, got: {error}") from None
    try:
        layout = Layout(
            tuple(header["vocabulary"]), int(header["max_len"]), bool(header["null"]), bool(header["positions"])
        )
        count = len(tensors) // len(WEIGHTS)
        heads = [_head(layout, *(tensors[f"{i}.{name}"] for name in WEIGHTS)) for i in range(count)]
        if not heads:
            raise KeyError("no heads")
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise wrong(str(path), expected=expected, got=f"one without them ({error})") from None
    for head in heads:
        head.check_weights()
    return str(header["rule"]), heads


def _head(layout: Layout, queries: Tensor, keys: Tensor, values: Tensor) -> Head:
    """A head with these weights."""
    dim = len(layout.names)
    if queries.shape != keys.shape or queries.ndim != 2 or values.ndim != 2 or not len(queries) == len(values) == dim:
        got = f"{list(queries.shape)}, {list(keys.shape)} and {list(values.shape)}"
        raise ValueError(f"weights of {dim} rows expected, got {got}")
    head = Head(layout, queries.shape[1], values.shape[1])
    with torch.no_grad():
        for parameter, weights in zip(head.parameters(), (queries, keys, values), strict=True):
            parameter.copy_(weights)
    return head
