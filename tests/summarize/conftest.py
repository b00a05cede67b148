"""A summarizer that several files of tests look at."""

import pytest

from shoal.summarize import Summarizer, fit
from tests.summarize.toy import TINY, pairs


@pytest.fixture(scope="session")
def trained() -> Summarizer:
    """Trained on made-up texts; nobody may change it."""
    return fit(pairs(400), pairs(40, 400), TINY)
