"""The pictures of the attention study: errors against features, matrices, estimated errors, the kernel, costs."""

from collections.abc import Sequence
from typing import Any

import torch

from shoal.studies.attention_config import AttentionConfig
from shoal.studies.attention_findings import KIND_NAMES, MAP_NAMES, name_of
from shoal.studies.attention_measured import MapError, Measured, Times
from shoal.studies.attention_numbers import mean_of, medians
from shoal.studies.result import Picture

_FLOOR = "best of this rank"


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
    chosen = [m.of("aniso", name) for name in ("positive", "oprf", "sderf")]
    simple = [row for name in ("elu", "relu") for row in m.of("aniso", name)]
    return Picture(
        id="error_random",
        title="Random features on trained-like inputs",
        kind="lines",
        rows=(
            *_references(m, "aniso"),
            *(row for rows in chosen for row in _error_rows(rows)),
            *(row for found in simple for row in _error_rows([found], band=False)),
        ),
        x="features",
        y="relative error of the output",
        log_x=True,
        note=f"The geometric mean over heads, with its 95 % interval. {_trig(m, 'aniso')} The best of a rank is the "
        "nearest matrix to the attention matrix, by singular values. Other random maps are in the table.",
    )


def _fitted(config: AttentionConfig, m: Measured) -> Picture:
    windowed = [m.of("aniso", name, window=True) for name in ("landmark", "learned")]
    plain = [m.of("aniso", name) for name in ("landmark", "learned")]
    sderf = [row for row in m.of("aniso", "sderf") if row.features <= max(config.features)]
    return Picture(
        id="error_fitted",
        title="Maps that are fitted to data, on trained-like inputs",
        kind="lines",
        rows=(
            *_references(m, "aniso", most=max(config.features)),
            *(row for rows in (sderf, *plain, *windowed) for row in _error_rows(rows)),
        ),
        x="features",
        y="relative error of the output",
        log_x=True,
        note=f"Fitted to {config.calibration:,} other tokens of the same heads; learned maps took {config.steps:,} "
        f"steps here, 1,000 by default. With a window, keys at a distance below {config.window} have exact weights; "
        "tokens have no order here, so it helps by its share of the keys only.",
    )


