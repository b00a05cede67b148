"""Votes of neighbours whose own labels may be wrong: whom to trust, and which classes are mistaken for each other.

Two things mislead a plain vote. Neighbours vote with wrong labels: each counts as much as its own label is trusted. And
an example between two classes that look alike has votes for both, as one with a wrong label has. The second kind of
doubt is there in clean data, too; the first is seen where examples are clear: among those that nearly all votes put
into class j, how often is i the label? If wrong labels go evenly to all classes, all pairs are alike and nothing
changes. If they go from j to i above others, votes for j count more against a label i.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

ROUNDS = 1  # of trust, after the first vote, in which all count alike
ALIKE = 1e-6  # shares that differ by less are the same sum of votes, added up in another order
CLEAR = 0.7  # quantile of the largest share, within its class, from which on an example is clear
PRIOR = 3.0  # examples of every pair that are taken to have been seen
LEAST_TRUST = 0.01
OF_HISTORY = 0.3  # weight of what the network said while it was trained


def trusted_shares(
    near: Int[Tensor, "n probes k"],
    labels: Int[Tensor, " n"],
    classes: int,
    said: Float[Tensor, "n classes"] | None = None,
) -> Float[Tensor, "n classes"]:
    """Evidence for every class, as shares that sum to 1; the label's own share is how right it is.

    Args:
        near: neighbours of every example among the examples.
        labels: as given.
        classes: how many there are.
        said: mean probabilities of the network while it was trained, where they were recorded.
    """
    trust = torch.ones(len(labels))
    shares = torch.empty(0)
    for _ in range(1 + ROUNDS):
        votes = mean_votes(near, labels, classes, trust)
        if said is not None:
            votes = (1 - OF_HISTORY) * votes + OF_HISTORY * said
        against = mistaken_pairs(votes, labels)[:, labels].T.scatter(1, labels[:, None], 1.0)  # (n, C): of j against i
        shares = votes * against
        shares = shares / shares.sum(1, keepdim=True).clamp_min(1e-12)
        trust = shares.gather(1, labels[:, None])[:, 0].clamp_min(LEAST_TRUST)
    return shares


def mean_votes(
    near: Int[Tensor, "n probes k"], labels: Int[Tensor, " n"], classes: int, trust: Float[Tensor, " n"]
) -> Float[Tensor, "n classes"]:
    """Shares of the votes, every neighbour with the weight of its trust; the mean over probes."""
    found = torch.zeros(len(labels), classes)
    for at in range(near.shape[1]):
        who = near[:, at].long()  # (n, k)
        votes = torch.zeros(len(labels), classes).scatter_add_(1, labels[who], trust[who])
        found += votes / votes.sum(1, keepdim=True)
    return found / near.shape[1]


def mistaken_pairs(votes: Float[Tensor, "n classes"], labels: Int[Tensor, " n"]) -> Float[Tensor, "of given"]:
    """How often examples that are clearly of class j have the label i, over the mean of all other labels; about 1.

    Args:
        votes: shares of every example.
        labels: as given.
    """
    classes = votes.shape[1]
    share = votes.amax(1)
    likely = votes >= share[:, None] - ALIKE  # (n, C)
    top = torch.where(likely, torch.arange(classes), classes).amin(1)  # of classes that share the lead, the first
    found = torch.ones(classes, classes)
    for of in range(classes):
        here = (top == of).nonzero().flatten()
        if len(here):
            clear = here[share[here] >= share[here].quantile(CLEAR) - ALIKE]
            counts = torch.bincount(labels[clear], minlength=classes).float()
            counts[of] = 0
            found[of] = (counts + PRIOR) / (counts.sum() / (classes - 1) + PRIOR)
    return found
