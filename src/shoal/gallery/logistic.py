"""A logistic curve of one number, by Newton's method: the chance of being right falls with the distance.

scikit-learn fits it too, but importing that takes seconds, at the first question of every process; and by its default
tolerance it stops early where the two kinds hardly overlap, which is what distances of faces are like.

Source: Platt 1999, "Probabilistic outputs for support vector machines"; Nocedal and Wright, "Numerical optimization",
section 3.1 (the step is halved until it helps).
"""

import numpy as np
from numpy.typing import NDArray

PENALTY = 0.01  # of the squared slope: where nothing overlaps, the steepest curve would be infinitely steep
STEPS, HALVINGS = 100, 60
ENOUGH = 1e-10  # of the loss, that a step may still promise


def fit_logistic(x: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset that make the answers most probable: 1 / (1 + exp(−(offset + slope · x))).

    Args:
        x: numbers, [n].
        right: whether each was right, [n]; both kinds are among them.

    Example:
        >>> slope, offset = fit_logistic(np.array([0.0, 1.0, 2.0, 3.0]), np.array([True, True, False, False]))
        >>> round(-offset / slope, 3)
        1.5
    """
    sign = np.where(right, 1.0, -1.0)

    def loss_of(at: NDArray[np.float64]) -> float:
        return float(np.logaddexp(0, -sign * (at[0] * x + at[1])).sum() + PENALTY * at[0] ** 2 / 2)

    at = np.zeros(2)
    loss = loss_of(at)
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(at[0] * x + at[1], -500, 500)))  # (n,)
        off, weight = chance - right, chance * (1 - chance)
        gradient = np.array([off @ x + PENALTY * at[0], off.sum()])
        curvature = np.array([[weight @ (x * x) + PENALTY, weight @ x], [weight @ x, weight.sum() + 1e-12]])
        step = np.linalg.solve(curvature, gradient)
        if gradient @ step <= ENOUGH * (1 + loss):
            break
        for _ in range(HALVINGS):
            tried = loss_of(at - step)
            if tried < loss:
                break
            step /= 2
        else:
            break
        at, loss = at - step, tried
    return float(at[0]), float(at[1])
