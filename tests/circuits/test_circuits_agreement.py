"""Agreement: the same head is the same in any basis and gauge, other rules are far, and chance is shown beside."""

import copy
import itertools
from collections.abc import Callable
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from shoal.circuits import (
    Agreement,
    Head,
    Measure,
    compare,
    compile_rule,
    copy_score,
    match_heads,
    measure_matching,
    ov_table,
    parse_rule,
    qk_table,
    same,
    unique,
    variance_shares,
)
from shoal.circuits.agreement import agreement_score
from shoal.circuits.measures import draw_again
from shoal.circuits.patterns import jensen_shannon, total_variation
from shoal.circuits.sides import Common, Side, attention_of_scores, longest_maps
from shoal.circuits.tables import null_scores, raw_scores
from shoal.errors import InputError
from tests.circuits.examples import FOLLOWED, SOME, as_tokens, few_examples, hand, learned, made_of, normal, sequences

SAME = 1e-6
APART = ["same", "first", "last", "previous", "at(1)", "not_self", "same & not_self", "~first", "token('A')", "~same"]
quick = lambda one, other: compare(one, other, draws=2)  # noqa: E731 - where intervals are not looked at


def numbers(found: Agreement) -> list[float]:
    """All that `compare` says about two heads, but for what depends on the basis or on draws."""
    return [
        found.score, found.qk.value, found.contributions.value, found.attention.value, found.jensen_shannon.value,
        found.ov.value, found.temperature.value, *(copied.value for copied in found.copies),
        *(part.value for parts in (*found.shares, *found.patterns) for part in vars(parts).values()),
    ]  # fmt: skip


def other_basis(head: Head, seed: int) -> Head:
    """Queries times R, keys times R⁻ᵀ."""
    size = head.W_Q.shape[1]
    turn = torch.linalg.qr(normal(size, size, seed=seed)).Q @ torch.diag(0.5 + normal(size, seed=seed + 1).abs())
    turn = turn @ torch.linalg.qr(normal(size, size, seed=seed + 2)).Q
    return made_of(head, head.W_Q.detach() @ turn, head.W_K.detach() @ turn.inverse().T, head.W_V.detach())


def other_gauge(head: Head, seed: int) -> Head:
    """One more dimension, in which all keys are alike: every score of a query changes by the same."""
    rows, size = head.W_Q.shape
    stretch = ((size + 1) / size) ** 0.5  # scores are divided by the root of the dimensions
    keys = torch.zeros(rows, 1).double()
    keys[head.layout.content] = 1
    w_q = torch.cat([stretch * head.W_Q.detach(), 5 * normal(rows, 1, seed=seed)], 1)
    return made_of(head, w_q, torch.cat([head.W_K.detach(), keys], 1), head.W_V.detach())


def wider(head: Head, seed: int) -> Head:
    """More dimensions than there is use for."""
    rows, size = head.W_Q.shape
    stretch = ((size + 4) / size) ** 0.5
    idle = torch.zeros(rows, 4).double()
    w_q = torch.cat([stretch * head.W_Q.detach(), normal(rows, 4, seed=seed)], 1)
    return made_of(head, w_q, torch.cat([head.W_K.detach(), idle], 1), head.W_V.detach())


def anything(of: Head, seed: int, size: float = 1.0) -> Head:
    """Random weights on another head's inputs."""
    return made_of(of, *(size * normal(*w.shape, seed=10 * seed + i) for i, w in enumerate(of.parameters())))


def doubled(head: Head) -> Head:
    return copy.deepcopy(head).double()


@cache
def learned_numbers(text: str) -> list[float]:
    """What is said about two learned heads of a rule."""
    return numbers(quick(doubled(learned(text)[0]), doubled(learned(text)[1])))


# ---------------------------------------------------------------------- the same head


@pytest.mark.parametrize("change", [other_basis, other_gauge, wider])
@pytest.mark.parametrize("text", ["same", "previous", "same & not_self"])
@given(seed=st.integers(0, 1000))
@few_examples
def test_no_number_depends_on_basis_gauge_or_width(text: str, change: Callable[[Head, int], Head], seed: int) -> None:
    head, other = doubled(learned(text)[0]), doubled(learned(text)[1])
    expected = learned_numbers(text)
    assert numbers(quick(change(head, seed), other)) == pytest.approx(expected, abs=SAME)
    assert numbers(quick(head, change(other, seed))) == pytest.approx(expected, abs=SAME)


