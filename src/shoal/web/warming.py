"""Importing what is heavy after the port is open: a page comes at once, torch a few seconds later."""

import threading


class Warming:
    """Imports torch and what draws pictures, in a thread of its own, once."""

    def __init__(self) -> None:
        self._started = threading.Lock()
        self._done = threading.Event()
        self.problem: BaseException | None = None

    @property
    def done(self) -> bool:
        """Whether everything is there."""
        return self._done.is_set()

    def start(self) -> None:
        """Begin; a second call does nothing."""
        if self._started.acquire(blocking=False):
            threading.Thread(target=self._run, name="warming", daemon=True).start()

    def wait(self) -> None:
        """Return once everything is there.

        Raises:
            ImportError: what the import raised.
        """
        self.start()
        self._done.wait()
        if self.problem is not None:
            raise self.problem

    def _run(self) -> None:
        try:
            import altair  # noqa: F401
            import torch  # noqa: F401
            import vl_convert  # noqa: F401

            import shoal.attention
            import shoal.circuits  # noqa: F401
        except BaseException as error:
            self.problem = error
        finally:
            self._done.set()
