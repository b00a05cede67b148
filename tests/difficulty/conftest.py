"""One thread, as for attention: the tests' tensors are so small that threads only wait for each other."""

from tests.attention.conftest import _one_thread  # noqa: F401 - a fixture that runs by itself
