import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from shoal.errors import InputError
from shoal.report import Drawing, draw
from shoal.report.charts import log_ticks
from shoal.studies.result import Picture, PictureKind
from tests.report.fabricate import LONG, fabricate, tiny_png

HOSTILE = "</text><script>alert(1)</script>"


def picture(kind: PictureKind, rows: list[dict], *, log_x: bool = False, log_y: bool = False) -> Picture:
    return Picture(id="p", title="P", kind=kind, rows=tuple(rows), x="across", y="up", log_x=log_x, log_y=log_y)


def svgs(drawing: Drawing) -> tuple[str, str]:
    assert drawing.wide is not None
    assert drawing.narrow is not None
    return drawing.wide.svg, drawing.narrow.svg


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter("text")]


@pytest.fixture(scope="module")
def drawn() -> dict[str, Drawing]:
    return {picture.id: draw(picture, picture.id) for picture in fabricate().pictures}


def test_charts_come_at_two_widths(drawn: dict[str, Drawing]):
    for name, drawing in drawn.items():
        if name not in ("first_and_last", "summaries"):
            wide, narrow = (float(ElementTree.fromstring(svg).attrib["width"]) for svg in svgs(drawing))
            assert (wide, narrow) == pytest.approx((680, 330), abs=4)


def test_colours_are_the_theme_s(drawn: dict[str, Drawing]):
    """Fixed colours would vanish in one of the two themes."""
    for name, drawing in drawn.items():
        if name not in ("first_and_last", "summaries"):
            for svg in svgs(drawing):
                paints = set(re.findall(r'(?:fill|stroke)="([^"]*)"', svg))
                assert all(paint.startswith("var(--") or paint in {"none", "transparent"} for paint in paints), paints


def test_drawing_twice_gives_the_same(drawn: dict[str, Drawing]):
    for picture in fabricate().pictures:
        assert draw(picture, picture.id) == drawn[picture.id]


def test_a_series_keeps_its_colour_from_legend_to_line(drawn: dict[str, Drawing]):
    drawing = drawn["times"]
    assert [key.name for key in drawing.legend] == ["batch 1", "batch 32", "batch 128"]
    strokes = [
        e.attrib["stroke"] for e in ElementTree.fromstring(svgs(drawing)[0]).iter("path") if "stroke" in e.attrib
    ]
    assert strokes == [key.color for key in drawing.legend]


def test_labels_of_points_are_written_at_both_widths(drawn: dict[str, Drawing]):
    for svg in svgs(drawn["frontier"]):
        written = " ".join(texts(svg)).replace("calibrated:93", "calibrated: 93")
        assert "width 16" in written
        assert "ResNet-18" in written


def test_stacks_have_a_part_for_every_row_and_in_order(drawn: dict[str, Drawing]):
    drawing = drawn["exits_taken"]
    fills = [e.attrib.get("fill") for e in ElementTree.fromstring(svgs(drawing)[0]).iter("path")]
    colors = [key.color for key in drawing.legend]
    assert len(set(colors)) == 7
    assert sorted(colors) == colors  # from shallow to deep
    assert sum(fill in colors for fill in fills) == 70


def test_long_names_are_broken_or_cut_but_kept_apart(drawn: dict[str, Drawing]):
    wide, narrow = svgs(drawn["exits_taken"])
    assert any(text.startswith("articulated lorry") for text in texts(wide))
    assert any("articulated" in text and "…" in text for text in texts(narrow))
    twins = [{"x": f"{LONG} {i}", "y": i} for i in range(2)]
    for svg in svgs(draw(picture("bars", twins))):
        assert len({text for text in texts(svg) if text.startswith("articulated")}) == 2


def test_titles_of_axes_turn_with_the_bars(drawn: dict[str, Drawing]):
    wide, narrow = drawn["shares"].wide, drawn["shares"].narrow
    assert wide is not None
    assert narrow is not None
    assert (
        (wide.below, wide.above) == (narrow.above, narrow.below) == ("exit taken", "right, % of those that leave there")
    )


def test_heatmaps_print_their_values(drawn: dict[str, Drawing]):
    wide, narrow = svgs(drawn["confusions"])
    assert texts(wide).count("0.937") == 2
    assert texts(narrow).count("0.94") == 2  # as many digits as fit
    assert drawn["confusions"].ends == ("0", "0.937")


