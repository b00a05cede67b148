"""Pages that the tests of this folder look at, each rendered once."""

import pytest

from shoal.report import render
from tests.report.fabricate import fabricate, fabricate_small
from tests.report.outline import Element, outline


@pytest.fixture(scope="session")
def single_page() -> str:
    return render([fabricate()])


@pytest.fixture(scope="session")
def several_page() -> str:
    return render([fabricate(), fabricate_small()])


@pytest.fixture(scope="session")
def single(single_page: str) -> Element:
    return outline(single_page)


@pytest.fixture(scope="session")
def several(several_page: str) -> Element:
    return outline(several_page)
