"""What `shoal circuits` is asked about rules and saved heads, and what it answers: plain values, and lines to read.

verify_rule("same & not_self", HeadConfig()).lines()
learn_rule("unique", HeadConfig(), seeds=20, output=Path("heads.safetensors"))
compare_sides("first", "heads.safetensors", HeadConfig())
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from shoal.circuits import (
    Head,
    Measure,
    compare,
    compile_rule,
    decompile,
    learn,
    match_heads,
    measure_matching,
    parse_rule,
    verify,
)
from shoal.circuits.agreement import agreement_score
from shoal.circuits.rules import AnyRule
from shoal.errors import InputError, wrong
from shoal.measure import proportion_interval
from shoal.studies.circuits_config import HeadConfig
from shoal.studies.circuits_heads import load_heads, save_heads
from shoal.studies.circuits_learned import plain_proof
from shoal.studies.circuits_tasks import TASKS
from shoal.studies.threads import threads

SUFFIX = ".safetensors"  # tells a file of heads from a rule
RESAMPLES = 200


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A compiled rule.

    Attributes:
        rule: as it is understood.
        inputs: names of the input's dimensions.
        weights: W_Q, W_K and W_V by name.
        tables: the same to read.
        proof: plain values; `said` is a sentence.
    """

    rule: str
    inputs: list[str]
    weights: dict[str, list[list[float]]]
    tables: str
    proof: dict[str, Any]
    said: str

    def lines(self) -> list[str]:
        """Weights and proof."""
        return [f"{self.rule}, as one head", "", self.tables, "", self.said]


@dataclass(frozen=True, kw_only=True)
class Learned:
    """Heads that were trained on a rule.

    Attributes:
        rule: as it is understood.
        seeds: of the heads.
        holding: how many hold; `low` and `high` are the ends of Wilson's 95 % interval of their share.
        proofs: of each, plain values.
        named: what `decompile` says of each; empty for none.
        output: file that the heads were written to; empty for none.
    """

    rule: str
    seeds: list[int]
    holding: int
    low: float
    high: float
    proofs: list[dict[str, Any]]
    named: list[str]
    output: str

    def lines(self) -> list[str]:
        """A row for every head, and the count."""
        rows = [
            f"{seed:>4}  {'holds' if proof['holds'] else 'fails':<5}  {proof['accuracy']:>8.1%}  "
            f"{proof['margin']:>7.3f}  {proof['leak']:>8.1e}  {name or 'none'}"
            for seed, proof, name in zip(self.seeds, self.proofs, self.named, strict=True)
        ]
        head = f"{'seed':>4}  {'':<5}  {'right on':>8}  {'margin':>7}  {'leak':>8}  named"
        inputs = f"{self.proofs[0]['inputs']:,} inputs"
        found = f"{self.holding} of {len(self.seeds)} heads hold on all {inputs} [{self.low:.0%}, {self.high:.0%}]"
        return [f"{self.rule}, learned", "", head, *rows, "", found, *([f"heads: {self.output}"] * bool(self.output))]


@dataclass(frozen=True, kw_only=True)
class Matched:
    """Two sides, head by head.

    Attributes:
        one, other: what was compared.
        pairs: which heads, and their agreement in plain values; `said` is a line for each.
        matching: mean score of the matched heads of two files, see `shoal.circuits.measure_matching`.
    """

    one: str
    other: str
    pairs: list[dict[str, Any]]
    said: list[str]
    matching: Measure | None = None

    def lines(self) -> list[str]:
        """A line for every pair."""
        matched = [] if self.matching is None else [f"matched heads: mean score {self.matching}"]
        return [f"{self.one} against {self.other}", "", *self.said, *matched]


def verify_rule(text: str, config: HeadConfig) -> Verified:
    """Compile a rule and look at every input."""
    rule = parse_rule(text)
    with threads(1):
        head = compile_rule(rule, config.tokens, config.max_len)
        proof = verify(head, rule)
    return Verified(
        rule=str(rule),
        inputs=list(head.layout.names),
        weights={name: weights.tolist() for name, weights in head.named_parameters()},
        tables=head.tables(),
        proof=plain_proof(proof),
        said=str(proof),
    )


