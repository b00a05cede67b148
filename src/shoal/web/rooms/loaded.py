"""What rooms read of a run: once, until there is a newer run or the same one has ended anew.

network = Loaded(load_kept_faces)
network.of(house.runs.newest("faces"))        # reads it; the next call finds it there
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from shoal.web.runs import Run

T = TypeVar("T")


class Loaded(Generic[T]):
    """One run's network and images in memory; those of another take their place.

    Args:
        load: reads what is needed out of a run folder.
    """

    def __init__(self, load: Callable[[Path], T]):
        self._load = load
        self._lock = threading.Lock()
        self._known: tuple[tuple[Path, float], T] | None = None

    def of(self, run: Run) -> T:
        """What a run holds; whoever asks meanwhile waits.

        Raises:
            ShoalError: if the run does not hold what the room needs.
        """
        with self._lock:
            if not self.has(run):
                self._known = (run.folder, run.ended), self._load(run.folder)
            assert self._known is not None
            return self._known[1]

    def has(self, run: Run) -> bool:
        """Whether it is there already."""
        known = self._known
        return known is not None and known[0] == (run.folder, run.ended)
