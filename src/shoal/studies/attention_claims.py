"""The claims of the attention study: each a function from measurements to a `Claim`.

They know nothing of maps or clocks, and are tested with made-up numbers. Heads, draws of directions and rounds of
timing are what intervals count.
"""

from torch import Tensor

from shoal.measure import Interval, bootstrap_interval, mean_interval, proportion_interval
from shoal.studies.attention_measured import MapError, Measured, Times, geometric_mean
from shoal.studies.attention_numbers import (
    distance,
    first_place,
    left_of_mean,
    mean_of,
    medians,
    rms_exponent,
    time_exponent,
    typical_seconds,
    z_score,
)
from shoal.studies.ends import ends, point
from shoal.studies.result import Claim
from shoal.studies.wording import percent, powers

EXACT = 1e-12  # what float64 leaves of an identity
UNBIASED = 0.01  # of the kernel
NEAR_HALF = 0.05  # of an exponent
QUADRATIC, LINEAR = 1.6, 1.2  # exponents: what is added per token flattens them, caches steepen them
SAME = 1.25  # ratio of two times
FAILING, WORKING = 0.75, 1 / 3  # shares of mean(V)'s error that are left
COVERAGE = 0.9


def all_claims(m: Measured) -> tuple[Claim, ...]:
    """Every claim of the study, in the order of the report."""
    return (
        identity_is_exact(m),
        kernel_is_unbiased(m),
        kernel_error_falls(m),
        recurrence_is_the_masked_form(m),
        exact_is_quadratic(m),
        linear_is_linear(m),
        decoding_is_constant(m),
        textbook_is_worse_than_nothing(m),
        random_features_fail(m),
        fitted_maps_work(m),
        errors_are_known(m),
    )


def identity_is_exact(m: Measured) -> Claim:
    """Both sides of the Gaussian identity agree to the last digits of float64."""
    return Claim(
        id="identity_is_exact",
        sentence="The softmax kernel is a Gaussian kernel of width σ² = √D times a factor per query and a factor per "
        "key, exactly.",
        measured=f"Over {m.pairs:,} pairs with logits up to {m.largest_logit:.1f}, both sides differ by at most "
        f"{powers(m.deviation)} of their value, in float64.",
        **point(m.deviation),
        bound=EXACT,
        direction="below",
    )


def kernel_is_unbiased(m: Measured) -> Claim:
    """The mean error of kernel estimates is 0."""
    rows = m.independent
    name, worst = _farthest({row.map: mean_interval(row.mean_error) for row in rows}, 0.0)
    shown = ", ".join(f"{row.map} z = {z_score(row):.2f}" for row in rows)
    return Claim(
        id="kernel_is_unbiased",
        sentence="Random features estimate the kernel without bias: the mean error is below 1 % of the kernel.",
        measured=f"Over {len(rows[0].bias):,} draws of directions for each of {len(rows[0].counts)} numbers of "
        f"features, the largest mean error is that of {name}, {percent(worst.value)}; in standard errors: {shown}.",
        **distance(worst),
        bound=UNBIASED,
        direction="below",
        unit="of the kernel",
    )


def kernel_error_falls(m: Measured) -> Claim:
    """The RMS error of the kernel falls with the root of the number of features."""
    exponents = {row.map: rms_exponent(row) for row in m.independent}
    name, worst = _farthest(exponents, -0.5)
    shown = ", ".join(f"{name} {interval.value:.3f}" for name, interval in exponents.items())
    return Claim(
        id="kernel_error_falls",
        sentence="The error of the kernel falls as 1/√features: its exponent is −1/2, to within 0.05.",
        measured=f"Fitted exponents of the RMS error, independent directions: {shown}. Farthest from −1/2 is {name}.",
        **distance(worst, -0.5),
        bound=NEAR_HALF,
        direction="below",
    )


def recurrence_is_the_masked_form(m: Measured) -> Claim:
    """Causal attention token by token gives what the masked matrix gives."""
    return Claim(
        id="recurrence_is_the_masked_form",
        sentence="Causal linear attention is a recurrence: sums carried from token to token give what the masked "
        "matrix gives.",
        measured=f"They differ by at most {powers(m.recurrence)} of the largest output, in float64.",
        **point(m.recurrence),
        bound=EXACT,
        direction="below",
    )


def exact_is_quadratic(m: Measured) -> Claim:
    """The time of softmax attention grows with the square of the length."""
    return Claim(
        id="exact_is_quadratic",
        sentence=f"The time of softmax attention grows about as the square of the length: its exponent is above "
        f"{QUADRATIC}.",
        measured=f"torch's causal attention takes {_span(m.by_length, 'exact')}, on one thread.",
        **ends(time_exponent(m.by_length, "exact")),
        bound=QUADRATIC,
        direction="above",
    )


def linear_is_linear(m: Measured) -> Claim:
    """The time of linear attention grows with the length."""
    return Claim(
        id="linear_is_linear",
        sentence=f"The time of linear attention grows as the length: its exponent is below {LINEAR}.",
        measured=f"Causal linear attention takes {_span(m.by_length, 'linear')}, on one thread.",
        **ends(time_exponent(m.by_length, "linear")),
        bound=LINEAR,
        direction="below",
    )


