"""What does a layer know? A probe of nearest neighbours.

A probe asks how well the classes can be told apart from what a layer computes. One of nearest neighbours is not
trained, so that it adds nothing of its own: the k nearest *training* examples, in the space of that layer, vote.

A training example finds itself among its neighbours, at distance 0, and votes for its own label: at every layer, even
at one that knows nothing, it looks settled. So training examples are left out of their own neighbours. An example has
two depths, one as a training example (leave-one-out) and one as a new example of a network that was trained without it.

Question: why should the probe use the training data and not the test data?

Hints
- `torch.cdist`, then `topk(k, largest=False)`.
- Leaving out: set the diagonal of the distances to infinity.
- Equal votes: the lower class. `argmax` of counts does so.
"""

import torch
from torch import Tensor


def probe(references: Tensor, labels: Tensor, queries: Tensor | None, k: int, classes: int) -> tuple[Tensor, Tensor]:
    """Votes of the k nearest references, and the class that has most of them.

    Args:
        references: features of training examples [n, d].
        labels: their classes [n].
        queries: features of new examples [m, d]; None asks about the references, each without itself.
        k: neighbours.
        classes: number of classes.

    Returns:
        shares of the votes by class [m, classes], and the class with the most [m]; ties go to the lower class.
    """
    raise NotImplementedError("this one is yours to write")
