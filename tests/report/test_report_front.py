"""The first page: a card for each study, with what a reader sees at a glance."""

import dataclasses
from typing import Any

import pytest

from shoal.errors import InputError
from shoal.report import render
from shoal.report.front import first_sentence
from shoal.report.small import HEIGHT, WIDTH, small_picture
from shoal.studies.failure import Failure
from shoal.studies.result import Picture, PictureKind
from shoal.studies.story import Headline
from tests.report.fabricate import fabricate, fabricate_small, tiny_png
from tests.report.outline import Element, outline


@pytest.fixture(scope="module")
def cards(several: Element) -> list[Element]:
    return several.all("li", class_="card")


def test_a_card_says_what_was_found_in_a_sentence_a_number_and_a_picture(cards: list[Element]):
    headline = fabricate().headline
    assert headline is not None
    assert cards[0].all(class_="sentence")[0].text == headline.sentence
    assert cards[0].all(class_="value")[0].text == f"{headline.value} {headline.what}"
    (picture,) = cards[0].all("figure")
    assert picture.attributes["aria-label"].startswith("Accuracy against arithmetic. Line chart of test accuracy")
    assert picture.all("svg")[0].all("path")


def test_a_card_counts_the_verdicts_and_leads_to_the_study(several: Element, cards: list[Element]):
    assert [verdict.text for verdict in cards[0].all(class_="verdict")] == [
        "3 supported",
        "1 contradicted",
        "2 inconclusive",
    ]
    assert [verdict.text for verdict in cards[1].all(class_="verdict")] == ["1 contradicted"]
    assert [verdict.text for verdict in several.all("p", class_="sum")[0].all(class_="verdict")] == [
        "3 supported",
        "2 contradicted",
        "2 inconclusive",
    ]
    links = [card.all("a")[0].attributes["href"] for card in cards]
    assert links == [f"#{study.attributes['id']}" for study in several.all("article", class_="study")]


def test_a_result_without_a_headline_shows_its_first_sentence_and_no_number(cards: list[Element]):
    assert cards[1].all(class_="sentence")[0].text == fabricate_small().summary[0]
    assert not cards[1].all(class_="value")
    assert not cards[1].all("figure")


def test_a_failed_study_is_shown_with_its_error(several: Element):
    failed = Failure(study="faces", error="no memory", command="shoal study faces")
    card = outline(render([fabricate_small(), fabricate_small()], [failed])).all("li", class_="card")[-1]
    assert [card.all(class_=name)[0].text for name in ("value", "sentence")] == ["failed", "no memory"]
    assert card.all("a")[0].attributes["href"] == "#faces"


def test_a_page_of_one_study_starts_with_its_number(single: Element):
    assert not single.all(class_="card")
    assert single.all("p", class_="headline")[0].text == "41.5 % of the plain network's arithmetic"


def test_a_headline_with_a_picture_that_is_not_there_is_refused():
    headline = Headline(sentence="A.", value="1", what="one", picture="fronteer")
    result = dataclasses.replace(fabricate_small(), headline=headline, pictures=fabricate().pictures[-1:])
    with pytest.raises(InputError, match="unknown picture of the headline of attention 'fronteer'"):
        render([result, fabricate_small()])


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("It is 0.5 points. Then more.", "It is 0.5 points."),
        ("At 95 % e.g. this one! Next", "At 95 % e.g. this one!"),
        ("No end", "No end"),
        ("", ""),
    ],
)
def test_the_first_sentence_ends_where_the_next_begins(text: str, first: str):
    assert first_sentence(text) == first


def picture(kind: PictureKind, rows: list[dict[str, Any]], log: bool = False) -> Picture:
    return Picture(id="p", title="P", kind=kind, rows=tuple(rows), log_x=log, log_y=log)


def test_small_lines_stay_inside_and_keep_colours_and_dashes():
    rows = [{"x": 10.0**i, "y": 2.0**i, "series": name} for name in "abc" for i in (3, 1, 2)]
    small = small_picture(picture("lines", rows, log=True))
    assert small is not None
    paths = outline(small.svg).all("path")[1:]
    assert [path.attributes["stroke"] for path in paths] == [f"var(--series-{i})" for i in (1, 2, 3)]
    assert len({path.attributes.get("stroke-dasharray") for path in paths}) == 3
    points = [tuple(map(float, point.split())) for point in paths[0].attributes["d"][1:].split("L")]
    assert points == sorted(points)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)


def test_small_bars_are_as_high_as_their_values():
    small = small_picture(picture("bars", [{"x": "a", "y": 2.0}, {"x": "b", "y": 4.0}, {"x": "c", "y": 0.0}]))
    assert small is not None
    heights = [float(path.attributes["d"].split("v")[1].split("h")[0]) for path in outline(small.svg).all("path")]
    assert heights[1] == pytest.approx(2 * heights[0], rel=0.02)
    assert heights[2] == 0


def test_small_heatmaps_have_a_path_for_each_colour():
    rows = [{"x": x, "y": y, "value": x * y} for x in range(12) for y in range(6)]
    small = small_picture(picture("heatmap", rows))
    assert small is not None
    assert sum(path.attributes["d"].count("M") for path in outline(small.svg).all("path")) == 72
    assert len(outline(small.svg).all("path")) <= 9


def test_small_galleries_show_an_image_of_each_group_first():
    rows = [{"image": tiny_png(i, 5), "group": group} for group in "ab" for i in range(3)]
    small = small_picture(picture("gallery", rows))
    assert small is not None
    assert [image.source for image in small.images] == [
        image.source for image in (group_images(rows, "a")[0], group_images(rows, "b")[0], group_images(rows, "a")[1])
    ]


def test_what_cannot_be_seen_small_is_left_out():
    assert small_picture(picture("passages", [{"text": "a"}])) is None
    assert small_picture(picture("lines", [{"x": 1, "y": None}])) is None
    assert small_picture(picture("gallery", [])) is None


def group_images(rows: list[dict[str, Any]], group: str) -> list[Any]:
    small = small_picture(picture("gallery", [row for row in rows if row["group"] == group]))
    assert small is not None
    return list(small.images)