def decoding_is_constant(m: Measured) -> Claim:
    """A decoding step of linear attention costs the same after any context."""
    times = m.decoding
    interval = bootstrap_interval(times.seconds("linear"), lambda rows: medians(rows)[-1] / medians(rows)[0])
    exact, linear = (1e6 * seconds for seconds in typical_seconds(times))
    return Claim(
        id="decoding_is_constant",
        sentence="One more token costs linear attention the same after any context; exact attention pays for all "
        "of it.",
        measured=f"From {times.places[0]:,} to {times.places[-1]:,} tokens of context, a step goes from "
        f"{linear[0]:.0f} to {linear[-1]:.0f} µs with a state, and from {exact[0]:.0f} to {exact[-1]:.0f} µs with a "
        "cache of keys and values.",
        **ends(interval),
        bound=SAME,
        direction="below",
        unit="×",
    )


def textbook_is_worse_than_nothing(m: Measured) -> Claim:
    """Random Fourier features do worse than the mean of the values on trained-like inputs."""
    row = _with_most_features(m, "trig")
    ratio = geometric_mean(left_of_mean(m, row))
    return Claim(
        id="textbook_is_worse_than_nothing",
        sentence="On inputs like those of trained networks, random Fourier features, the recipe of the textbook, are "
        "worse than returning the mean of the values.",
        measured=f"With {row.features:,} features the error is {ratio.value:.3g} times that of mean(V) (geometric mean "
        f"of {len(row.errors)} heads); {percent(row.replaced, 0)} of the rows have a denominator that is not positive.",
        **ends(ratio),
        bound=1.0,
        direction="above",
        strict=True,
        unit="× the error of mean(V)",
    )


def random_features_fail(m: Measured) -> Claim:
    """FAVOR+ leaves most of the error on trained-like inputs."""
    row = _with_most_features(m, "positive")
    return Claim(
        id="random_features_fail",
        sentence="Positive random features (FAVOR+) fail there too: more than three quarters of mean(V)'s error is "
        "left.",
        measured=f"With {row.features:,} orthogonal features the error is {row.typical.value:.2f}, that of mean(V) is "
        f"{mean_of(m.references['aniso'].mean_value):.2f} (geometric means of {len(row.errors)} heads).",
        **ends(mean_interval(left_of_mean(m, row))),
        bound=FAILING,
        direction="above",
        unit="of mean(V)'s error",
    )


def fitted_maps_work(m: Measured) -> Claim:
    """Landmark features leave little of the error on the same inputs."""
    row = _with_most_features(m, "landmark")
    floor = m.references["aniso"].floor_near(row.features)
    return Claim(
        id="fitted_maps_work",
        sentence="Maps that are fitted to data work where random ones fail: landmark features leave less than a third "
        "of mean(V)'s error, on tokens that they were not fitted to.",
        measured=f"With {row.features:,} features the error is {row.typical.value:.2f} (geometric mean of "
        f"{len(row.errors)} heads); the nearest matrix of that rank has {mean_of(floor):.3g}.",
        **ends(mean_interval(left_of_mean(m, row))),
        bound=WORKING,
        direction="below",
        unit="of mean(V)'s error",
    )


def errors_are_known(m: Measured) -> Claim:
    """The intervals of `estimate_error` hold the true errors."""
    rows = [row for row in m.errors if row.estimates]
    held = [hit for row in rows for hit in row.covered]
    signed = [hit for row in rows if row.map == "trig" for hit in row.covered]
    return Claim(
        id="errors_are_known",
        sentence="Linear attention knows its own error: 95 % intervals from a sample of rows hold the true error at "
        "least nine times in ten.",
        measured=f"{sum(held)} of {len(held)} intervals hold it, over all maps, numbers of features and heads; of "
        f"trig, whose errors sit in few rows, {sum(signed)} of {len(signed)}.",
        **ends(proportion_interval(sum(held), len(held))),
        bound=COVERAGE,
        direction="above",
    )


def _farthest(found: dict[str, Interval], centre: float) -> tuple[str, Interval]:
    """The map whose number is farthest from a centre."""
    return max(found.items(), key=lambda pair: abs(pair[1].value - centre))


def _with_most_features(m: Measured, name: str) -> MapError:
    """The largest map of a name, on trained-like inputs."""
    return m.of("aniso", name)[-1]


def _span(times: Times, name: str) -> str:
    seconds = 1e3 * medians(times.seconds(name))
    first = first_place(times)
    return (
        f"{_digits(seconds[first])} ms for {times.places[first]:,} tokens and {_digits(seconds[-1])} ms for "
        f"{times.places[-1]:,} (medians of {len(times.seconds(name))})"
    )


def _digits(value: Tensor) -> str:
    """Three digits, and no power of ten."""
    return f"{float(value):.3g}" if value < 1000 else f"{float(value):,.0f}"