@pytest.mark.parametrize("change", [other_basis, other_gauge, wider])
@pytest.mark.parametrize("text", ["same", "last", "same & not_self"])
def test_a_head_written_otherwise_is_the_same_head(text: str, change: Callable[[Head, int], Head]) -> None:
    for of in (hand(text), learned(text)[0], anything(hand(text), seed=4)):
        head = doubled(of)
        found = quick(head, change(head, 7))
        assert found.score == pytest.approx(1, abs=SAME)
        assert (found.qk.value, found.contributions.value, found.attention.value) == pytest.approx((1, 1, 1), abs=SAME)
        assert (found.jensen_shannon.value, found.ov.value, found.temperature.value) == pytest.approx(
            (0, 1, 1), abs=SAME
        )
        if found.raw_queries is not None and change is other_basis and head.W_Q.shape[1] > 1:
            assert found.raw_queries.value < 0.99


@pytest.mark.parametrize("text", [*SOME, "unique"])
def test_a_head_agrees_with_itself(text: str) -> None:
    assert quick(hand(text, "AB", 3), hand(text, "AB", 3)).score == pytest.approx(1, abs=SAME)


@given(st.integers(0, 10**6), st.sampled_from(["same", "first", "same & not_self"]))
@few_examples
def test_which_head_comes_first_does_not_matter(seed: int, text: str) -> None:
    one, other = anything(hand(text), seed), anything(hand("previous"), seed + 1)
    there, back = quick(one, other), quick(other, one)
    for name in ("overall", "qk", "contributions", "attention", "jensen_shannon", "ov"):
        assert getattr(there, name).value == pytest.approx(getattr(back, name).value, abs=1e-9)
    assert there.temperature.value * back.temperature.value == pytest.approx(there.qk.value**2, abs=1e-9)
    copied = [[copied.value for copied in found.copies] for found in (there, back)]
    assert copied[0] == copied[1][::-1]
    assert all(-1 - 1e-9 <= x <= 1 + 1e-9 for x in (there.score, there.ov.value, *copied[0]))
    assert 0 <= there.jensen_shannon.value <= 1


def test_a_softer_head_is_the_same_map_at_another_temperature() -> None:
    head = doubled(learned("previous")[0])
    softer = made_of(head, head.W_Q.detach() / 3, head.W_K.detach(), head.W_V.detach())
    found = quick(head, softer)
    assert found.qk.value == pytest.approx(1)
    assert found.temperature.value == pytest.approx(3)
    assert found.attention.value < 1 - 1e-3
    assert found.jensen_shannon.value > 1e-3


def test_opposite_scores_are_minus_one() -> None:
    head = doubled(learned("first")[0])
    found = quick(head, made_of(head, -head.W_Q.detach(), head.W_K.detach(), head.W_V.detach()))
    assert found.qk.value == pytest.approx(-1)
    assert found.score == pytest.approx(-1)


# ---------------------------------------------------------------------- what the parts are


def test_parts_are_what_loops_find() -> None:
    one, other = (doubled(learned("same & not_self")[i]) for i in (0, 1))
    found = quick(one, other)
    inputs = sequences("ABC", 4)
    variations, divergences, products, squares = [], [], 0.0, [0.0, 0.0]
    for x in inputs:
        a, b = one.trace(x), other.trace(x)
        variations += total_variation(a.attention[0], b.attention[0]).tolist()
        divergences += jensen_shannon(a.attention[0], b.attention[0]).tolist()
        parts = [t.attention[0][:, :, None] * t.values[0][None] for t in (a, b)]
        products += float((parts[0] * parts[1]).sum())
        squares = [s + float(p.square().sum()) for s, p in zip(squares, parts, strict=True)]
    assert found.attention.value == pytest.approx(1 - 2 * sum(variations) / len(variations), abs=1e-9)
    assert found.jensen_shannon.value == pytest.approx(sum(divergences) / len(divergences), abs=1e-9)
    assert found.contributions.value == pytest.approx(products / (squares[0] * squares[1]) ** 0.5, abs=1e-9)
    tables = [qk_table(head).flatten() for head in (one, other)]
    assert found.qk.value == pytest.approx(float(torch.cosine_similarity(*tables, dim=0)), abs=1e-9)
    assert found.score == pytest.approx(found.qk.value * found.contributions.value)


