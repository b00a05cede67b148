"""Colours of series can be told apart with any colour vision.

Dichromats are simulated by the matrices of Machado, Oliveira and Fernandes 2009 (severity 1.0, on linear RGB), and
differences are measured as CIEDE2000 (Sharma, Wu and Dalal 2005), where 2 is just seen by an attentive eye.
"""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from shoal.report.charts import DASHES, SERIES, SHAPES, Key
from shoal.report.lines import keys, plot
from tests.report.test_report_page import theme_colors

VISIONS = {
    "trichromat": np.eye(3),
    "protanope": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranope": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanope": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_series_can_be_told_apart(theme: str, vision: str):
    colors = theme_colors(theme)
    seen = [lab(VISIONS[vision] @ linear(colors[f"series-{i}"])) for i in range(1, SERIES + 1)]
    for i, j in itertools.combinations(range(SERIES), 2):
        alike = DASHES[i % 4] == DASHES[j % 4]  # then colour alone tells them apart
        least = 13 if alike or j < 4 else 9
        assert ciede2000(seen[i], seen[j]) >= least, (i + 1, j + 1)


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_steps_of_the_ramp_can_be_told_apart(theme: str, vision: str):
    colors = theme_colors(theme)
    seen = [lab(VISIONS[vision] @ linear(colors[f"ramp-{i}"])) for i in range(1, 10)]
    assert min(ciede2000(a, b) for a, b in itertools.pairwise(seen)) >= 3


def test_neighbouring_series_differ_in_dash_and_shape_too():
    for mark in ("line", "point"):
        rows = [{"x": x, "y": s, "series": f"s{s}", "mark": mark} for s in range(4) for x in range(2)]
        plotted = plot(rows, log_x=False, log_y=False)
        assert plotted is not None
        looks: list[Key] = list(keys(plotted))
        assert len({look.form if mark == "point" else look.dash for look in looks}) == len(DASHES) == len(SHAPES) == 4


def test_the_distance_is_that_of_the_published_examples():
    """Two rows of table 1 of Sharma, Wu and Dalal 2005."""
    assert ciede2000(np.array([50, 2.6772, -79.7751]), np.array([50, 0, -82.7485])) == pytest.approx(2.0425, abs=1e-4)
    assert ciede2000(np.array([50, 2.5, 0]), np.array([73, 25, -18])) == pytest.approx(27.1492, abs=1e-4)


def linear(color: str) -> NDArray[np.float64]:
    """Linear RGB of a color such as "#0b67a8"."""
    encoded = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB under D65."""
    t = TO_XYZ @ np.clip(rgb, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    x, y, z = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def ciede2000(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    """The difference of two CIELAB colors."""
    chroma = (np.hypot(one[1], one[2]) + np.hypot(two[1], two[2])) / 2
    stretch = 1.5 - 0.5 * np.sqrt(chroma**7 / (chroma**7 + 25**7))
    (l1, c1, h1), (l2, c2, h2) = (
        (color[0], np.hypot(stretch * color[1], color[2]), np.degrees(np.arctan2(color[2], stretch * color[1])) % 360)
        for color in (one, two)
    )
    turn = (h2 - h1 + 180) % 360 - 180
    hue, light, chroma = (h1 + turn / 2) % 360, (l1 + l2) / 2, (c1 + c2) / 2
    apart = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    weight = (
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.2 * np.cos(np.radians(4 * hue - 63))
    )
    by_light = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    by_chroma = (c2 - c1) / (1 + 0.045 * chroma)
    by_hue = apart / (1 + 0.015 * chroma * weight)
    turned = np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2)))
    mixed = -2 * np.sqrt(chroma**7 / (chroma**7 + 25**7)) * np.sin(turned)
    return float(np.sqrt(by_light**2 + by_chroma**2 + by_hue**2 + mixed * by_chroma * by_hue))
