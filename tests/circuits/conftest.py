"""One thread, as for attention: heads are so small that threads only wait for each other."""

from tests.attention.conftest import _one_thread  # noqa: F401 - a fixture that runs by itself
