"""Stopping on request: Ctrl-C and SIGTERM finish the current step, save, and leave with exit code 130."""

import signal
import threading
from types import FrameType

from shoal.errors import ShoalError


class Interrupted(ShoalError):  # noqa: N818 - a request, not an error
    """The run was asked to stop, and stopped after saving."""

    exit_code = 130


class StopRequests:
    """While open, the first SIGINT or SIGTERM only sets `asked`; a second one interrupts at once.

    Signals can be caught in the main thread only; in another thread this does nothing.
    """

    def __init__(self) -> None:
        self.asked = ""
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> "StopRequests":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number).name
