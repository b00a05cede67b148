"""Circuits: how long learning takes, how often it succeeds, how well rules are told apart and read back.

    python -m benchmarks.circuits [all|tables] [--turns 3] [--seeds 20] [--heads 500] [--strangers 100]

Writes benchmarks/records/circuits.json and the tables of docs/circuits.md. One thread; every head is one
initialisation, nothing is started again.
"""

import argparse
import itertools
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.circuits_tables import write_tables
from benchmarks.parts import say
from shoal.circuits import Head, Training, compare, compile_rule, decompile, learn, parse_rule, verify
from shoal.circuits.layout import PADDING
from shoal.circuits.learning import optimise
from shoal.circuits.sequences import padded
from shoal.circuits.targets import wanted_output
from shoal.engine import describe_environment
from shoal.files import write_json
from shoal.studies.circuits_learned import alike
from shoal.studies.circuits_separation import separate
from shoal.studies.circuits_tasks import SHORT, TASKS, Task, short_tasks

RECORD = Path(__file__).parent / "records" / "circuits.json"
THREADS = 1
VOCABULARY = "ABC"
HALF_TRAINED = 40  # steps, of 300
NAMED = (  # rules whose heads are read back; what selects alike on every input is there once
    *("same", "~same", "token('A')", "~token('B')", "first", "last", "previous", "at(1)", "at(2)", "not_self"),
    *("~first", "~previous", "at(1) | at(2)", "~(first | at(3))", "same & not_self", "same & ~first"),
    *("~same & ~first", "same & previous", "token('A') & ~first", "token('A') & not_self", "token('B') & previous"),
    *("token('C') & first", "~token('A') & not_self", "~same & previous", "unique"),
)


def learning(turns: int, seeds: int) -> list[dict[str, Any]]:
    """Seconds and success of every task of the study."""
    learn(parse_rule("first"), VOCABULARY, SHORT, seeds=2)  # what is slow only once
    rows = []
    for task in TASKS:
        seconds, heads = [], []
        for _ in range(turns):
            began = time.perf_counter()
            heads = learn(task.parsed, task.vocabulary, task.max_len, seeds=seeds, qk_dim=task.qk_dim)
            seconds.append(time.perf_counter() - began)
        proofs = [verify(head, task.parsed) for head in heads]
        row = {
            "rule": task.name,
            "max_len": task.max_len,
            "inputs": proofs[0].inputs,
            "seeds": seeds,
            "seconds": {"median": statistics.median(seconds), "low": min(seconds), "high": max(seconds)},
            "turns": turns,
            "holding": sum(proof.holds for proof in proofs),
            "hand_holds": verify(task.by_hand(), task.parsed).holds,
        }
        rows.append(row)
        say(f"{task.name}: {row['seconds']['median']:.2f} s, {row['holding']} of {seeds} hold")
    return rows


def separation(seeds: int) -> dict[str, Any]:
    """Scores of learned heads with their own rule and with all others."""
    tasks = short_tasks()
    learned = [_holding(task, seeds) for task in tasks]
    found = separate(tasks, learned)
    own, other = ([score for rule in found[name] for score in rule] for name in ("own", "other"))
    gaps = [a - b for a, b in zip(own, other, strict=True)]
    say(f"separation: least gap {min(gaps):.3f} of {len(gaps)} heads")
    return {
        **found,
        "heads": len(own),
        "own_least": min(own),
        "own_median": statistics.median(own),
        "other_most": max(other),
        "other_median": statistics.median(other),
        "gap_least": min(gaps),
        "gap_median": statistics.median(gaps),
        "apart": sum(gap >= 0.5 for gap in gaps),
    }


def _holding(task: Task, seeds: int) -> list[Head]:
    heads = learn(task.parsed, task.vocabulary, task.max_len, seeds=seeds)
    return [head for head in heads if verify(head, task.parsed).holds]