@pytest.mark.parametrize("text", ["same", "last", "~first", "same & not_self", "unique"])
def test_tables_hold_every_score_that_softmax_sees(text: str) -> None:
    head = anything(hand(text), seed=3)
    tokens = as_tokens(sequences("ABC", 4), "ABC", 4)
    scores = raw_scores(head)
    found = attention_of_scores(scores - scores.mean((2, 3), keepdim=True), null_scores(head), tokens)
    attention = head.trace_batch(tokens).attention.detach()
    attention = attention if head.layout.null else torch.nn.functional.pad(attention, (1, 0))
    assert float((found - attention)[tokens >= 0].abs().max()) < 1e-9


def test_ov_is_compared_where_it_is_used() -> None:
    """`first` looks at one place: what the others would pass on does not matter."""
    head = doubled(hand("first"))
    changed = made_of(head, head.W_Q.detach(), head.W_K.detach(), head.W_V.detach())
    changed.W_V.data[-3:] = 5  # values of the places that get no attention
    assert quick(head, changed).ov.value == pytest.approx(1)
    assert quick(head, changed).contributions.value == pytest.approx(1)
    assert copy_score(changed) < 0.9
    changed.W_V.data[-4] = 5  # and of the one that does
    assert quick(head, changed).ov.value < 0.9


def test_copies() -> None:
    for text in FOLLOWED:
        assert copy_score(hand(text)) == pytest.approx(1)
    assert copy_score(hand("unique")) == 0
    inverse = copy.deepcopy(hand("same"))
    inverse.W_V.data *= -1
    assert copy_score(inverse) == pytest.approx(-1)
    assert all(copy_score(head) > 0.95 for head in learned("same"))


def test_outputs_of_different_sizes_share_nothing() -> None:
    found = quick(hand("same & not_self"), hand("unique"))
    assert found.qk.value == pytest.approx(1)
    assert (found.contributions.value, found.ov.value, found.score) == (0, 0, 0)


# ---------------------------------------------------------------------- tables


@given(st.integers(0, 10**6), st.sampled_from(["same", "first", "same & not_self", "unique"]))
def test_shares_sum_to_one_and_scores_are_centred(seed: int, text: str) -> None:
    head = anything(hand(text), seed)
    shares = list(vars(variance_shares(head)).values())
    assert sum(shares) == pytest.approx(1)
    assert min(shares) >= 0
    table = qk_table(head)
    assert float(table.mean(2).abs().max()) < 1e-12
    assert table.shape == (3, 4, 12)


def test_scores_are_those_of_a_trace_less_their_mean() -> None:
    head = anything(hand("same & previous"), 5)
    table = qk_table(head)
    for i, a in enumerate("ABC"):  # the key at place 1 beside that at place 3, for the query at place 2
        for j, b in enumerate("ABC"):
            scores = head.trace(a + a + "B" + b).scores[0, 2]
            keys = scores[1:] if head.layout.null else scores
            assert float(keys[3] - keys[0]) == pytest.approx(
                float(table[1, 2, 4 * j + 3] - table[1, 2, 4 * i + 0]), abs=1e-9
            )


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("same", "content_content"),
        ("~same", "content_content"),
        ("token('A')", "content_content"),
        ("first", "position_position"),
        ("previous", "position_position"),
        ("last", "position_position"),
    ],
)
def test_a_hand_made_head_has_its_variance_where_its_rule_looks(text: str, share: str) -> None:
    assert getattr(variance_shares(hand(text)), share) == pytest.approx(1)


def test_a_mixed_rule_has_it_in_both_and_in_no_cross_term() -> None:
    shares = variance_shares(hand("same & not_self"))
    assert shares.content_content > 0.1
    assert shares.position_position > 0.1
    assert shares.content_position == pytest.approx(0)
    assert shares.position_content == pytest.approx(0)


def test_cross_terms_are_found() -> None:
    head = doubled(hand("first"))
    w_q, w_k = (torch.zeros(7, 1).double() for _ in range(2))
    w_q[0], w_k[3] = 1, 1  # an A looks at place 0
    only = variance_shares(made_of(head, w_q, w_k, head.W_V.detach()))
    assert only.content_position > 0.5  # the rest of it is what every query wants
    assert only.content_position + only.position_position == pytest.approx(1)
    other = variance_shares(made_of(head, w_k, w_q, head.W_V.detach()))
    assert other.position_content > 0.5
    assert other.position_content + other.content_content == pytest.approx(1)