def test_heatmaps_print_no_values_that_say_less_than_the_colours():
    """Where only one digit fits, all of these would be 0.0, 0.1 or 0.2."""
    rows = [{"x": str(x), "y": f"distribution {y}", "value": (x * y % 19) / 95} for x in range(32) for y in range(9)]
    for drawing in svgs(draw(picture("heatmap", rows))):
        assert not {text for text in texts(drawing) if text.startswith("0.")}
    two = [{**row, "value": float(row["value"] > 0.1)} for row in rows]  # two values need no more than a digit
    assert {"0.0", "1.0"} & set(texts(svgs(draw(picture("heatmap", two)))[0]))


def test_large_heatmaps_are_textures_without_text():
    rows = [{"x": x, "y": y, "value": x * y} for x in range(40) for y in range(40)]
    wide, _ = svgs(draw(picture("heatmap", rows)))
    shapes = [
        e for e in ElementTree.fromstring(wide).iter("path") if e.attrib.get("fill", "").startswith("var(--ramp-")
    ]
    assert len({shape.attrib["fill"] for shape in shapes}) == len(shapes) == 9  # one for all cells of a colour
    assert sum(shape.attrib["d"].count("M") for shape in shapes) == 1600
    assert len(texts(wide)) <= 40  # some names only, no values
    assert len(wide) < 60_000


def test_values_are_shown_where_a_pointer_rests():
    rows = [
        {"x": x, "y": x / 3, "series": name, "low": x / 3 - 1, "high": x / 3 + 1} for x in range(5) for name in "ab"
    ]
    wide, narrow = svgs(draw(picture("lines", rows)))
    assert titles(wide).count("b: 0.667 (−0.333 to 1.67) at 2") == 1
    assert len(titles(wide)) == len(rows)
    assert titles(narrow) == []  # a phone has no pointer
    wide, _ = svgs(draw(picture("bars", [{"x": "first", "y": 3}, {"x": "last", "y": 12.34}])))
    assert titles(wide) == ["3 at first", "12.3 at last"]
    wide, _ = svgs(draw(picture("heatmap", [{"x": "cat", "y": "dog", "value": 0.125}])))
    assert titles(wide) == ["dog, cat: 0.125"]


def test_a_long_line_has_as_many_places_for_a_pointer_as_one_can_hit():
    wide, _ = svgs(draw(picture("lines", [{"x": x, "y": x % 7} for x in range(400)])))
    assert 20 <= len(titles(wide)) <= 40


def titles(svg: str) -> list[str]:
    """What browsers show of marks when a pointer rests on them."""
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("title")]


@pytest.mark.parametrize("kind", ["lines", "bars", "heatmap"])
def test_what_is_no_number_is_left_out_and_counted(kind: PictureKind):
    rows = [{"x": i, "y": y, "value": y} for i, y in enumerate([1.0, float("nan"), None, float("inf"), "2", 3.0])]
    drawing = draw(picture(kind, rows))
    if kind == "heatmap":
        assert drawing.left_out == 4
    assert drawing.left_out == 4
    assert all(len(svg) > 500 for svg in svgs(drawing))
    assert "NaN" not in "".join(svgs(drawing))


@pytest.mark.parametrize("kind", ["lines", "bars", "heatmap"])
def test_nothing_to_draw_is_said(kind: PictureKind):
    drawing = draw(picture(kind, [{"x": 1, "y": None, "value": None}]))
    assert drawing.wide is None
    assert "Nothing to draw" in drawing.description


@pytest.mark.parametrize(
    "rows",
    [
        [{"x": 0, "y": 0}],
        [{"x": 0, "y": 0}, {"x": 1, "y": 0}],
        [{"x": -5, "y": -1e-7}, {"x": 5, "y": -3e-7}],
        [{"x": "a", "y": 1, "label": "here"}, {"x": "b", "y": 2}],
        [{"x": 1, "y": 1e-9, "low": 0, "high": 1}, {"x": 10, "y": 1e12}, {"x": 0, "y": -1}],
        [{"x": 1, "y": 2, "low": float("nan"), "high": 3, "more": object()}],
        [{"x": i, "y": i * s % 7, "series": s} for s in range(20) for i in range(30)],
    ],
)
@pytest.mark.parametrize("kind", ["lines", "bars"])
@pytest.mark.parametrize("log", [False, True])
def test_odd_rows_are_drawn_without_a_hole(rows: list[dict], kind: PictureKind, log: bool):
    drawing = draw(picture(kind, rows, log_x=log, log_y=log))
    for plate in (drawing.wide, drawing.narrow):
        if plate is None:
            assert log  # zeros alone have no place on a logarithmic axis
        else:
            assert not re.search("NaN|Infinity|undefined|null", plate.svg)