def naming(count: int) -> dict[str, Any]:
    """What `decompile` says of learned heads that hold."""
    each = -(-count // len(NAMED))
    trained, rows = 0, []
    for text in NAMED:
        rule = parse_rule(text)
        heads = learn(rule, VOCABULARY, SHORT, seeds=each)
        good = [head for head in heads if verify(head, rule).holds]
        trained += len(heads)
        names = [decompile(head) for head in good]
        kept = [
            verify(compile_rule(name, VOCABULARY, SHORT), rule).accuracy for name in names if name is not None
        ]  # of the rule that would take the head's place
        right = [name is not None and alike(name, rule, head) for name, head in zip(names, good, strict=True)]
        wrong = sorted({str(name) for name, fits in zip(names, right, strict=True) if not fits})
        rows.append(
            {
                "rule": text,
                "trained": len(heads),
                "heads": len(good),
                "right": sum(right),
                "else": wrong,
                "replaced_accuracy": min(kept, default=1.0),
            }
        )
        say(f"decompile {text}: {sum(right)} of {len(good)} right {wrong or ''}")
    heads, right = (sum(row[name] for row in rows) for name in ("heads", "right"))
    return {"trained": trained, "heads": heads, "right": right, "recall": right / max(1, heads), "rules": rows}


def strangers(count: int) -> dict[str, Any]:
    """What `decompile` says of heads that fail their rules: half-trained ones, and two kinds of mixed ones."""
    half, quarter = count // 2, count // 4
    kinds = {"half_trained": _half_trained(half), "means": _means(quarter), "of_two": _of_two(count - half - quarter)}
    found: dict[str, Any] = {}
    for name, heads in kinds.items():
        named = [(head, rule) for head in heads if (rule := decompile(head)) is not None]
        found[name] = {
            "heads": len(heads),
            "none": len(heads) - len(named),
            "named": sorted(str(rule) for _, rule in named),
            "following_what_was_named": sum(verify(head, rule).holds for head, rule in named),
        }
        say(f"{name}: none for {found[name]['none']} of {len(heads)} {found[name]['named'] or ''}")
    none, total = (sum(part[name] for part in found.values()) for name in ("none", "heads"))
    return {**found, "none_rate": none / max(1, total)}


def _half_trained(count: int) -> list[Head]:
    """Heads that were stopped early and fail."""
    found: list[Head] = []
    first_seed = 0
    while len(found) < count and first_seed < 1000:
        for text in NAMED:
            rule = parse_rule(text)
            options = {"seeds": 4, "training": Training(steps=HALF_TRAINED), "first_seed": first_seed}
            found += [h for h in learn(rule, VOCABULARY, SHORT, **options) if not verify(h, rule).holds]
        first_seed += 4
    return _spread_out(found, count)


def _means(count: int) -> list[Head]:
    """Means of the weights of two learned heads of one shape, which follow neither of the two rules."""
    each = 8
    learned = {text: learn(parse_rule(text), VOCABULARY, SHORT, seeds=each) for text in NAMED}
    found = []
    for one, other in _pairs_of_one_shape():
        means = [_mean(a, b) for a, b in zip(learned[one], learned[other], strict=True)]
        found += [head for head in means if _fails(head, one, other)]
    return _spread_out(found, count)


def _of_two(count: int) -> list[Head]:
    """Heads that were trained on two rules at once, on the mean of their outputs, and follow neither."""
    found = []
    for one, other in _pairs_of_one_shape():
        hand = compile_rule(parse_rule(one), VOCABULARY, SHORT)
        tokens = padded(len(VOCABULARY), SHORT, PADDING)
        targets = sum(wanted_output(parse_rule(text), tokens, tuple(VOCABULARY)).float() for text in (one, other)) / 2
        how, generator = Training(), torch.Generator().manual_seed(0)
        drawn = [how.spread * torch.randn(2, *w.shape, generator=generator) for w in hand.parameters()]
        weights = [w.requires_grad_() for w in drawn]
        optimise(weights, hand.layout, tokens, torch.as_tensor(targets), how)
        for own in zip(*(w.detach() for w in weights), strict=True):  # two heads
            head = Head(hand.layout, hand.W_Q.shape[1], hand.W_V.shape[1])
            for parameter, trained in zip(head.parameters(), own, strict=True):
                parameter.data.copy_(trained)
            found += [head] if _fails(head, one, other) else []
    return _spread_out(found, count)


def _pairs_of_one_shape() -> list[tuple[str, str]]:
    """Rules whose compiled heads have the same weights' shapes."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for text in NAMED:
        hand = compile_rule(parse_rule(text), VOCABULARY, SHORT)
        shape = (hand.layout, *(tuple(weights.shape) for weights in hand.parameters()))
        groups.setdefault(shape, []).append(text)
    return [pair for texts in groups.values() for pair in itertools.combinations(texts, 2)]


def _fails(head: Head, *rules: str) -> bool:
    return not any(verify(head, parse_rule(text)).holds for text in rules)


def _spread_out(heads: list[Head], count: int) -> list[Head]:
    """So many, from everywhere in the list."""
    every = max(1, len(heads) // max(1, count))
    return heads[::every][:count]


@torch.no_grad()
def _mean(one: Head, other: Head) -> Head:
    head = Head(one.layout, one.W_Q.shape[1], one.W_V.shape[1])
    for mean, a, b in zip(head.parameters(), one.parameters(), other.parameters(), strict=True):
        mean.copy_((a + b) / 2)
    return head


def speed() -> dict[str, float]:
    """Seconds of what is asked most often, for one head of four tokens."""
    rule = parse_rule("same & not_self")
    hand, (learned,) = compile_rule(rule, VOCABULARY, SHORT), learn(rule, VOCABULARY, SHORT, seeds=1)
    decompile(learned)  # its candidates are made once
    calls = {
        "compile": lambda: compile_rule(rule, VOCABULARY, SHORT),
        "verify": lambda: verify(learned, rule),
        "compare": lambda: compare(hand, learned),
        "decompile": lambda: decompile(learned),
    }
    return {name: _median_seconds(call) for name, call in calls.items()}


def _median_seconds(call: Any, turns: int = 5) -> float:
    seconds = []
    for _ in range(turns):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def environment() -> dict[str, Any]:
    """Machine, versions, commit."""
    found = describe_environment(seed=0, device="cpu", why="benchmark")
    changed = subprocess.run(
        ["git", "status", "--porcelain", "src/shoal/circuits"], capture_output=True, text=True, check=False
    )
    return {**found, "threads": THREADS, "sources_changed": bool(changed.stdout.strip())}


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", nargs="?", choices=("all", "tables"), default="all")
    for name, usual in (("turns", 3), ("seeds", 20), ("heads", 500), ("strangers", 100)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--record", type=Path, default=RECORD)
    words = parser.parse_args()
    torch.set_num_threads(THREADS)
    if words.part == "all":
        record = {
            "environment": environment(),
            "learning": learning(words.turns, words.seeds),
            "speed": speed(),
            "separation": separation(words.seeds),
            "naming": naming(words.heads),
            "strangers": strangers(words.strangers),
        }
        write_json(words.record, record)
    if words.record == RECORD:
        write_tables(RECORD)


if __name__ == "__main__":
    main()
