"""A policy as JSON: kind, thresholds, temperatures, its certificate, and whose it is; checked when it is read."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from shoal.errors import InputError, ShoalError, unknown_name, wrong
from shoal.exits.certificate import Certificate
from shoal.exits.network import EarlyExit
from shoal.exits.policies import Confidence, Entropy, Margin, Patience, Policy

KINDS: dict[str, type[Policy]] = {
    "confidence": Confidence,
    "entropy": Entropy,
    "margin": Margin,
    "patience": Patience,
}


def policy_to_json(policy: Policy, net: EarlyExit | None = None) -> dict[str, Any]:
    """A policy as JSON can hold it.

    Args:
        policy: with or without a certificate.
        net: the network that it is for.

    Returns:
        kind, thresholds (null where no row leaves), temperatures, certificate, network (its fingerprint; may be empty)
        and a checksum of these.

    Raises:
        InputError: if it is for another network.

    Example:
        >>> policy_to_json(Confidence([0.9, math.inf]))["thresholds"]
        [0.9, None]
    """
    if net is not None:
        policy.check(len(net.at))
        _check_network(net, policy.certificate.network if policy.certificate else "")
    kind = next((name for name, known in KINDS.items() if type(policy) is known), None)
    if kind is None:
        raise wrong("policy", expected=f"one of {', '.join(KINDS)}", got=type(policy).__name__)
    certificate = policy.certificate
    value = {
        "kind": kind,
        "thresholds": [_plain(threshold, policy.never) for threshold in policy.thresholds],
        "temperatures": list(policy.temperatures),
        "certificate": None if certificate is None else asdict(certificate),
        "network": net.fingerprint() if net is not None else certificate.network if certificate else "",
    }
    return {**value, "sha256": digest(value)}


def policy_from_json(value: Any, net: EarlyExit | None = None) -> Policy:
    """What `policy_to_json` made, checked; without a certificate, kind and thresholds are enough.

    Args:
        value: plain values.
        net: the network that it must be for.

    Raises:
        InputError: if it is for another network, or its certificate does not hold.
        ShoalError: if it is no policy, or not as it was written.

    Example:
        >>> policy_from_json({"kind": "entropy", "thresholds": [0.3, None]})
        Entropy(thresholds=(0.3, -inf), temperatures=(1.0, 1.0), certificate=None)
    """
    expected, again = "a policy as it was saved", "calibrate again, or copy the file again"
    if not isinstance(value, Mapping) or not {"kind", "thresholds"} <= value.keys():
        raise ShoalError(f"policy: expected {expected}, got no kind and thresholds; {again}")
    rest = {key: item for key, item in value.items() if key != "sha256"}
    if value.get("sha256", None if value.get("certificate") else digest(rest)) != digest(rest):
        raise ShoalError(f"policy: expected {expected}, got another content (a damaged or edited file); {again}")
    kind = KINDS.get(str(value["kind"]))
    if kind is None:
        raise unknown_name("policy", str(value["kind"]), KINDS)
    try:
        thresholds = [kind.never if item is None else float(item) for item in value["thresholds"]]
        temperatures = None if value.get("temperatures") is None else [float(item) for item in value["temperatures"]]
        certificate = None if not value.get("certificate") else _certificate(value["certificate"])
        policy = kind(thresholds, temperatures, certificate=certificate)
        if certificate is not None:
            certificate.check()
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise ShoalError(f"policy: expected {expected}, got values of another form ({error}); {again}") from None
    if net is not None:
        policy.check(len(net.at))
        for network in (value.get("network"), certificate and certificate.network):
            _check_network(net, str(network or ""))
    return policy


def _certificate(value: Mapping[str, Any]) -> Certificate:
    no_counts = {
        "network": str,
        "never_leaves": bool,
        **dict.fromkeys(("max_accuracy_drop", "confidence", "p_value"), float),
    }
    return Certificate(**{name: no_counts.get(name, int)(item) for name, item in value.items()})


def _check_network(net: EarlyExit, network: str) -> None:
    if network and network != net.fingerprint():
        got, fix = f"one for {network}", "calibrate one for this network"
        raise wrong("policy", expected=f"one for this network ({net.fingerprint()})", got=got, fix=fix)


def _plain(threshold: float, never: float) -> float | str | None:
    if threshold == never:
        return None
    return threshold if math.isfinite(threshold) else str(threshold)  # JSON has no infinity


def canonical(value: Any) -> str:
    """JSON of plain values, the same for the same values."""
    return json.dumps(value, sort_keys=True)


def digest(value: Any) -> str:
    """16 hexadecimal digits of plain values."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]
