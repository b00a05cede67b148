"""What the attention study found, in sentences and tables."""

from shoal.attention import list_feature_maps
from shoal.measure import mean_interval
from shoal.studies.attention_choices import CANDIDATES
from shoal.studies.attention_config import AttentionConfig
from shoal.studies.attention_costs import DECODING_HEADS, FEATURES, HEADS
from shoal.studies.attention_measured import Choice, MapError, Measured, Times, Tried
from shoal.studies.attention_names import FLOOR, KIND_NAMES, MAP_NAMES, MEAN_VALUE, name_of
from shoal.studies.attention_numbers import growth, mean_of, memory_exponent, rms_exponent, typical_seconds
from shoal.studies.result import Table
from shoal.studies.wording import percent, powers


def summary(config: AttentionConfig, m: Measured) -> tuple[str, ...]:
    """The findings in sentences."""
    mean = mean_of(m.references["aniso"].mean_value)
    best = min((row for row in m.errors if row.kind == "aniso"), key=lambda row: row.typical.value)
    favor = m.of("aniso", "positive")[-1]
    fewer = [row for row in m.errors if row.kind == "iso" and row.used < config.length]
    iso = min(fewer, key=lambda row: row.typical.value)
    exact, linear = typical_seconds(m.by_length)
    grows = {name: growth(m.by_length, m.by_length.seconds(name)) for name in ("exact", "linear")}
    targets = " or ".join(f"{target:g}" for target in sorted({choice.target for choice in m.choices}))
    needed = [choice for choice in m.choices if not choice.map]
    return (
        f"On inputs like those of trained networks, returning the mean of the values has the error {mean:.2f}. "
        f"{favor.features:,} random features (FAVOR+) have {favor.typical.value:.2f}; the best map measured, "
        f"{name_of(best)} with {best.used:,} features, has {best.typical.value:.2f}.",
        f"On isotropic inputs, the best map with fewer features than tokens, {name_of(iso)} with {iso.used:,}, has "
        f"{iso.typical.value:.2f}, and mean(V) {mean_of(m.references['iso'].mean_value):.2f}. Asked for errors of "
        f"{targets}, the library answered that exact attention is needed in {len(needed)} of {len(m.choices)} cases.",
        f"At {m.by_length.places[-1]:,} tokens, causal linear attention is {float(exact[-1] / linear[-1]):.1f} times "
        f"as fast as torch's exact attention on one thread; its time grows with the exponent {grows['linear']:.2f}, "
        f"exact attention's with {grows['exact']:.2f}.",
    )


def tables(config: AttentionConfig, m: Measured) -> tuple[Table, ...]:
    """What is exact or right on average, errors on both kinds of inputs, what the library chose, and the costs."""
    return (
        _mathematics(m),
        *(_errors(config, m, kind) for kind in m.references),
        _choices(m.choices),
        _lengths(m.by_length),
        _decoding(m.decoding),
    )


def _mathematics(m: Measured) -> Table:
    """What needs no picture: two identities, and each map's bias and exponent."""
    identity, recurrence = powers(m.deviation), powers(m.recurrence)
    rows: list[tuple[str, str, str]] = [
        (f"Gaussian identity, {m.pairs:,} pairs: largest difference, of the value", identity, "0"),
        ("causal recurrence and masked matrix: largest difference, of the largest output", recurrence, "0"),
    ]
    for row in m.independent:
        name, bias, exponent = MAP_NAMES[row.map], mean_interval(row.mean_error), rms_exponent(row)
        ends = f"[{percent(bias.low)}, {percent(bias.high)}]"
        rows.append((f"{name}: mean error of the kernel", f"{percent(bias.value)} {ends}", "0 %"))
        told = f"{exponent.value:.3f} [{exponent.low:.3f}, {exponent.high:.3f}]"
        rows.append((f"{name}: exponent of the kernel's RMS error in the number of features", told, "−0.5"))
    return Table(
        id="mathematics",
        title="What the mathematics says, and what was measured",
        columns=("what", "measured", "as it should be"),
        rows=tuple((what, found.replace("-0", "−0"), truth) for what, found, truth in rows),
        note=f"In float64. Kernels are estimated with independent directions, {len(m.independent[0].bias):,} draws of "
        "them; 95 % intervals.",
    )


