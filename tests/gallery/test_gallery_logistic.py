"""The curve of probabilities: the best there is, where scikit-learn's solver goes to the end as well."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from shoal.gallery.logistic import PENALTY, fit_logistic


@pytest.mark.parametrize(("near", "spread"), [(0.3, 0.1), (0.8, 0.3), (0.1, 0.02), (1.0, 0.2)])
def test_it_is_what_scikit_learn_finds_when_it_goes_to_the_end(near: float, spread: float) -> None:
    rng = np.random.default_rng(0)
    own, other = rng.normal(near, spread, 500).clip(0), rng.normal(1.2, 0.1, 500).clip(0)
    x, right = np.concatenate((own, other)), np.repeat([True, False], 500)
    slope, offset = fit_logistic(x, right)
    theirs = LogisticRegression(C=1 / PENALTY, tol=1e-12, solver="newton-cholesky", max_iter=1000).fit(
        x[:, None], right
    )
    assert slope == pytest.approx(float(theirs.coef_[0, 0]), rel=1e-4)
    assert offset == pytest.approx(float(theirs.intercept_[0]), rel=1e-4)


def test_what_does_not_overlap_has_a_curve_all_the_same() -> None:
    slope, offset = fit_logistic(np.array([0.1] * 30 + [1.0] * 30), np.repeat([True, False], 30))
    assert -1e4 < slope < -5
    assert 0.3 < -offset / slope < 0.8


def test_numbers_that_say_nothing_have_no_slope() -> None:
    slope, offset = fit_logistic(np.full(40, 0.5), np.arange(40) % 4 == 0)
    assert 1 / (1 + np.exp(-(slope * 0.5 + offset))) == pytest.approx(0.25, abs=1e-6)


def test_extremes_are_taken() -> None:
    slope, offset = fit_logistic(np.array([1e-300, 4.0] * 20), np.array([True, False] * 20))
    assert np.isfinite([slope, offset]).all()
