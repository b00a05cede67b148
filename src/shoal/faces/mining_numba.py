"""`mining_loops`, compiled by numba where it is installed (`pip install "shoal[fast]"`); float32 on a CPU.

Nothing is imported or compiled before the first call. The compiled code is cached on disk where numba finds a
folder that it may write to; elsewhere each process compiles anew, which takes seconds. The loops hold no lock
of Python's.
"""

import contextlib
import inspect
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from shoal.errors import wrong
from shoal.faces import mining_loops
from shoal.faces.triplets import Identities, Triplets

BACKENDS = ("auto", "torch", "numba")
Loop = Callable[..., None]
WORTH_IT = 256  # rows of a batch from which "auto" waits for numba to start


def uses_numba(backend: str, device: torch.device, dtype: torch.dtype, batch: int) -> bool:
    """Whether a batch is one for numba.

    Args:
        backend: "torch"; "numba"; or "auto", which is numba for large batches where it works.
        device: of the embeddings.
        dtype: of the distances; all but float32 is torch's.
        batch: rows.

    Raises:
        InputError: if the backend is unknown, or numba was asked for and does not work here.
    """
    check_backend(backend)
    if device.type != "cpu" or dtype != torch.float32 or not batch:
        return False
    return backend == "numba" or (backend == "auto" and batch >= WORTH_IT and why_not() == "")


def check_backend(backend: str) -> None:
    """Refuse an unknown backend, and numba where it does not work."""
    if backend not in BACKENDS:
        raise wrong("backend", expected='"auto", "torch" or "numba"', got=repr(backend))
    if backend == "numba" and (reason := why_not()):
        raise wrong("backend", expected="numba", got=reason, fix='pip install "shoal[fast]", or backend="torch"')


@cache
def why_not() -> str:
    """Why numba cannot be used; empty if it can: it is there, and compiles."""
    try:
        import_module("numba")
        for compiled in (_semi_hard, _pull):
            compiled()  # kept for the first call
    except Exception as error:  # numba refuses a numpy that is newer than it knows, in several ways
        return f"{type(error).__name__}: {error}".partition("\n")[0]
    return ""


def semi_hard_negatives(far: Float32[Tensor, "batch batch"], people: Identities) -> Int64[Tensor, " pairs"]:
    """As `mining_torch.semi_hard_negatives`: the same indices."""
    negative = torch.empty(people.number_of_pairs, dtype=torch.int64)
    if len(negative):
        parts = (far, people.order, people.start, people.count, people.first, negative)
        _semi_hard()(*_arrays(*parts))
    return negative


def pull(rows: Float32[Tensor, "batch dim"], triplets: Triplets) -> Float32[Tensor, "batch dim"]:
    """As `mining_gradients.pull`: half of the gradient of Σ |a − p|² − |a − n|² by the rows."""
    gradient = torch.zeros_like(rows)
    _pull()(*_arrays(rows, triplets.anchor, triplets.positive, triplets.negative, gradient))
    return gradient


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    """The tensors' own memory, laid out as the loops were compiled for."""
    return [tensor.contiguous().numpy() for tensor in tensors]


@cache
def _semi_hard() -> Loop:
    one = np.zeros(1, np.int64)
    example = (np.zeros((1, 1), np.float32), one, one, one + 1, one, one.copy())
    return first_that_works(_compilers(), mining_loops.semi_hard_loop, example)


@cache
def _pull() -> Loop:
    rows, none = np.zeros((1, 1), np.float32), np.zeros(0, np.int64)
    return first_that_works(_compilers(), mining_loops.pull_loop, (rows, none, none, none, rows.copy()))


def _compilers() -> list[Callable[[Loop], Loop]]:
    """With a cache on disk, and without."""
    njit: Any = import_module("numba").njit
    return [lambda loop: njit(cache=True, nogil=True)(loop), lambda loop: njit(nogil=True)(loop)]


def first_that_works(compilers: Sequence[Callable[[Loop], Loop]], loop: Loop, example: tuple[np.ndarray, ...]) -> Loop:
    """A loop as the first compiler makes it that neither fails at compiling nor at a first call.

    With a cache numba raises where it finds no folder for that, where it is full, and where what lies in it is
    broken. What the last compiler raises is raised.

    Args:
        compilers: to try, in turn.
        loop: of `mining_loops`.
        example: arguments like those it is going to have.
    """
    loop = inspect.unwrap(loop)  # tests wrap functions with a checker of types
    for compiler in compilers[:-1]:
        with contextlib.suppress(Exception):
            fast = compiler(loop)
            fast(*example)
            return fast
    fast = compilers[-1](loop)
    fast(*example)
    return fast