def test_a_head_without_scores_has_its_variance_everywhere_alike() -> None:
    assert list(vars(variance_shares(hand("first | ~first"))).values()) == [0.25] * 4


def test_what_a_key_passes_on() -> None:
    head = anything(hand("same & not_self"), 9)
    table = ov_table(head)
    for i, name in enumerate("ABC"):
        assert torch.allclose(head.trace(name * 4).values[0, 1:], table[i])


# ---------------------------------------------------------------------- different rules


@pytest.mark.parametrize("pair", [*itertools.combinations(APART, 2)], ids=" / ".join)
def test_different_rules_are_far_apart(pair: tuple[str, str]) -> None:
    one, other = pair
    assert quick(hand(one), hand(other)).score <= 0.5


@pytest.mark.parametrize("text", ["same", "first", "last", "previous", "same & not_self"])
def test_learned_heads_agree_with_the_compiled_one_of_their_rule(text: str) -> None:
    found = [quick(hand(text), head) for head in learned(text)]
    assert all(x.score > 0.75 and x.qk.value > 0.75 for x in found)
    assert all(x.contributions.value > 0.95 for x in found)
    assert all(x.temperature.value > 1 for x in found)  # learned heads are softer
    assert all(quick(hand(other), learned(text)[0]).score <= 0.5 for other in APART if other != text)


# ---------------------------------------------------------------------- how sure, and by chance


def measures(found: Agreement) -> dict[str, Measure]:
    """Every measure of two heads by name; of those of one head, which has a number."""
    both = {
        f"{name} {at}": value
        for parts in (found.shares, found.patterns)
        for at in range(2)
        for name, value in vars(parts[at]).items()
    }
    single = {name: value for name, value in vars(found).items() if isinstance(value, Measure)}
    return single | both | {f"copies {at}": found.copies[at] for at in range(2)}


def test_every_measure_has_an_interval_that_holds_it_and_a_chance() -> None:
    for seed in range(3):
        found = compare(anything(hand("same & not_self"), seed), anything(hand("previous"), seed + 50), draws=30)
        assert len(measures(found)) == 7 + 8 + 12 + 2  # raw queries have other shapes
        for name, each in measures(found).items():
            assert each.low <= each.value <= each.high, name
            assert each.chance_low <= each.chance <= each.chance_high, name
            assert each.beyond_chance == (each.value > each.chance_high or each.value < each.chance_low)
            assert f"{each.value:.3f} [" in str(each)
        for name in ("overall", "qk", "contributions", "attention"):
            assert -1 <= getattr(found, name).low <= getattr(found, name).high <= 1


def test_samples_are_drawn_as_a_loop_over_them_would() -> None:
    """The parts of a bootstrap sample are those of a comparison of its rows alone."""
    one, other = (copy.deepcopy(head).requires_grad_(False) for head in learned("same & not_self")[:2])
    tokens = as_tokens(sequences("ABC", 4), "ABC", 4)
    sides = Side.of(one, tokens), Side.of(other, tokens)
    generator = torch.Generator().manual_seed(3)
    queries, rows = draw_again(12, 2, generator), draw_again(len(tokens), 2, generator)
    found = Common.of(*sides).parts(queries, rows)
    for draw in range(2):
        picked = torch.arange(len(tokens)).repeat_interleave(rows[draw].long())
        asked = torch.arange(12).repeat_interleave(queries[draw].long())
        a, b = (Side.of(head, tokens[picked]) for head in (one, other))
        again = Common.of(a, b).parts()
        for name in ("contributions", "attention", "jensen_shannon"):
            assert float(found[name][draw]) == pytest.approx(float(again[name]), abs=1e-9), name
        tables = [side.scores.flatten(2).flatten(0, 1)[asked].flatten() for side in sides]
        assert float(found["qk"][draw]) == pytest.approx(float(torch.cosine_similarity(*tables, dim=0)), abs=1e-9)
        slope = float((tables[0] @ tables[1]) / (tables[1] @ tables[1]))
        assert float(found["temperature"][draw]) == pytest.approx(slope, abs=1e-9)


def test_the_score_alone_is_that_of_a_comparison() -> None:
    for one, other in itertools.product(("same", "first", "unique"), repeat=2):
        assert agreement_score(hand(one), learned(other)[0]) == quick(hand(one), learned(other)[0]).score


