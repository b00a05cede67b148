from hypothesis import given
from hypothesis import strategies as st

from shoal.report.placing import LETTER, LINE, place_labels

POINTS = st.lists(st.tuples(st.floats(0, 600), st.floats(0, 300)), min_size=1, max_size=5, unique=True)


def boxes(points: list[tuple[float, float]], text: str) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of the placed labels, worked out anew."""
    placed = place_labels([(x, y, text) for x, y in points], [], width=600, height=300)
    result = []
    for (x, y), place in zip(points, placed, strict=True):
        wide = LETTER * max(map(len, text.split("\n")))
        left = x + place.dx - {"left": 0, "center": wide / 2, "right": wide}[place.align]
        top = y + place.dy - LINE / 2
        result.append((left, top, left + wide, top + LINE * text.count("\n") + LINE))
    return result


@given(POINTS)
def test_labels_stay_within_the_plot(points: list[tuple[float, float]]):
    for left, top, right, bottom in boxes(points[:1], "a label"):
        assert left >= -5
        assert right <= 605
        assert top >= -7
        assert bottom <= 303


@given(st.floats(60, 500), st.floats(60, 200), st.floats(-3, 3), st.floats(-3, 3))
def test_labels_of_near_points_do_not_overlap(x: float, y: float, dx: float, dy: float):
    (left, top, right, bottom), other = boxes([(x, y), (x + dx, y + dy)], "label")
    apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
    assert apart


def test_a_label_keeps_off_a_line():
    line = [(x, 150.0) for x in range(0, 600, 5)]
    (place,) = place_labels([(300, 150, "a label")], line, width=600, height=300)
    assert abs(place.dy) > LINE / 2


def test_a_block_of_lines_keeps_clear_of_its_point():
    ((_, top, _, bottom),) = boxes([(300, 290)], "two\nlines")
    assert bottom <= 303
    assert not (top < 290 < bottom) or boxes([(300, 290)], "two\nlines")[0][0] > 300
