"""Made-up measurements of the attention study, in which every claim is supported."""

from dataclasses import replace
from typing import Any

from shoal.studies.attention_measured import Choice, KernelErrors, MapError, Measured, Reference, Times, Tried

COUNTS = [16, 64, 256]
DRAWS = 40
HEADS = 6
ROUNDS = 5


def kernel(name: str, *, exponent: float = -0.5, bias: float = 0.0, orthogonal: bool = False) -> KernelErrors:
    """Mean errors that alternate around a bias, and squares that follow an exponent."""
    around = [[bias + 0.01 * (-1) ** draw for _ in COUNTS] for draw in range(DRAWS)]
    square = [[(1 + 0.2 * (-1) ** draw) * n ** (2 * exponent) for n in COUNTS] for draw in range(DRAWS)]
    return KernelErrors(map=name, orthogonal=orthogonal, counts=COUNTS, bias=around, square=square)


def error(name: str, features: int, value: float, kind: str = "aniso", **changes: Any) -> MapError:
    """The same error in all heads but for a few percent, and intervals that hold it."""
    errors = [value * (1 + 0.01 * head) for head in range(HEADS)]
    estimates = [[e, 0.9 * e, 1.1 * e] for e in errors]
    found = MapError(kind=kind, map=name, features=features, errors=errors, estimates=estimates, used=features)
    return replace(found, **changes)


def times(places: list[int], exact: float, linear: float) -> Times:
    """Times that grow with an exponent each, a little longer from round to round."""
    rounds = [1 + 0.01 * i for i in range(ROUNDS)]
    sizes = [4 * n for n in places]
    return Times(
        places=places,
        exact=[[r * n**exact for n in places] for r in rounds],
        linear=[[r * n**linear for n in places] for r in rounds],
        exact_bytes=sizes,
        linear_bytes=sizes,
        formula_bytes=[*sizes[:-1], None],
        length=2048,
    )


def measured(**changes: Any) -> Measured:
    """All of it; name what is to be otherwise."""
    errors = [
        error(name, n, value, kind)
        for kind in ("aniso", "iso")
        for name, value in (("trig", 30.0), ("positive", 0.9), ("oprf", 0.8), ("sderf", 0.5), ("landmark", 0.1))
        for n in (64, 256)
    ]
    errors += [error("positive", 256, 0.95, orthogonal=False), error("elu", 64, 0.85), error("relu", 64, 0.8)]
    errors += [error("landmark", 256, 0.09, window=32), error("learned", 256, 0.2), error("taylor", 2145, 0.3, "iso")]
    tried = [Tried(map="landmark", features=64, share=0.2, error=[0.25, 0.2, 0.3], note="")]
    reference = Reference(mean_value=[1.0] * HEADS, ranks=[64, 256], floor=[[0.03] * HEADS, [0.01] * HEADS])
    found = Measured(
        deviation=1e-14,
        pairs=1000,
        largest_logit=10.0,
        recurrence=1e-15,
        kernel=(kernel("trig"), kernel("positive"), kernel("positive", orthogonal=True)),
        errors=tuple(errors),
        references={"aniso": reference, "iso": reference},
        by_length=times([512, 1024, 2048, 4096], 2.0, 1.0),
        by_features=replace(times([16, 64, 256], 0.0, 1.0), exact=[[1.0]] * ROUNDS),
        decoding=times([1024, 4096, 16384], 1.0, 0.0),
        choices=(
            Choice(kind="aniso", target=0.3, map="landmark", features=64, share=0.2, tried=tried, length=2048),
            Choice(kind="iso", target=0.1, map="", features=0, share=1.0, tried=[], length=2048),
        ),
        images=(),
    )
    return replace(found, **changes)