def _isotropic(m: Measured) -> Picture:
    chosen = [m.of("iso", name) for name in ("positive", "sderf", "landmark", "taylor")]
    return Picture(
        id="error_isotropic",
        title="The same on isotropic inputs: where nothing of low rank can do it",
        kind="lines",
        rows=(*_references(m, "iso"), *(row for rows in chosen for row in _error_rows(rows))),
        x="features",
        y="relative error of the output",
        log_x=True,
        log_y=True,
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
    rows = [
        {"x": error, "y": value, "low": low, "high": high, "series": MAP_NAMES[row.map], "mark": "point"}
        for row in shown
        for error, (value, low, high) in list(zip(row.errors, row.estimates, strict=True))[:2]
    ]
    ends = [min(row["x"] for row in rows), max(row["x"] for row in rows)]
    return Picture(
        id="estimates",
        title="What the library thinks its error is, against what it is",
        kind="lines",
        rows=(*({"x": end, "y": end, "series": "truth"} for end in ends), *rows),
        x="true error",
        y="estimated error, with its 95 % interval",
        log_x=True,
        log_y=True,
        note="Each point is a map, a number of features and a head (two heads are shown). An estimate computes 128 "
        "rows exactly.",
    )


def _kernel(m: Measured) -> Picture:
    rows: list[dict[str, Any]] = []
    for found in m.kernel:
        name = MAP_NAMES[found.map] + (", orthogonal" if found.orthogonal else "")
        rows += [{"x": n, "y": y, "series": name} for n, y in zip(found.counts, found.rms.tolist(), strict=True)]
    first = m.kernel[0]
    start = float(first.rms[0])
    guide = [{"x": n, "y": start * (first.counts[0] / n) ** 0.5, "series": "1/√features"} for n in first.counts]
    return Picture(
        id="kernel",
        title="Error of the estimated kernel",
        kind="lines",
        rows=(*guide, *rows),
        x="features",
        y="RMS error over the kernel",
        log_x=True,
        log_y=True,
        note="Queries and keys of small norm, where random features are at their best. Attention is a ratio of sums of "
        "such estimates: its error is in the pictures above.",
    )


def _lengths(times: Times) -> Picture:
    return Picture(
        id="time",
        title="Time against length",
        kind="lines",
        rows=tuple(_time_rows(times, 1e3)),
        x="tokens",
        y="milliseconds",
        log_x=True,
        log_y=True,
        note="Causal attention, 2 heads, 64 features, one thread; the band is the middle half of the rounds.",
    )


def _memory(times: Times) -> Picture:
    names = {
        "formula written out": times.formula_bytes,
        "exact (torch)": times.exact_bytes,
        "linear": times.linear_bytes,
    }
    return Picture(
        id="memory",
        title="Peak memory against length",
        kind="lines",
        rows=tuple(
            {"x": n, "y": size / 1e6, "series": name}
            for name, sizes in names.items()
            for n, size in zip(times.places, sizes, strict=True)
            if size is not None
        ),
        x="tokens",
        y="MB",
        log_x=True,
        log_y=True,
        note="The most that tensors returned by torch's operators took at once, inputs not counted. torch's exact "
        "attention works in blocks and needs little memory; linear attention does too.",
    )


def _features(times: Times) -> Picture:
    exact = float(times.seconds("exact").median())
    level = [{"x": n, "y": 1e3 * exact, "series": "exact (torch)"} for n in (times.places[0], times.places[-1])]
    linear = [row for row in _time_rows(times, 1e3) if row["series"] == "linear"]
    return Picture(
        id="time_features",
        title=f"Time against features, at {times.length:,} tokens",
        kind="lines",
        rows=(*level, *linear),
        x="features",
        y="milliseconds",
        log_x=True,
        log_y=True,
        note="Causal attention, 2 heads, one thread. Where the lines cross, exact attention is the cheaper one.",
    )


def _decoding(times: Times) -> Picture:
    return Picture(
        id="decoding",
        title="Time of one more token",
        kind="lines",
        rows=tuple(_time_rows(times, 1e6)),
        x="tokens of context",
        y="microseconds",
        log_x=True,
        log_y=True,
        note="8 heads, 64 features, one thread. Exact attention reads all keys and values, linear attention a state of "
        "one size.",
    )


def _references(m: Measured, kind: str, most: int = 2**30) -> list[dict[str, Any]]:
    """The level of mean(V) and the floor of the rank, as far as maps are shown."""
    reference = m.references[kind]
    counts = [row.features for row in m.of(kind, "positive") if row.features <= most]
    level = [{"x": n, "y": mean_of(reference.mean_value), "series": "mean(V)"} for n in (min(counts), max(counts))]
    found = zip(reference.ranks, reference.floor, strict=True)
    floor = [{"x": n, "y": mean_of(errors), "series": _FLOOR} for n, errors in found if n <= most]
    return [*level, *floor]


def _error_rows(found: Sequence[MapError], *, band: bool = True) -> list[dict[str, Any]]:
    rows = []
    for row in found:
        interval = row.typical
        shown = {"x": row.used, "y": interval.value, "series": name_of(row)}
        rows.append(shown | ({"low": max(interval.low, 1e-3), "high": interval.high} if band else {}))
    return rows


def _time_rows(times: Times, unit: float) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, series in (("exact", "exact (torch)"), ("linear", "linear")):
        seconds = unit * times.seconds(name)
        if seconds.shape[1] != len(times.places):
            continue
        low, high = torch.quantile(seconds, torch.tensor([0.25, 0.75]).double(), dim=0).tolist()
        rows += [
            {"x": n, "y": y, "low": a, "high": b, "series": series}
            for n, y, a, b in zip(times.places, medians(seconds).tolist(), low, high, strict=True)
        ]
    return rows


def _trig(m: Measured, kind: str) -> str:
    errors = [row.typical.value for row in m.of(kind, "trig")]
    return (
        f"The plain recipe, trig, is off this chart for {KIND_NAMES[kind]} inputs: errors of {min(errors):.3g} to "
        f"{max(errors):.3g}."
    )
