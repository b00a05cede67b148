"""The page on the gallery tells of every route, status and limit of the service; and the service's own page does."""

import re
from pathlib import Path

import pytest

from shoal.web.gallery.desk import PATIENCE, PHOTOS
from shoal.web.gallery.faults import STATUS
from tests.gallery.made_up import Place
from tests.gallery.service import asked

PAGE = (Path(__file__).parents[2] / "docs" / "gallery.md").read_text()


def test_the_docs_list_every_route_and_no_other(file: Place):
    with asked(file.where) as client:
        paths = set(client.get("/api/openapi.json").json()["paths"])
        shown = client.get("/api").text
    section = PAGE[PAGE.index("## Over HTTP") : PAGE.index("## What it does not do")]
    listed = set(re.findall(r"(/health|/api/v1/[\w/{}]+)`", section))
    assert listed == paths
    for path in paths:
        assert f"</b> {path}</code>" in shown


@pytest.mark.parametrize("code", STATUS)
def test_the_docs_tell_of_every_code(code: str):
    assert f"`{code}`" in PAGE
    assert str(STATUS[code]) in PAGE


def test_the_docs_tell_the_limits():
    assert f"{PHOTOS.files} photos in a request, of {PHOTOS.most_bytes / 1e6:g} MB and" in PAGE
    assert f"{PHOTOS.most_pixels / 1e6:g} million pixels" in PAGE
    assert f"after {PATIENCE:g} seconds" in PAGE


def test_the_services_page_needs_no_network(file: Place):
    with asked(file.where) as client:
        page = client.get("/api").text
    assert "https://" not in page
    assert re.findall(r"http://[^\s<]+", page) == ["http://127.0.0.1:8000/api/v1/identify"]
    assert page.count("<script") == 2  # the house's own
    assert "{&#39;" not in page  # nothing of Python
