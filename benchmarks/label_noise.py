"""Labels made wrong on purpose, in three ways: evenly, between pairs of classes, and where images look ambiguous."""

import numpy as np
import torch
from jaxtyping import Int
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from torch import Tensor

KINDS = ("symmetric", "pairwise", "feature-dependent")


def spoil(images: Tensor, labels: Int[Tensor, " n"], kind: str, rate: float, seed: int) -> Int[Tensor, " n"]:
    """A copy of the labels with a share of them wrong.

    Args:
        images: [n, ...]; only "feature-dependent" looks at them.
        labels: true classes.
        kind: "symmetric": any other class; "pairwise": the next class; "feature-dependent": the class that a logistic
            regression on 50 principal components, which has not seen the image, finds likeliest among the others;
            images are drawn in proportion to how likely that is.
        rate: share of labels.
        seed: of the draw.
    """
    random = np.random.default_rng(seed)
    classes = int(labels.max()) + 1
    found = labels.clone().numpy()
    count = round(rate * len(labels))
    if kind == "feature-dependent":
        other = _likeliest_others(images, labels)
        weight = other.max(1) ** 0.5 + 1e-6
        rows = random.choice(len(labels), count, replace=False, p=weight / weight.sum())
        found[rows] = other[rows].argmax(1)
    else:
        rows = random.choice(len(labels), count, replace=False)
        step = 1 if kind == "pairwise" else random.integers(1, classes, count)
        found[rows] = (found[rows] + step) % classes
    return torch.from_numpy(found)


def _likeliest_others(images: Tensor, labels: Tensor) -> np.ndarray:
    """Probabilities of the classes that are not the label, [n, classes], of a fit that has not seen the row."""
    rows = images.flatten(1).double().numpy() / 255
    rows = PCA(min(50, rows.shape[1] - 1), random_state=0).fit_transform(rows)
    classifier = LogisticRegression(max_iter=300)
    found = np.asarray(cross_val_predict(classifier, rows, labels.numpy(), cv=3, method="predict_proba"))
    found[np.arange(len(found)), labels.numpy()] = 0
    return found
