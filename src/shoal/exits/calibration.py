"""Thresholds with a guarantee: the policy loses at most so much accuracy, with a stated confidence.

    policy = calibrate(net, (images, labels), Confidence, max_accuracy_drop=0.01)
    print(policy.certificate)

Learn, then test. A tenth of the examples puts policies into an order, from one that never leaves to the boldest. The
others test them in that order, and the last that passes before the first that fails is taken: as the order is fixed
beforehand, no correction for the number of tests is needed.

Source: Angelopoulos et al. 2021, "Learn then test" (arXiv 2110.01052), fixed-sequence testing; the test itself is in
`shoal.exits.guarantee`.
"""

from collections.abc import Sequence
from typing import Any

import torch

from shoal.engine import Data
from shoal.errors import wrong
from shoal.exits.certificate import Certificate
from shoal.exits.content import Unseen, fingerprint
from shoal.exits.contradiction import contradiction_path
from shoal.exits.guarantee import p_value, passes
from shoal.exits.network import EarlyExit
from shoal.exits.outputs import ExitOutputs, exit_outputs
from shoal.exits.policies import Confidence, Kind, Policy, never_leaving
from shoal.exits.temperatures import fit_temperatures

CHOOSING = 0.1  # share of the examples that the order of the test is chosen with


def calibrate(
    net: EarlyExit,
    data: Data,
    policy: Kind = Confidence,
    *,
    max_accuracy_drop: float,
    confidence: float = 0.95,
    seed: int = 0,
    batch_size: int = 512,
    **options: Any,
) -> Policy:
    """The boldest policy found that is proved to lose at most `max_accuracy_drop` against the whole network.

    Args:
        net: the network.
        data: (inputs [n, ...], labels [n]), or a loader of such pairs, drawn as later examples will be; other examples
            than it was trained on. Up to a hundredth of known ones is left out.
        policy: `Confidence`, `Entropy`, `Margin` or `Patience`, whose temperatures are fitted too; or a policy, whose
            temperatures are kept.
        max_accuracy_drop: share of all examples, in (0, 1).
        confidence: chance that what is promised holds, over draws of the data, in (0, 1).
        seed: of the division of the data.
        batch_size: rows at a time, for a pair of tensors.
        options: of `exit_outputs`: prepare, precision, device.

    Returns:
        The policy, with `.certificate`. If nothing else passes it never leaves, and the certificate says so.

    Raises:
        InputError: if the network was trained on the data, there are too few to prove anything, or a number is out of
            range.
    """
    check_promise(max_accuracy_drop, confidence)
    never_leaving(policy, len(net.at))  # refuses a policy for another number of exits before anything is computed
    new = Unseen(net, data, batch_size=batch_size)
    outputs = exit_outputs(net, new, **options)
    return calibrate_outputs(
        outputs,
        policy,
        max_accuracy_drop=max_accuracy_drop,
        confidence=confidence,
        seed=seed,
        network=fingerprint(net),
        left_out=new.left_out,
    )


def calibrate_outputs(
    outputs: ExitOutputs,
    policy: Kind = Confidence,
    *,
    max_accuracy_drop: float,
    confidence: float = 0.95,
    seed: int = 0,
    network: str = "",
    left_out: int = 0,
) -> Policy:
    """`calibrate` on recorded outputs.

    Args:
        outputs: of examples that the network was not trained on.
        policy: as there.
        max_accuracy_drop: as there.
        confidence: as there.
        seed: as there.
        network: fingerprint, for the certificate.
        left_out: how many examples were known, for the certificate.

    Raises:
        InputError: if there are too few examples, or a number is out of range.
    """
    check_promise(max_accuracy_drop, confidence)
    _check_size(len(outputs.labels), max_accuracy_drop, confidence)
    order = torch.randperm(len(outputs.labels), generator=torch.Generator().manual_seed(seed))
    first = round(CHOOSING * len(order))
    choosing, testing = outputs.take(order[:first]), outputs.take(order[first:])
    kind = never_leaving(policy, len(outputs.costs) - 1)
    if isinstance(policy, type):
        kind = type(kind)(kind.thresholds, fit_temperatures(choosing))
    return certify(
        testing,
        contradiction_path(choosing, kind),
        max_accuracy_drop=max_accuracy_drop,
        confidence=confidence,
        chosen_on=first,
        network=network,
        left_out=left_out,
    )