def learn_rule(text: str, config: HeadConfig, *, seeds: int, seed: int = 0, output: Path | None = None) -> Learned:
    """Train heads on a rule, prove each, and keep them.

    Args:
        text: the rule.
        config: what heads see.
        seeds: how many.
        seed: of the first.
        output: a .safetensors file for the heads.
    """
    rule = parse_rule(text)
    if output is not None and output.suffix != SUFFIX:
        raise wrong("--output", expected=f"a file that ends in {SUFFIX}", got=output)
    with threads(1):
        heads = learn(rule, config.tokens, config.max_len, seeds=seeds, first_seed=seed)
        proofs = [plain_proof(verify(head, rule)) for head in heads]
        named = [_named(head) for head in heads]
    if output is not None:
        save_heads(output, heads, str(rule))
    holding = sum(proof["holds"] for proof in proofs)
    share = proportion_interval(holding, len(heads))
    return Learned(
        rule=str(rule),
        seeds=list(range(seed, seed + len(heads))),
        holding=holding,
        low=share.low,
        high=share.high,
        proofs=proofs,
        named=named,
        output=str(output or ""),
    )


def compare_sides(one: str, other: str, config: HeadConfig) -> Matched:
    """Compare rules and files of heads: a rule with every head of a file, two files by their best matching.

    Args:
        one: a rule, or a .safetensors file of heads.
        other: the same.
        config: what compiled heads see where neither side is a file; a file says it itself.
    """
    files = {side: load_heads(side)[1] for side in (one, other) if side.endswith(SUFFIX)}
    if files:
        layout = next(iter(files.values()))[0].layout
        tokens, max_len = layout.vocabulary, layout.max_len
    else:
        tokens, max_len = config.tokens, config.max_len
    sides = [files.get(side) or [compile_rule(parse_rule(side), tokens, max_len)] for side in (one, other)]
    with threads(1):
        pairs, matching = _matching(*sides)
        found = [_pair(sides, pair) for pair in pairs]
    rows, lines = [row for row, _ in found], [line for _, line in found]
    return Matched(one=one, other=other, pairs=rows, said=lines, matching=matching)


def exhibits(texts: Sequence[str], config: HeadConfig, seeds: int) -> list[tuple[AnyRule, Head, list[Head], str]]:
    """Rules with their compiled and learned heads and what they mean, for the page; heads that hold come first.

    Args:
        texts: rules; those of the study unless given.
        config: what heads see.
        seeds: learned heads of each rule.
    """
    meanings = {str(task.parsed): task.meaning for task in TASKS}
    found = []
    for text in texts or [task.rule for task in TASKS]:
        rule = parse_rule(text)
        with threads(1):
            hand = compile_rule(rule, config.tokens, config.max_len)
            heads = learn(rule, config.tokens, config.max_len, seeds=seeds)
            heads.sort(key=lambda head: not verify(head, rule).holds)
        found.append((rule, hand, heads, meanings.get(str(rule), "")))
    return found


def _named(head: Head) -> str:
    """What `decompile` says; nothing where there are too many inputs."""
    try:
        return str(decompile(head) or "")
    except InputError:
        return ""


def _matching(ours: list[Head], theirs: list[Head]) -> tuple[list[tuple[int, int]], Measure | None]:
    """A single head meets every other; else heads are matched."""
    if min(len(ours), len(theirs)) == 1:
        return [(i, j) for i in range(len(ours)) for j in range(len(theirs))], None
    scores = torch.tensor([[agreement_score(a, b) for b in theirs] for a in ours])
    return match_heads(scores), measure_matching(scores)


def _pair(sides: list[list[Head]], pair: tuple[int, int]) -> tuple[dict[str, Any], str]:
    found = compare(*(heads[i] for heads, i in zip(sides, pair, strict=True)), draws=RESAMPLES)
    row = {"heads": list(pair), "score": found.score, **asdict(found)}
    which = " × ".join(f"head {i}" if len(heads) > 1 else "head" for heads, i in zip(sides, pair, strict=True))
    line = (
        f"{which}: score {found.overall}; QK {found.qk.value:.3f}, contributions {found.contributions.value:.3f}, "
        f"attention {found.attention.value:.3f}, OV {found.ov.value:.3f}, {found.temperature.value:.3g} times softer"
    )
    return row, line
