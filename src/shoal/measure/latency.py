"""How long a call takes: the median and quartiles of repeated calls, after warming up.

    print(latency(lambda: model(x), threads=1))      # 3.21 ms [3.15, 3.40], n = 20, 1 thread

A median, because a busy machine only ever adds time, now and then a lot of it. Run what you compare in turns,
and with the same number of threads.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from shoal.errors import wrong


@dataclass(frozen=True)
class Latency:
    """Seconds that a call takes.

    Attributes:
        median: of the timed calls, in seconds.
        low: their lower quartile.
        high: their upper quartile.
        n: calls timed.
        threads: of torch's CPU operators, while timing.
    """

    median: float
    low: float
    high: float
    n: int
    threads: int

    def __str__(self) -> str:
        median, low, high = (f"{1e3 * seconds:.3g}" for seconds in (self.median, self.low, self.high))
        return f"{median} ms [{low}, {high}], n = {self.n}, {self.threads} thread{'s' * (self.threads != 1)}"


def latency(fn: Callable[[], Any], *, warmup: int = 3, repeats: int = 20, threads: int | None = None) -> Latency:
    """Time calls of `fn`.

    Gradients are recorded as usual: wrap the body in `torch.no_grad()` to time inference. Where CUDA is in use,
    every call is timed until the device has finished.

    Args:
        fn: what to time; its result is dropped.
        warmup: calls before the timed ones, >= 0.
        repeats: timed calls, >= 1.
        threads: torch's CPU threads while timing; None leaves them as they are. Restored afterwards.

    Returns:
        Median and quartiles.

    Raises:
        InputError: if a count is out of range.

    Example:
        >>> latency(lambda: None, repeats=5, threads=1).n
        5
    """
    for name, value, least in (("warmup", warmup, 0), ("repeats", repeats, 1), ("threads", threads, 1)):
        if value is not None and value < least:
            raise wrong(name, expected=f"a whole number >= {least}", got=value)
    with _threads(threads):
        for _ in range(warmup):
            fn()
        seconds = [_time(fn) for _ in range(repeats)]
        used = torch.get_num_threads()
    low, median, high = statistics.quantiles(seconds, n=4, method="inclusive") if repeats > 1 else seconds * 3
    return Latency(median, low, high, repeats, used)


def _time(fn: Callable[[], Any]) -> float:
    _finish_device()
    start = time.perf_counter()
    fn()
    _finish_device()
    return time.perf_counter() - start


def _finish_device() -> None:
    if torch.cuda.is_initialized():  # never initialise it only to wait for it
        torch.cuda.synchronize()


@contextmanager
def _threads(threads: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