def certify(
    outputs: ExitOutputs,
    policies: Sequence[Policy],
    *,
    max_accuracy_drop: float,
    confidence: float = 0.95,
    chosen_on: int = 0,
    network: str = "",
    left_out: int = 0,
) -> Policy:
    """Test policies in the given order and take the last that passes before the first that fails.

    Args:
        outputs: of examples that neither the network nor the policies, nor their order, were chosen with.
        policies: at least one, from safe to bold.
        max_accuracy_drop: share of all examples, in (0, 1).
        confidence: in (0, 1).
        chosen_on: for the certificate, as the next two.
        network: fingerprint.
        left_out: how many examples were known.

    Returns:
        It, with its certificate; where none passes, one of the first one's kind that never leaves.

    Raises:
        InputError: if no policy is given, or a number is out of range.
    """
    check_promise(max_accuracy_drop, confidence)
    if not policies:
        raise wrong("policies", expected="at least one", got="none")
    whole, rows, level = outputs.right[-1], len(outputs.labels), 1 - confidence
    taken, counts, tested = never_leaving(policies[0], len(outputs.costs) - 1), (0, 0), 0
    for candidate in policies:
        _, right, _ = outputs.replay(candidate)
        found = int((whole & ~right).sum()), int((right & ~whole).sum())
        tested += not _never(candidate)  # what never leaves loses nothing, and needs no test
        if not _never(candidate) and not passes(rows, *found, max_accuracy_drop, level):
            break
        taken, counts = candidate, found
    never = _never(taken)
    return taken.with_certificate(
        Certificate(
            max_accuracy_drop=float(max_accuracy_drop),
            confidence=float(confidence),
            rows=rows,
            losses=counts[0],
            gains=counts[1],
            p_value=0.0 if never else p_value(rows, *counts, max_accuracy_drop),
            chosen_on=chosen_on,
            left_out=left_out,
            tested=tested,
            never_leaves=never,
            network=network,
        )
    )


def check_promise(max_accuracy_drop: float, confidence: float) -> None:
    """Refuse what cannot be promised.

    Raises:
        InputError: if a number is out of range.
    """
    if not 0 < max_accuracy_drop < 1:
        fix = "no number of examples proves that nothing is lost" if max_accuracy_drop == 0 else "give 1 point as 0.01"
        raise wrong("max_accuracy_drop", expected="a share in (0, 1)", got=max_accuracy_drop, fix=fix)
    if not 0 < confidence < 1:
        raise wrong("confidence", expected="a number in (0, 1)", got=confidence, fix="give 95 % as 0.95")


def fewest_rows(max_accuracy_drop: float, confidence: float) -> int:
    """The fewest examples that can prove anything: with fewer, not even a test without a single loss is passed."""
    low, high = 0, 1
    while not passes(high, 0, 0, max_accuracy_drop, 1 - confidence):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle, 0, 0, max_accuracy_drop, 1 - confidence) else (middle, high)
    rows = high
    while rows - round(CHOOSING * rows) < high:
        rows += 1
    return rows


def _check_size(rows: int, max_accuracy_drop: float, confidence: float) -> None:
    needed = fewest_rows(max_accuracy_drop, confidence)
    if rows < needed:
        promise = f"{100 * max_accuracy_drop:g} points at {100 * confidence:g} %"
        expected = f"at least {needed:,} examples for {promise}"
        fix = "with fewer, not even a test without a loss proves it; give more, or ask for less"
        raise wrong("data", expected=expected, got=f"{rows:,}", fix=fix)


def _never(policy: Policy) -> bool:
    return all(threshold == policy.never for threshold in policy.thresholds)