def test_a_long_series_is_thinned_but_keeps_its_peaks_and_labels():
    rows = [{"x": i, "y": 0.0} for i in range(20_000)]
    rows[777] |= {"y": 5.0}
    rows[778] |= {"label": "after the peak"}
    wide, _ = svgs(draw(picture("lines", rows)))
    assert len(wide) < 20_000
    assert any("after the peak" in text for text in texts(wide))
    points = [float(y) for y in re.findall(r"L[\d.]+,([\d.]+)", wide)]
    assert max(points) - min(points) > 200  # the peak's height in pixels


def test_text_of_rows_is_escaped():
    rows = [{"x": 1, "y": 2, "series": HOSTILE, "label": HOSTILE}, {"x": 2, "y": 2, "series": "b"}]
    bars = [{"x": HOSTILE, "y": 2}, {"x": "b", "y": 1}]
    cells = [{"x": HOSTILE, "y": HOSTILE, "value": 1}]
    for hostile in (picture("lines", rows), picture("bars", bars), picture("heatmap", cells)):
        for svg in svgs(draw(hostile)):
            assert "<script" not in svg
            assert not list(ElementTree.fromstring(svg).iter("script"))


def test_a_gallery_keeps_groups_and_order():
    rows = [{"image": tiny_png(i, 5), "caption": str(i), "group": "ab"[i % 2]} for i in range(4)]
    groups = draw(picture("gallery", rows)).groups
    assert [(group.name, [image.caption for image in group.images]) for group in groups] == [
        ("a", ["0", "2"]),
        ("b", ["1", "3"]),
    ]
    assert all(
        (image.width, image.height, image.pixelated) == (32, 32, True) for group in groups for image in group.images
    )


def test_images_are_carried_small_and_close_to_what_they_were():
    """Noise would be smoothed away: an image that is noisy keeps every pixel."""
    for noise, most in ((2, 5.0), (70, 0.0)):
        png = tiny_png(1, noise)
        (group,) = draw(picture("gallery", [{"image": png}])).groups
        kind, _, text = group.images[0].source.partition(";base64,")
        before, after = (
            np.asarray(Image.open(io.BytesIO(base64.b64decode(each))).convert("RGB")) for each in (png, text)
        )
        assert np.sqrt(((before.astype(float) - after) ** 2).mean()) <= most
        assert kind == "data:image/webp"
        assert len(text) < len(png)


def pixels(image: str) -> np.ndarray:
    """An image in base64 as numbers."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(image))).convert("RGB"), dtype=float)


def test_a_gallery_is_shown_one_choice_at_a_time():
    rows = [
        {"image": tiny_png(0, 5), "group": group, "choice": choice} for choice in ("b", "a") for group in ("x", "y")
    ]
    choices = draw(picture("gallery", rows)).choices
    assert [(choice, [group.name for group in groups]) for choice, groups in choices] == [
        ("b", ["x", "y"]),
        ("a", ["x", "y"]),
    ]


@pytest.mark.parametrize("image", ["", None, "no base64!", "aGVsbG8=", 'iVBORw0KGgo="><script>'])
def test_a_gallery_refuses_what_is_not_a_png(image: str | None):
    with pytest.raises(InputError, match=r"picture p, row 0: expected an image as a PNG in base64"):
        draw(picture("gallery", [{"image": image}]))


def test_passages_keep_what_is_said_and_by_whom():
    rows = [{"text": "a long text", "said": [["by people", "short"], ["greedy", "a"]]}, {"text": "b"}]
    passages = draw(picture("passages", rows)).passages
    assert [(p.text, p.said) for p in passages] == [
        ("a long text", (("by people", "short"), ("greedy", "a"))),
        ("b", ()),
    ]
    with pytest.raises(InputError, match="picture p, row 1: expected a text, got ' '"):
        draw(picture("passages", [{"text": "a"}, {"text": " "}]))


@pytest.mark.parametrize(("low", "high"), [(1, 1e6), (0.9, 11), (3, 5), (1e-9, 1e12), (231, 557)])
def test_logarithmic_axes_have_a_few_ticks_within(low: float, high: float):
    ticks = log_ticks(low, high, 7)
    assert all(low <= tick <= high for tick in ticks)
    assert 2 <= len(ticks) <= 7