def test_raw_queries_are_no_closer_than_another_basis_of_the_same_head() -> None:
    """That is what makes them useless: the head itself, turned, is as far; only another basis tells them apart."""
    one = doubled(learned("same & not_self")[0])
    itself, turned = compare(one, one).raw_queries, compare(one, other_basis(one, 3)).raw_queries
    assert itself is not None
    assert turned is not None
    assert itself.value == pytest.approx(1)
    assert itself.beyond_chance
    assert abs(itself.chance) < 0.1
    assert abs(turned.value) < 0.7


def test_copies_and_ov_by_chance_have_another_token() -> None:
    """Of three tokens, one in three keeps its own when they are renamed."""
    found = compare(hand("same"), learned("same")[0], draws=400)
    for each in (found.ov, *found.copies):
        assert each.value > 0.95
        assert each.chance == pytest.approx(1 / 3, abs=0.1)
    away = compare(hand("unique"), hand("unique"), draws=5)
    assert away.copies[0] == Measure(0, 0, 0, 0, 0, 0)


def test_shares_by_chance_are_those_of_weights_that_know_no_subspaces() -> None:
    """Without their means, a turned direction has a variance of 2/3 over three contents and 3/4 over four places."""
    found = compare(hand("first"), learned("first")[0], draws=400)
    for shares in found.shares:
        assert shares.position_position.value > 0.8
        assert shares.position_position.beyond_chance
        chances = {name: each.chance for name, each in vars(shares).items()}
        assert sum(chances.values()) == pytest.approx(1)
        assert chances["position_position"] + chances["content_position"] == pytest.approx(0.53, abs=0.05)
    exact = found.shares[0].position_position
    assert (exact.low, exact.high) == pytest.approx((1, 1))
    only = compare(compile_rule(same(), "ABC", 4), compile_rule(same(), "ABC", 4), draws=20).shares[0]
    assert only.content_content.chance == pytest.approx(1)  # nothing else is there


def test_patterns_of_both_heads_are_theirs() -> None:
    found = compare(hand("previous"), hand("first"), draws=200)
    before, first = found.patterns
    assert before.previous.value == pytest.approx(1)
    assert before.band.value > 0.9 > before.band.chance_high
    assert first.stripe.value == pytest.approx(1)
    assert first.stripe.beyond_chance
    assert longest_maps(hand("first")).shape == (81, 4, 4)
    for each in vars(before).values():
        assert 0 <= each.low <= each.high <= 1 + 1e-9


def test_an_interval_has_a_width_where_inputs_differ_and_none_where_heads_are_one() -> None:
    one, other = learned("same & not_self")[:2]
    apart, itself = (compare(one, x, draws=30) for x in (other, one))
    assert apart.overall.high - apart.overall.low > 1e-6
    assert itself.overall.high - itself.overall.low < 1e-9


def test_chance_is_what_renamed_heads_give() -> None:
    """On `first`, a renamed head looks at one of four places: 1 for the same, −1/3 for the three others."""
    found = compare(hand("first"), hand("first"), draws=200)
    assert found.qk.chance == pytest.approx(0, abs=0.15)
    assert found.qk.chance_high == pytest.approx(1)


@pytest.mark.parametrize("text", ["previous", "same & not_self"])
def test_what_is_learned_is_beyond_chance(text: str) -> None:
    """Of rules that more than twenty renamings tell apart; the same head by 1/4 of them, as on `first`, never is."""
    assert compare(hand(text), learned(text)[0], draws=60).overall.beyond_chance


@pytest.mark.slow
def test_unrelated_heads_are_rarely_beyond_chance() -> None:
    """One in twenty on either side, give or take: 40 pairs."""
    of = hand("same & not_self")
    found = [compare(anything(of, i), anything(of, i + 500), draws=60).qk for i in range(40)]
    assert sum(each.value > each.chance_high for each in found) <= 7
    assert sum(each.value < each.chance_low for each in found) <= 7


def test_seeds_draw() -> None:
    one, other = learned("previous")[:2]
    first, again, second = (compare(one, other, seed=seed, draws=10) for seed in (1, 1, 2))
    assert first == again
    assert first.overall.low != second.overall.low
    assert numbers(first) == numbers(second)


