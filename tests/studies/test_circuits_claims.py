"""Every claim of the circuits study, with made-up measurements that lead to each of the verdicts."""

from dataclasses import replace

import pytest

from shoal.studies import circuits_claims as claims
from shoal.studies.circuits_config import CircuitsConfig, resolve
from shoal.studies.circuits_findings import summary, tables
from shoal.studies.circuits_measured import LearnedHead, over
from shoal.studies.circuits_pictures import pictures
from tests.studies.made_up_circuits import SEEDS, around, learned, measured, proof, transformer, with_task


def heads(count: int = SEEDS, **changes: object) -> list[LearnedHead]:
    return [learned(seed, **changes) for seed in range(count)]  # type: ignore[arg-type]


def failing(count: int) -> list[LearnedHead]:
    bad = proof(holds=False, accuracy=0.8, counterexample="A, place 0: expected [1], got [0]")
    return [replace(head, proof=bad if seed < count else head.proof) for seed, head in enumerate(heads())]


def test_everything_supported() -> None:
    found = claims.all_claims(measured())
    assert {claim.id for claim in found if claim.verdict != "supported"} == set()
    assert len({claim.id for claim in found}) == len({claim.sentence for claim in found}) == len(found) == 17
    for claim in found:
        assert any(digit in claim.measured for digit in "0123456789")


