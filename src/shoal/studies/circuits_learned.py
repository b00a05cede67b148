"""Heads by hand and learned, of one task: proofs, agreement, looks, what can be removed, and what they are named."""

from dataclasses import asdict
from typing import Any

import torch

from shoal.circuits import (
    Agreement,
    Head,
    Proof,
    ablate,
    compare,
    decompile,
    measure_pattern,
    measure_shares,
    qk_table,
    verify,
)
from shoal.circuits.layout import PADDING
from shoal.circuits.rules import AnyRule
from shoal.circuits.sequences import padded
from shoal.circuits.sides import longest_maps
from shoal.circuits.targets import selection
from shoal.studies.circuits_tasks import Task
from shoal.studies.measured_rows import Row

TO_CHOOSE = ("ABBA", "ABCA", "AABB", "CCCC", "BAC", "AB")  # sequences whose steps are shown


def check(head: Head, task: Task) -> Row:
    """The proof of one head, as `Checked` holds it."""
    return plain_proof(verify(head, task.parsed))


def plain_proof(proof: Proof) -> Row:
    """A proof as plain values."""
    return {
        "holds": proof.holds,
        "inputs": proof.inputs,
        "exhaustive": proof.exhaustive,
        "accuracy": proof.accuracy,
        "margin": proof.worst_margin,
        "leak": proof.leak,
        "counterexample": str(proof.counterexample or ""),
    }


def compare_task(task: Task, heads: list[Head], resamples: int) -> Row:
    """Agreement of every learned head with the hand-made one, as `Compared` holds it."""
    hand = task.by_hand()
    return {"heads": [plain_agreement(compare(hand, head, draws=resamples)) for head in heads]}


def plain_agreement(found: Agreement) -> Row:
    """An agreement as plain values; every measure is a row with its interval and what chance gives."""
    measures = {
        "score": found.overall,
        "qk": found.qk,
        "contributions": found.contributions,
        "attention": found.attention,
        "jensen_shannon": found.jensen_shannon,
        "ov": found.ov,
        "raw": found.raw_queries,
        "temperature": found.temperature,
    }
    return {name: measure and asdict(measure) for name, measure in measures.items()}


def look(head: Head) -> Row:
    """What a head looks like, as `Looks` holds it; maps are those of sequences of the full length."""
    shares = vars(measure_shares(head)).values()
    found = measure_pattern(longest_maps(head))
    measures = {"entropy": found.entropy, "stripe": found.stripe, "band": found.band}
    return {
        "shares": [share.value for share in shares],
        **{name: measure.value for name, measure in measures.items()},
        "by_chance": [measure.chance for measure in (*shares, *measures.values())],
    }


def remove(head: Head, task: Task) -> Row:
    """Without the entries that the rule has no use for."""
    found = ablate(head, task.parsed)
    return {"harmless": found.harmless, "farthest": found.farthest, "removed": found.removed}


def name(head: Head, task: Task) -> Row:
    """What `decompile` says, and whether that is the task's rule."""
    found = decompile(head)
    return {"named": str(found or ""), "right": found is not None and alike(found, task.parsed, head)}


def alike(one: AnyRule, other: AnyRule, head: Head) -> bool:
    """Whether two rules select the same keys on all inputs of a head, and are of one kind."""
    layout = head.layout
    tokens = padded(len(layout.vocabulary), layout.max_len, PADDING)
    kinds = {str(rule) == "unique()" for rule in (one, other)}
    chosen = (selection(rule, tokens, layout.vocabulary) for rule in (one, other))
    return len(kinds) == 1 and torch.equal(*chosen)


def show(task: Task, learned: Head) -> Row:
    """One sequence and both QK circuits, as `Shown` holds them."""
    hand = task.by_hand()
    places = [f"{token}{place}" for place, token in enumerate(task.sequence)]
    layout = hand.layout
    return {
        "queries": places,
        "keys": [*(["∅"] if layout.null else []), *places],
        "hand": _rounded(hand.trace(task.sequence).attention[0]),
        "learned": _rounded(learned.trace(task.sequence).attention[0]),
        "inputs": [f"{token}{place}" for token in layout.vocabulary for place in range(layout.max_len)],
        "qk_hand": _rounded(_table(hand)),
        "qk_learned": _rounded(_table(learned)),
        "steps": [
            {"sequence": sequence, "hand": _steps(hand, sequence), "learned": _steps(learned, sequence)}
            for sequence in (task.sequence, *(s for s in TO_CHOOSE if s != task.sequence))
        ],
    }


def _steps(head: Head, sequence: str) -> Row:
    """Every step of a head for one sequence, rows are queries or keys."""
    found = head.trace(sequence)
    parts = {"Q": found.queries, "K": found.keys, "V": found.values, "scores": found.scores}
    parts |= {"attention": found.attention, "output": found.outputs}
    return {name: _rounded(part[0]) for name, part in parts.items()}


def _table(head: Head) -> torch.Tensor:
    """Centred scores over their largest size, (queries, keys)."""
    table = qk_table(head).flatten(0, 1)
    return table / table.abs().max().clamp_min(1e-12)


def _rounded(table: torch.Tensor) -> list[list[Any]]:
    """Four digits: these are drawn, not computed with."""
    return [[round(value, 4) for value in row] for row in table.detach().double().tolist()]