def _errors(config: AttentionConfig, m: Measured, kind: str) -> Table:
    reference = m.references[kind]
    order = list_feature_maps()
    rows = sorted(
        (row for row in m.errors if row.kind == kind),
        key=lambda row: (row.window, order.index(row.map), not row.orthogonal, row.features),
    )
    best = zip(reference.ranks, reference.floor, strict=True)
    return Table(
        id=f"errors_{kind}",
        title=f"Error of the output on {KIND_NAMES[kind]} inputs",
        columns=("map", "features", "error", "95 % interval", "as estimated", "rows replaced"),
        rows=(
            (MEAN_VALUE, None, mean_of(reference.mean_value), "", None, ""),
            *(_error_row(row) for row in rows),
            *((FLOOR, rank, mean_of(errors), "", None, "") for rank, errors in best),
        ),
        note=f"Relative error of {config.length:,} tokens against exact attention in float64: the geometric "
        f"mean of {config.heads} heads, each with its own distribution, tokens and directions. Fitted maps saw "
        f"{config.calibration:,} other tokens; learned ones took {config.steps:,} steps here, 1,000 by default. Tokens "
        "have no order here, so that a window helps by its share of the keys only. Rows replaced had no positive "
        "denominator and got mean(V). The best of a rank is the nearest matrix to the attention matrix, by singular "
        "values: what so many features could do that know the matrix itself.",
    )


def _error_row(row: MapError) -> tuple[str | float | int | None, ...]:
    interval = row.typical
    return (
        name_of(row),
        row.used,
        _three(interval.value),
        f"{interval.low:.3g} to {interval.high:.3g}",
        _three(mean_of([value for value, _, _ in row.estimates])) if row.estimates else None,
        percent(row.replaced, 1) if row.replaced else "",
    )


def _choices(choices: tuple[Choice, ...]) -> Table:
    *first, last = (MAP_NAMES[name] for name in CANDIDATES)
    rows = []
    for choice in choices:
        answer = f"{MAP_NAMES[choice.map]}, {choice.features} features" if choice.map else "exact attention is needed"
        share = percent(choice.share, 0)
        rows.append((KIND_NAMES[choice.kind], choice.target, answer, share, _least_error(choice.tried)))
    return Table(
        id="choices",
        title="Asked for an error: what choose_feature_map answers",
        columns=("inputs", "error asked for", "answer", "share of exact attention's arithmetic", "least error tried"),
        rows=tuple(rows),
        note=f"Sequences of {choices[0].length:,} tokens, maps fitted to their first half and judged on their second. "
        f"Candidates are {', '.join(first)} and {last}, the cheapest first; the search ends with the first "
        "whose whole interval is within the target.",
    )


def _least_error(candidates: list[Tried]) -> str:
    """The candidate with the least error, in words; empty where none was tried."""
    known = [(row.error, row) for row in candidates if row.error]
    if not known:
        return ""
    (value, low, high), best = min(known, key=lambda pair: pair[0][0])
    return f"{MAP_NAMES[best.map]}, {best.features}: {value:.2g} [{low:.2g}, {high:.2g}]"


def _lengths(times: Times) -> Table:
    exact, linear = ((1e3 * seconds).tolist() for seconds in typical_seconds(times))
    sizes = (times.exact_bytes, times.linear_bytes, times.formula_bytes)
    return Table(
        id="lengths",
        title="Time and memory of causal attention by length",
        columns=(
            "tokens",
            "exact (ms)",
            "linear (ms)",
            "exact over linear",
            "peak memory, exact (MB)",
            "linear (MB)",
            "formula written out (MB)",
        ),
        rows=tuple(
            (n, _three(a), _three(b), _three(a / b), *map(_megabytes, peaks))
            for n, a, b, *peaks in zip(times.places, exact, linear, *sizes, strict=True)
        ),
        note=f"{HEADS} heads, {FEATURES} features (FAVOR+), one thread, medians of {len(times.exact)} rounds. "
        "Exact is torch's scaled_dot_product_attention, which never holds the attention matrix; the formula written "
        "out does. Memory is the most that the tensors returned by torch's operators took at once, inputs not counted. "
        f"Exponents of memory in the length: {_memory_exponents(times)}.",
    )


def _memory_exponents(times: Times) -> str:
    sizes = {"exact": times.exact_bytes, "linear": times.linear_bytes, "written out": times.formula_bytes}
    return ", ".join(f"{name} {memory_exponent(times, found):.2f}" for name, found in sizes.items())


def _decoding(times: Times) -> Table:
    exact, linear = ((1e6 * seconds).tolist() for seconds in typical_seconds(times))
    columns = zip(times.places, exact, linear, times.exact_bytes, times.linear_bytes, strict=True)
    return Table(
        id="decoding",
        title="One more token, by context",
        columns=("context (tokens)", "exact (µs)", "linear (µs)", "keys and values kept (MB)", "state kept (MB)"),
        rows=tuple((n, _three(a), _three(b), *map(_megabytes, sizes)) for n, a, b, *sizes in columns),
        note=f"{DECODING_HEADS} heads, {FEATURES} features (FAVOR+), one thread.",
    )


def _megabytes(size: int | None) -> float | None:
    return None if size is None else _three(size / 1e6)


def _three(value: float) -> float:
    """Rounded to three digits, as much as such a number carries."""
    return float(f"{value:.3g}")
