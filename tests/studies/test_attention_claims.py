"""Every claim of the attention study, with made-up measurements that lead to each of the three verdicts."""

from dataclasses import replace

import pytest
import torch

from shoal.measure import Interval
from shoal.studies import attention_claims as claims
from shoal.studies.attention_config import AttentionConfig, resolve
from shoal.studies.attention_findings import summary, tables
from shoal.studies.attention_measured import Measured
from shoal.studies.attention_numbers import distance, slope
from shoal.studies.attention_pictures import pictures
from tests.studies.made_up_attention import COUNTS, DRAWS, error, kernel, measured, times


def test_everything_supported() -> None:
    found = claims.all_claims(measured())
    assert {claim.verdict for claim in found} == {"supported"}
    assert len({claim.id for claim in found}) == len({claim.sentence for claim in found}) == len(found) == 11
    for claim in found:
        assert any(digit in claim.measured for digit in "0123456789")


def test_what_is_exact() -> None:
    assert claims.identity_is_exact(measured(deviation=1e-9)).verdict == "contradicted"
    assert claims.recurrence_is_the_masked_form(measured(recurrence=1e-9)).verdict == "contradicted"


def test_bias_of_the_kernel() -> None:
    biased = measured(kernel=(kernel("trig"), kernel("positive", bias=-0.05)))
    claim = claims.kernel_is_unbiased(biased)
    assert claim.verdict == "contradicted"
    assert claim.effect == pytest.approx(0.05)
    assert "positive, -5.00 %" in claim.measured
    unsure = kernel("trig", bias=0.009)
    assert claims.kernel_is_unbiased(measured(kernel=(unsure,))).verdict == "inconclusive"
    only_orthogonal = measured(kernel=(kernel("trig"), kernel("positive", bias=0.5, orthogonal=True)))
    assert claims.kernel_is_unbiased(only_orthogonal).verdict == "supported"  # independent directions are judged


def test_exponent_of_the_kernels_error() -> None:
    slow = measured(kernel=(kernel("trig"), kernel("positive", exponent=-0.3)))
    assert claims.kernel_error_falls(slow).verdict == "contradicted"
    assert claims.kernel_error_falls(slow).effect == pytest.approx(0.2)
    row = kernel("trig")
    loud = [[square * (50 if draw == at else 1) for at, square in enumerate(r)] for draw, r in enumerate(row.square)]
    assert claims.kernel_error_falls(measured(kernel=(replace(row, square=loud),))).verdict == "inconclusive"
    assert len(row.square) == DRAWS
    assert len(row.square[0]) == len(COUNTS)


@pytest.mark.parametrize(("exact", "linear", "verdicts"), [(1.2, 1.0, "cs"), (2.0, 1.5, "sc")])
def test_growth_of_time(exact: float, linear: float, verdicts: str) -> None:
    m = measured(by_length=times([512, 1024, 2048, 4096], exact, linear))
    found = claims.exact_is_quadratic(m), claims.linear_is_linear(m)
    assert "".join(claim.verdict[0] for claim in found) == verdicts
    assert (found[0].effect, found[1].effect) == pytest.approx((exact, linear))


def test_growth_of_noisy_time_is_inconclusive() -> None:
    base = times([512, 1024, 2048, 4096], 2.0, 1.0)
    noisy = [[t * 4 ** ((i % 2) * at) for at, t in enumerate(row)] for i, row in enumerate(base.linear)]
    assert claims.linear_is_linear(measured(by_length=replace(base, linear=noisy))).verdict == "inconclusive"


def test_decoding() -> None:
    assert claims.decoding_is_constant(measured(decoding=times([1024, 4096], 1.0, 0.5))).verdict == "contradicted"
    base = times([1024, 4096], 1.0, 0.0)
    noisy = [[row[0], row[1] * (1 + 2 * (i % 2))] for i, row in enumerate(base.linear)]
    assert claims.decoding_is_constant(measured(decoding=replace(base, linear=noisy))).verdict == "inconclusive"


def with_error(name: str, value: float, *, spread: float = 0.0) -> Measured:
    base = measured()
    row = error(name, 256, value)
    errors = [e * (1 + spread * (-1) ** i) for i, e in enumerate(row.errors)]
    others = [r for r in base.errors if (r.kind, r.map, r.features, r.window) != ("aniso", name, 256, 0)]
    return replace(base, errors=(*others, replace(row, errors=errors, estimates=[])))


def test_errors_of_maps() -> None:
    assert claims.textbook_is_worse_than_nothing(with_error("trig", 0.5)).verdict == "contradicted"
    assert claims.textbook_is_worse_than_nothing(with_error("trig", 1.0, spread=0.5)).verdict == "inconclusive"
    assert claims.random_features_fail(with_error("positive", 0.3)).verdict == "contradicted"
    assert claims.random_features_fail(with_error("positive", 0.75, spread=0.3)).verdict == "inconclusive"
    assert claims.fitted_maps_work(with_error("landmark", 0.8)).verdict == "contradicted"
    assert claims.fitted_maps_work(with_error("landmark", 0.33, spread=0.3)).verdict == "inconclusive"


def test_coverage() -> None:
    base = measured()
    missed = tuple(replace(row, estimates=[[9.0, 8.0, 10.0]] * len(row.errors)) for row in base.errors)
    assert claims.errors_are_known(replace(base, errors=missed)).verdict == "contradicted"
    few = tuple(replace(row, estimates=[] if at else row.estimates) for at, row in enumerate(base.errors))
    claim = claims.errors_are_known(replace(base, errors=few))
    assert claim.verdict == "inconclusive"  # six intervals, all right, do not say nine in ten
    assert "6 of 6" in claim.measured


def test_numbers() -> None:
    x = torch.tensor([1.0, 3.0, 10.0, 50.0])
    assert slope(x, 7 * x**-0.5) == pytest.approx(-0.5)
    assert distance(Interval(-2.0, -3.0, -1.0)) == {"effect": 2.0, "low": 1.0, "high": 3.0}


def test_sentences_tables_and_pictures() -> None:
    config, m = resolve(AttentionConfig(budget="quick")), measured()
    assert len(summary(config, m)) == 3
    assert "1 of 2 cases" in summary(config, m)[1]
    found = {table.id: table for table in tables(config, m)}
    assert found["choices"].rows[0][2] == "landmark, 64 features"
    assert found["choices"].rows[1][2] == "exact attention is needed"
    assert found["lengths"].rows[-1][-1] is None
    shown = pictures(config, m)
    assert len({picture.id for picture in shown}) == len(shown) == 10
    assert all(picture.rows for picture in shown if picture.id != "matrices")