def test_many_inputs_are_drawn_and_the_global_random_state_is_left_alone() -> None:
    one, other = (compile_rule(parse_rule(text), "ABCDE", 6) for text in ("first", "last"))
    before = torch.get_rng_state()
    assert quick(one, one).score == pytest.approx(1)
    assert quick(one, other).score < 0.5
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("vocabulary", "max_len"), [("ABD", 4), ("AB", 4), ("BAC", 4), ("ABC", 3)])
def test_heads_of_other_inputs_are_refused(vocabulary: str, max_len: int) -> None:
    with pytest.raises(InputError, match=r"heads: expected one (vocabulary|max_len), got"):
        compare(hand("same"), compile_rule(same(), vocabulary, max_len))


def test_weights_that_are_no_numbers_are_refused() -> None:
    broken = copy.deepcopy(hand("same"))
    broken.W_V.data[0, 0] = torch.nan
    for pair in ((broken, hand("same")), (hand("same"), broken)):
        with pytest.raises(InputError, match="W_V: expected finite numbers"):
            compare(*pair)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_gpu_says_what_the_cpu_says() -> None:
    one, other = (copy.deepcopy(head) for head in learned("same & not_self")[:2])
    expected = numbers(quick(one, other))
    assert numbers(quick(one.to("cuda"), other.to("cuda"))) == pytest.approx(expected, abs=1e-4)


# ---------------------------------------------------------------------- which is which


def likeness(ours: list[Head], theirs: list[Head]) -> Tensor:
    return torch.tensor([[quick(a, b).score for b in theirs] for a in ours])


def test_heads_are_found_again_in_another_order() -> None:
    texts = ["first", "same & not_self", "previous", "last", "same"]
    for order in ([3, 1, 4, 0, 2], [1, 0, 2, 4, 3]):
        theirs = [learned(texts[i])[0] for i in order]
        pairs = match_heads(likeness([hand(text) for text in texts], theirs))
        assert [texts[i] for i, _ in pairs] == texts
        assert [order[j] for _, j in pairs] == [0, 1, 2, 3, 4]


@given(st.permutations(range(6)), st.integers(0, 100))
def test_a_permutation_of_anything_is_recovered(order: list[int], seed: int) -> None:
    table = torch.eye(6) + 0.3 * torch.rand(6, 6, generator=torch.Generator().manual_seed(seed))
    assert match_heads(table[:, order]) == [(order[j], j) for j in sorted(range(6), key=lambda j: order[j])]


@given(st.integers(0, 10**6))
def test_the_total_is_the_largest(seed: int) -> None:
    table = torch.rand(4, 4, generator=torch.Generator().manual_seed(seed))
    best = max(sum(float(table[i, j]) for i, j in enumerate(order)) for order in itertools.permutations(range(4)))
    assert sum(float(table[i, j]) for i, j in match_heads(table)) == pytest.approx(best)


@pytest.mark.parametrize("shape", [(2, 4), (4, 2)])
def test_the_smaller_side_is_matched(shape: tuple[int, int]) -> None:
    pairs = match_heads(torch.rand(*shape, generator=torch.Generator().manual_seed(0)))
    assert len(pairs) == 2
    assert [i for i, _ in pairs] == sorted(i for i, _ in pairs)
    assert len({j for _, j in pairs}) == 2


def test_a_matching_says_how_sure_it_is_and_what_chance_gives() -> None:
    texts = ["first", "same & not_self", "previous", "last", "same", "~first"]
    table = likeness([hand(text) for text in texts], [learned(text)[0] for text in reversed(texts)])
    found = measure_matching(table)
    assert found.value == pytest.approx(sum(float(table[pair]) for pair in match_heads(table)) / 6)
    assert found.low < found.value < found.high
    assert found.beyond_chance  # the same scores in other places leave no matching so good
    alike = measure_matching(torch.rand(6, 6, generator=torch.Generator().manual_seed(1)))
    assert not alike.beyond_chance
    assert alike.chance > 0.6  # the best of many is well above the mean
    single = measure_matching(torch.tensor([[0.2, 0.9]]), draws=5)
    assert (single.value, single.low, single.high) == (pytest.approx(0.9), -torch.inf, torch.inf)


def test_uniqueness_agrees_with_itself() -> None:
    assert quick(compile_rule(unique(), "ABC", 4, qk_dim=8), hand("unique")).score == pytest.approx(1, abs=SAME)
