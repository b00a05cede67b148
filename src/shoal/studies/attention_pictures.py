"""The pictures of the attention study: errors against features, matrices, estimated errors, the kernel, costs."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from shoal.attention.error import ROWS
from shoal.studies.attention_config import AttentionConfig
from shoal.studies.attention_costs import DECODING_HEADS, FEATURES, HEADS
from shoal.studies.attention_measured import MapError, Measured, Times
from shoal.studies.attention_names import FLOOR, KIND_NAMES, MAP_NAMES, MEAN_VALUE, name_of
from shoal.studies.attention_numbers import mean_of, medians
from shoal.studies.result import Picture

SERIES = {"exact": "exact (torch)", "linear": "linear"}
_ERROR = "relative error of the output"

Rows = list[dict[str, Any]]


def pictures(config: AttentionConfig, m: Measured) -> tuple[Picture, ...]:
    """Errors, the kernel, costs, attention matrices and estimated errors."""
    return (
        _random(m),
        _fitted(config, m),
        _isotropic(m),
        _matrices(m),
        _estimates(m),
        _kernel(m),
        _lengths(m.by_length),
        _memory(m.by_length),
        _features(m.by_features),
        _decoding(m.decoding),
    )


def _random(m: Measured) -> Picture:
    simple = [row for name in ("elu", "relu") for row in m.of("aniso", name)]
    return _chart(
        "error_random",
        "Random features on trained-like inputs",
        [
            *_references(m, "aniso"),
            *(row for name in ("positive", "oprf", "sderf") for row in _errors(m.of("aniso", name))),
            *_errors(simple, band=False),
        ],
        x="features",
        y=_ERROR,
        log_y=False,
        note=f"The geometric mean over heads, with its 95 % interval. {_trig(m, 'aniso')} The best of a rank is the "
        "nearest matrix to the attention matrix, by singular values. Other random maps are in the table.",
    )


def _fitted(config: AttentionConfig, m: Measured) -> Picture:
    most = max(config.features)
    sderf = [row for row in m.of("aniso", "sderf") if row.features <= most]
    fitted = [m.of("aniso", name, window=window) for window in (False, True) for name in ("landmark", "learned")]
    return _chart(
        "error_fitted",
        "Maps that are fitted to data, on trained-like inputs",
        [*_references(m, "aniso", most=most), *(row for found in (sderf, *fitted) for row in _errors(found))],
        x="features",
        y=_ERROR,
        log_y=False,
        note=f"Fitted to {config.calibration:,} other tokens of the same heads; learned maps took {config.steps:,} "
        f"steps here, 1,000 by default. With a window, keys at a distance below {config.window} have exact weights; "
        "tokens have no order here, so it helps by its share of the keys only.",
    )


def _isotropic(m: Measured) -> Picture:
    chosen = [m.of("iso", name) for name in ("positive", "sderf", "landmark", "taylor")]
    return _chart(
        "error_isotropic",
        "The same on isotropic inputs: where nothing of low rank can do it",
        [*_references(m, "iso"), *(row for found in chosen for row in _errors(found))],
        x="features",
        y=_ERROR,
        note=f"LayerNormed noise: every direction counts alike, and even the best matrix of a rank is far off. "
        f"{_trig(m, 'iso')}",
    )


def _matrices(m: Measured) -> Picture:
    return Picture(
        id="matrices",
        title="Attention, exact and approximated",
        kind="gallery",
        rows=tuple({**image, "group": "trained-like inputs, map and number of features"} for image in m.images),
        note="Rows are queries, columns keys, both sorted along the strongest direction of the logits; dark is much "
        "attention, one scale for all. Negative weights are white.",
    )


def _estimates(m: Measured) -> Picture:
    shown = [row for row in m.errors if row.estimates and row.map in ("positive", "sderf", "landmark", "learned")]
    points = [
        {"x": error, "y": value, "low": low, "high": high, "series": MAP_NAMES[row.map], "mark": "point"}
        for row in shown
        for error, (value, low, high) in list(zip(row.errors, row.estimates, strict=True))[:2]
    ]
    ends = [pick(point["x"] for point in points) for pick in (min, max)]
    return _chart(
        "estimates",
        "What the library thinks its error is, against what it is",
        [*_line("truth", ends, ends), *points],
        x="true error",
        y="estimated error, with its 95 % interval",
        note="Each point is a map, a number of features and a head (two heads are shown). An estimate computes "
        f"{ROWS} rows exactly.",
    )


def _kernel(m: Measured) -> Picture:
    first = m.kernel[0]
    start = float(first.rms[0])
    rows = _line("1/√features", first.counts, [start * (first.counts[0] / n) ** 0.5 for n in first.counts])
    for found in m.kernel:
        name = MAP_NAMES[found.map] + (", orthogonal" if found.orthogonal else "")
        rows += _line(name, found.counts, found.rms.tolist())
    return _chart(
        "kernel",
        "Error of the estimated kernel",
        rows,
        x="features",
        y="RMS error over the kernel",
        note="Queries and keys of small norm, where random features are at their best. Attention is a ratio of sums of "
        "such estimates: its error is in the pictures above.",
    )


def _lengths(times: Times) -> Picture:
    return _chart(
        "time",
        "Time against length",
        [*_timed(times, "exact", 1e3), *_timed(times, "linear", 1e3)],
        x="tokens",
        y="milliseconds",
        note=f"Causal attention, {HEADS} heads, {FEATURES} features, one thread; the band is the middle half of the "
        "rounds.",
    )


def _memory(times: Times) -> Picture:
    peaks = {
        "formula written out": times.formula_bytes,
        SERIES["exact"]: times.exact_bytes,
        SERIES["linear"]: times.linear_bytes,
    }
    return _chart(
        "memory",
        "Peak memory against length",
        [
            {"x": n, "y": size / 1e6, "series": name}
            for name, sizes in peaks.items()
            for n, size in zip(times.places, sizes, strict=True)
            if size is not None
        ],
        x="tokens",
        y="MB",
        note="The most that tensors returned by torch's operators took at once, inputs not counted. torch's exact "
        "attention works in blocks and needs little memory; linear attention does too.",
    )


def _features(times: Times) -> Picture:
    exact = 1e3 * float(times.seconds("exact").median())
    return _chart(
        "time_features",
        f"Time against features, at {times.length:,} tokens",
        [*_level(SERIES["exact"], times.places, exact), *_timed(times, "linear", 1e3)],
        x="features",
        y="milliseconds",
        note=f"Causal attention, {HEADS} heads, one thread. Where the lines cross, exact attention is the cheaper one.",
    )


def _decoding(times: Times) -> Picture:
    return _chart(
        "decoding",
        "Time of one more token",
        [*_timed(times, "exact", 1e6), *_timed(times, "linear", 1e6)],
        x="tokens of context",
        y="microseconds",
        note=f"{DECODING_HEADS} heads, {FEATURES} features, one thread. Exact attention reads all keys and values, "
        "linear attention a state of one size.",
    )


def _chart(id: str, title: str, rows: Rows, *, x: str, y: str, note: str, log_y: bool = True) -> Picture:
    """Lines over what doubles from point to point: features, tokens."""
    return Picture(id=id, title=title, kind="lines", rows=tuple(rows), x=x, y=y, log_x=True, log_y=log_y, note=note)


def _line(series: str, xs: Iterable[float], ys: Iterable[float]) -> Rows:
    return [{"x": x, "y": y, "series": series} for x, y in zip(xs, ys, strict=True)]


def _level(series: str, xs: Sequence[float], y: float) -> Rows:
    """A horizontal line."""
    return _line(series, (min(xs), max(xs)), (y, y))


def _references(m: Measured, kind: str, most: int = 2**30) -> Rows:
    """The level of mean(V) and the floor of the rank, as far as maps are shown."""
    reference = m.references[kind]
    counts = [row.features for row in m.of(kind, "positive") if row.features <= most]
    floor = {n: mean_of(errors) for n, errors in zip(reference.ranks, reference.floor, strict=True) if n <= most}
    return [*_level(MEAN_VALUE, counts, mean_of(reference.mean_value)), *_line(FLOOR, floor.keys(), floor.values())]


def _errors(found: Sequence[MapError], *, band: bool = True) -> Rows:
    rows = []
    for row in found:
        interval = row.typical
        shown = {"x": row.used, "y": interval.value, "series": name_of(row)}
        rows.append(shown | ({"low": max(interval.low, 1e-3), "high": interval.high} if band else {}))
    return rows


def _timed(times: Times, name: str, unit: float) -> Rows:
    """Medians of "exact" or "linear", and the middle half of the rounds as a band."""
    seconds = unit * times.seconds(name)
    low, high = torch.quantile(seconds, torch.tensor([0.25, 0.75]).double(), dim=0).tolist()
    return [
        {"x": n, "y": y, "low": a, "high": b, "series": SERIES[name]}
        for n, y, a, b in zip(times.places, medians(seconds).tolist(), low, high, strict=True)
    ]


def _trig(m: Measured, kind: str) -> str:
    errors = [row.typical.value for row in m.of(kind, "trig")]
    return (
        f"The plain recipe, trig, is off this chart for {KIND_NAMES[kind]} inputs: errors of {min(errors):.3g} to "
        f"{max(errors):.3g}."
    )