def test_proofs() -> None:
    base = measured()
    wrong = replace(base.tasks[1], hand=proof(holds=False, accuracy=0.9))
    assert claims.hand_heads_hold(replace(base, tasks=(base.tasks[0], wrong))).verdict == "contradicted"
    some = with_task("unique", failing(SEEDS // 2))
    assert claims.the_hard_one_is_learned(some).verdict == "inconclusive"
    assert claims.the_hard_one_is_learned(with_task("unique", failing(SEEDS - 5))).verdict == "contradicted"
    everywhere = replace(base, tasks=tuple(replace(task, learned=failing(SEEDS // 2)) for task in base.tasks))
    claim = claims.learned_heads_hold(everywhere)
    assert claim.verdict == "contradicted"
    assert "160 of 320 heads" in claim.measured


def test_agreement() -> None:
    alike = replace(measured(), tasks=tuple(replace(task, learned=heads(raw=0.9)) for task in measured().tasks))
    assert claims.raw_weights_look_unlike(alike).verdict == "contradicted"
    far = [replace(head, compared=replace(head.compared, qk=around(0.5), ov=around(0.2))) for head in heads()]
    claim = claims.circuits_agree(with_task("last", far))
    assert claim.verdict == "contradicted"
    assert "Least for last" in claim.measured
    assert claims.values_copy(with_task("last", far)).verdict == "contradicted"
    assert claims.values_copy(with_task("unique", far)).verdict == "supported"  # its outputs are no tokens
    assert claims.learned_is_softer(with_task("first", heads(temperature=0.5))).verdict == "contradicted"
    assert claims.learned_is_softer(with_task("first", heads())).effect == pytest.approx(5.1, rel=0.01)


def test_looks() -> None:
    pure = [replace(h, looks=replace(h.looks, shares=[0.0, 0.0, 0.0, 1.0], stripe=0.2, band=0.2)) for h in heads()]
    base = measured()
    every = replace(base, tasks=tuple(replace(task, learned=pure) for task in base.tasks))
    assert claims.content_is_mixed_in(every).verdict == "contradicted"
    assert claims.positions_make_stripes(every).verdict == "contradicted"
    assert claims.distances_make_bands(every).verdict == "contradicted"


def test_entries_and_names() -> None:
    base = measured()
    harmed = replace(base, tasks=tuple(replace(t, learned=heads(harmless=False, right=False)) for t in base.tasks))
    assert claims.the_rest_can_go(harmed).verdict == "contradicted"
    assert claims.heads_are_named(harmed).verdict == "contradicted"
    assert "320 are given another rule" in claims.heads_are_named(harmed).measured


def test_rules_apart() -> None:
    base = measured()
    near = [[0.8, 0.9, 0.85], *base.separation.other[1:]]
    claim = claims.rules_are_told_apart(replace(base, separation=replace(base.separation, other=near)))
    assert claim.verdict == "contradicted"
    assert "Least for same" in claim.measured
    alone = replace(base.separation, own=[[0.97], *base.separation.own[1:]], other=[[0.1], *base.separation.other[1:]])
    assert claims.rules_are_told_apart(replace(base, separation=alone)).verdict == "supported"
    lonely = replace(base.separation, own=[[0.97]], other=[[0.1]], rules=["same"], scores=[[0.97]])
    assert claims.rules_are_told_apart(replace(base, separation=lonely)).verdict == "inconclusive"


def test_transformers() -> None:
    dull = measured(transformers=tuple(transformer(seed, roles=(0.9, 0.2, 0.9)) for seed in range(3)))
    claim = claims.heads_specialise(dull)
    assert claim.verdict == "contradicted"
    assert "0.21 on the previous key" in claim.measured
    assert claims.content_has_a_head(dull).verdict == "supported"
    blind = measured(transformers=tuple(transformer(seed, roles=(0.9, 0.9, 0.3)) for seed in range(3)))
    assert claims.content_has_a_head(blind).verdict == "contradicted"
    assert claims.heads_specialise(blind).verdict == "supported"
    needed = [transformer(seed) for seed in range(3)]
    needed = [replace(x, heads=[replace(head, drop=0.2) for head in x.heads]) for x in needed]
    assert claims.heads_are_redundant(measured(transformers=tuple(needed))).verdict == "contradicted"
    alike = [replace(x, untrained_likeness=x.likeness) for x in needed]
    assert claims.training_sets_heads_apart(measured(transformers=tuple(alike))).verdict == "contradicted"
    lost = measured(transformers=tuple(transformer(seed, accuracy=[1.0, 1.0, 0.7]) for seed in range(3)))
    about = ("heads_specialise", "content_has_a_head", "training_sets_heads_apart", "heads_are_redundant")
    unsure = [claim for claim in claims.all_claims(lost) if claim.id in about]
    assert {claim.verdict for claim in unsure} == {"inconclusive"}
    assert all("70 % of “unique or not”" in claim.unsettled for claim in unsure)


def test_nothing_learned_is_no_error() -> None:
    base = measured()
    none = replace(
        base,
        tasks=tuple(replace(task, learned=failing(SEEDS)) for task in base.tasks),
        separation=replace(base.separation, own=[[] for _ in base.tasks], other=[[] for _ in base.tasks]),
    )
    found = {claim.id: claim.verdict for claim in claims.all_claims(none)}
    assert found["learned_heads_hold"] == "contradicted"
    assert found["circuits_agree"] == found["rules_are_told_apart"] == found["values_copy"] == "inconclusive"
    config = resolve(CircuitsConfig(budget="quick"))
    assert len(summary(none)) == 4
    assert len(tables(config, none)) == 7
    assert pictures(none)


def test_means_over_heads() -> None:
    assert over([0.3]).value == 0.3
    assert over([]).low < -1000


def test_sentences_tables_and_pictures() -> None:
    config, m = resolve(CircuitsConfig(budget="quick")), measured()
    assert "8 of 8 heads" in summary(m)[0]
    assert "12 of 24 heads can be left out" in summary(m)[2]
    found = {table.id: table for table in tables(config, m)}
    assert found["proofs"].rows[0][7] == f"{SEEDS} of {SEEDS}"
    assert len(found["looks"].rows) == 24
    assert found["separation"].rows[0][3] != "same"
    shown = pictures(m)
    assert len({picture.id for picture in shown}) == len(shown) == 10
    assert all(picture.rows for picture in shown)
