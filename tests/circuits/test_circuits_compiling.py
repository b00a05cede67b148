"""From rules to weights: right on every input or refused, in as few dimensions as it takes; in torch's layer too."""

import copy
import io
import itertools
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from shoal.circuits import NULL, Head, Rule, at, compile_rule, first, parse_rule, previous, same, to_multihead
from shoal.circuits.layout import PADDING
from shoal.circuits.targets import selection, wanted_output
from shoal.errors import InputError
from tests.circuits.examples import (
    FOLLOWED,
    IMPOSSIBLE,
    SOME,
    as_tokens,
    farthest,
    hand,
    learned,
    made_of,
    normal,
    one_head_can,
    rule_of,
    rules,
    sequences,
)

RIGHT = 1e-4  # of every output on every input


def compiled(rule: Rule, vocabulary: str, max_len: int) -> Head | None:
    """The head, or None where the rule is refused, in one line that names it."""
    try:
        return compile_rule(rule, vocabulary, max_len)
    except InputError as error:
        message = str(error)
    assert message.startswith(f"rule {rule}: expected ")
    assert "\n" not in message
    return None


# ---------------------------------------------------------------------- right or refused


@pytest.mark.parametrize("text", [*FOLLOWED, "unique"])
def test_a_head_follows_its_rule_on_every_input(text: str) -> None:
    for vocabulary, max_len in (("ABC", 3), ("AB", 4)):
        assert farthest(hand(text, vocabulary, max_len), parse_rule(text)) < RIGHT


@pytest.mark.slow
@pytest.mark.parametrize("text", [*FOLLOWED, "unique"])
def test_a_head_follows_its_rule_on_every_long_input(text: str) -> None:
    assert farthest(hand(text, "ABC", 6), parse_rule(text)) < RIGHT
    assert farthest(hand(text, "ABCDE", 4), parse_rule(text)) < RIGHT


@given(rules(), st.sampled_from([("A", 4), ("AB", 3), ("ABC", 2), ("AB", 1)]))
def test_any_rule_is_followed_or_refused(rule: Rule, size: tuple[str, int]) -> None:
    vocabulary, max_len = size
    if "B" not in vocabulary and "'B'" in str(rule):
        with pytest.raises(InputError, match="token: expected one of A, got 'B'"):
            compile_rule(rule, vocabulary, max_len)
        return
    head = compiled(rule, vocabulary, max_len)
    assert head is None or farthest(head, rule) < RIGHT


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_what_no_head_can_do_is_refused(text: str) -> None:
    assert not one_head_can(rule_of(text), "AB", 3)
    for size in (("AB", 3), ("ABC", 4)):
        assert compiled(rule_of(text), *size) is None


def small_rules() -> list[Rule]:
    """Every pair of conditions, and its negation; one of each kind of selection."""
    leaves = [same(), *map(rule_of, ("token('A')", "first", "last", "previous", "not_self", "at(1)"))]
    leaves += [~leaf for leaf in leaves]
    pairs = [pair for a, b in itertools.combinations(leaves, 2) for pair in (a & b, a | b)]
    tokens = as_tokens(sequences("AB", 3), "AB", 3)
    found: dict[bytes, Rule] = {}
    for rule in [*leaves, *pairs]:
        chosen = selection(rule, tokens, ("A", "B"))
        if chosen.any():
            found.setdefault(chosen.numpy().tobytes(), rule)
    return list(found.values())


@pytest.mark.parametrize("rule", small_rules(), ids=str)
def test_a_rule_is_refused_only_where_no_head_can_do_it(rule: Rule) -> None:
    """By a linear program over all scores that a head could have."""
    assert (compiled(rule, "AB", 3) is not None) == one_head_can(rule, "AB", 3)


@pytest.mark.parametrize("text", ["token('A') & token('B')", "at(4)", "same & ~same", "first & at(1)", "last & ~last"])
def test_a_rule_that_never_selects_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected one that selects a key of some sequence, got one that never does"):
        compile_rule(rule_of(text), "AB", 4)


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_a_refusal_shows_what_proves_it(text: str) -> None:
    """A pair that must be passed over, though its tokens and its places are selected elsewhere; or the length."""
    rule = rule_of(text)
    with pytest.raises(InputError) as caught:
        compile_rule(rule, "AB", 3)
    found = re.search(r"the query (\w) at place (\d) must pass over the key (\w) at place (\d)", str(caught.value))
    if not found:
        assert "last" in text
        assert "how long the sequence is" in str(caught.value) or "depends on the length" in str(caught.value)
        return
    tokens, places = found.group(1, 3), tuple(int(place) for place in found.group(2, 4))
    pairs = [(x, q, k) for x in sequences("AB", 3) for q in range(len(x)) for k in range(len(x))]
    holding = {(x, q, k) for x, q, k in pairs if (x[q], x[k]) == tokens}
    lying = {(x, q, k) for x, q, k in pairs if (q, k) == places}
    assert any(rule.selects(*pair) for pair in holding)
    assert any(rule.selects(*pair) for pair in lying)
    assert any(not rule.selects(*pair) for pair in holding & lying)


@pytest.mark.parametrize("text", ["last", "previous", "not_self", "same & not_self"])
@pytest.mark.parametrize("max_len", [30, 100])
def test_long_sequences_are_right_too(text: str, max_len: int) -> None:
    """With as many dimensions as places, the division by their root must not soften what is selected."""
    head, rule = hand(text, "AB", max_len), rule_of(text)
    tokens = torch.randint(2, (2, max_len), generator=torch.Generator().manual_seed(0))
    tokens[1, max_len // 2 :] = PADDING
    with torch.no_grad():
        outputs = head(tokens)
    error = (outputs - wanted_output(rule, tokens, ("A", "B"))).abs()
    assert float(error[tokens != PADDING].max()) < RIGHT


@pytest.mark.parametrize("qk_dim", [50, 1000])
def test_dimensions_that_are_not_needed_change_nothing(qk_dim: int) -> None:
    for text in ("first", "same & not_self"):
        head = compile_rule(rule_of(text), "AB", 3, qk_dim=qk_dim)
        assert head.W_Q.shape[1] == head.W_K.shape[1] == qk_dim
        assert farthest(head, rule_of(text)) < RIGHT


# ---------------------------------------------------------------------- the exercise


def test_identity_has_the_dimensions_of_the_exercise() -> None:
    head = compile_rule(same(), "ABC", max_len=6)
    assert [tuple(w.shape) for w in head.parameters()] == [(3, 3), (3, 3), (3, 3)]
    assert not head.layout.positions
    assert not head.layout.null
    assert head.run("ABCC")[3] == pytest.approx([0, 0, 1], abs=1e-6)


def test_copying_the_first_token_takes_one_dimension() -> None:
    head = compile_rule(first(), "ABC", max_len=4)
    assert [tuple(w.shape) for w in head.parameters()] == [(7, 1), (7, 1), (7, 3)]
    assert head.layout.names == ("A", "B", "C", "p0", "p1", "p2", "p3")


def test_uniqueness_has_the_dimensions_of_the_exercise() -> None:
    head = compile_rule(parse_rule("unique"), "ABC", max_len=4, qk_dim=8)
    assert head.W_Q.shape[1] == head.W_K.shape[1] == 8
    assert head.W_V.shape[1] == 1
    assert head.layout.names == (NULL, "A", "B", "C", "p0", "p1", "p2", "p3")
    assert farthest(head, parse_rule("unique")) < RIGHT


def test_fewer_dimensions_than_a_rule_needs_are_refused_and_as_many_are_not() -> None:
    for text in FOLLOWED:
        needed = hand(text).W_Q.shape[1]
        assert compile_rule(rule_of(text), "ABC", 4, qk_dim=needed).W_Q.shape[1] == needed
        with pytest.raises(InputError, match=rf"qk_dim: expected at least {needed} for .*, got {needed - 1}"):
            compile_rule(rule_of(text), "ABC", 4, qk_dim=needed - 1)


# ---------------------------------------------------------------------- what a head is


def test_contents_and_positions_stand_in_named_subspaces_of_their_own() -> None:
    """No score is between a content and a position, but for the null key's; positions pass nothing on."""
    for text in FOLLOWED:
        head = hand(text)
        layout, scores = head.layout, (head.W_Q @ head.W_K.T).detach()
        assert not scores[layout.content, layout.position].any()
        assert not scores[layout.position, layout.content].any()
        assert not head.W_V[layout.position].any()
        assert layout.names == layout.contents + tuple(f"p{i}" for i in range(4 if layout.positions else 0))
        places = any(x in text for x in ("first", "last", "previous", "at(", "not_self"))
        assert layout.positions == (places and text not in ("first | ~first", "~same & not_self"))  # they do not matter


def test_the_null_key_is_there_where_a_rule_can_select_nothing() -> None:
    assert not any(hand(text).layout.null for text in ("same", "~same | same", "first", "last", "~previous"))
    for text in ("~same", "token('A')", "previous", "at(1)", "not_self", "~first", "same & not_self", "unique"):
        assert hand(text).layout.null


@pytest.mark.parametrize("text", ["~first", "previous", "token('C')", "same & not_self", "at(3)"])
def test_where_nothing_is_selected_the_output_is_zero(text: str) -> None:
    head, seen = hand(text), 0
    for sequence in sequences("ABC", 4)[::3]:
        for query, output in enumerate(head.run(sequence)):
            if not any(rule_of(text).selects(sequence, query, key) for key in range(len(sequence))):
                assert output == pytest.approx([0, 0, 0], abs=1e-6)
                seen += 1
    assert seen


@pytest.mark.parametrize("text", [*SOME, "unique"])
def test_tables_name_rows_and_columns_and_hold_the_weights(text: str) -> None:
    head = hand(text)
    blocks = [[line.split() for line in table.splitlines()] for table in head.tables(4).split("\n\n")]
    columns = [*[[f"d{i}" for i in range(head.W_Q.shape[1])]] * 2, list(head.output_names)]
    for block, title, names, weights in zip(blocks, ("W_Q", "W_K", "W_V"), columns, head.parameters(), strict=True):
        assert block[0] == [title, *names]
        assert [row[0] for row in block[1:]] == list(head.layout.names)
        assert not any("-0.0000" in row for row in block)
        assert torch.allclose(torch.tensor([[float(x) for x in row[1:]] for row in block[1:]]), weights)


def test_tables_line_up() -> None:
    for table in compile_rule(~same(), ["cat", "elephant"], 2).tables(0).split("\n\n"):
        assert len({len(line) for line in table.splitlines()}) == 1


def test_a_trace_is_every_step() -> None:
    head = hand("same & not_self")
    found = head.trace("ABA")
    x = found.inputs[0]
    assert x.shape == (4, 8)
    assert x[:, :4].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]]
    assert x[:, 4:].tolist() == [[0] * 4, [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    assert torch.equal(found.queries[0], x[1:] @ head.W_Q)
    assert torch.equal(found.keys[0], x @ head.W_K)
    assert torch.equal(found.values[0], x @ head.W_V)
    assert torch.allclose(found.scores, found.queries @ found.keys.mT / head.W_Q.shape[1] ** 0.5)
    assert torch.equal(found.attention, found.scores.softmax(-1))
    assert torch.equal(found.outputs, found.attention @ found.values)
    assert found.outputs[0].tolist() == head.run("ABA")


@pytest.mark.parametrize("text", [*SOME, "unique"])
def test_padding_changes_nothing(text: str) -> None:
    head, inputs = hand(text), sequences("ABC", 4)[::17]
    batch = head(as_tokens(inputs, "ABC", 4))
    for sequence, output in zip(inputs, batch, strict=True):
        assert output[: len(sequence)].flatten().tolist() == pytest.approx(
            [x for place in head.run(sequence) for x in place], abs=1e-6
        )


def test_names_of_tokens_may_be_words() -> None:
    head = compile_rule(previous(), ["the", "cat"], max_len=3)
    assert head.run(["the", "cat", "the"])[2] == pytest.approx([0, 1], abs=1e-6)
    assert head.output_names == ("the", "cat")


# ---------------------------------------------------------------------- a plain module


@pytest.mark.parametrize("text", ["same", "last", "same & not_self", "unique"])
def test_float64_follows_the_rule(text: str) -> None:
    head = copy.deepcopy(hand(text)).double()
    assert head(torch.zeros(1, 3, dtype=torch.long)).dtype == torch.float64
    assert farthest(head, parse_rule(text)) < 1e-9


@pytest.mark.parametrize("text", ["same", "last", "unique"])
def test_a_head_moves_between_devices(text: str) -> None:
    """`meta` stands for any other: nothing is left behind on the CPU."""
    head = copy.deepcopy(hand(text)).to("meta")
    found = head.trace_batch(torch.zeros(2, 3, dtype=torch.long, device="meta"))
    assert all(x.device.type == "meta" for x in vars(found).values())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("text", ["same", "last", "unique"])
def test_a_gpu_says_what_the_cpu_says(text: str) -> None:
    head, inputs = copy.deepcopy(hand(text)), as_tokens(sequences("ABC", 4), "ABC", 4)
    expected = head(inputs)
    found = head.to("cuda")(inputs.to("cuda")).cpu()
    real = inputs != PADDING
    assert float((found - expected)[real].detach().abs().max()) < 1e-5


def test_a_head_survives_a_state_dict_and_a_copy() -> None:
    head = learned("same & not_self", seeds=1)[0]
    file = io.BytesIO()
    torch.save(head.state_dict(), file)
    file.seek(0)
    loaded = Head(head.layout, head.W_Q.shape[1], head.W_V.shape[1])
    loaded.load_state_dict(torch.load(file, weights_only=True))
    assert list(loaded.state_dict()) == ["W_Q", "W_K", "W_V"]
    copied = copy.deepcopy(head)
    for other in (loaded, copied):
        assert other.run("ABCA") == head.run("ABCA")
    copied.W_V.data.zero_()
    assert loaded.run("ABCA") == head.run("ABCA")


def test_compiling_is_the_same_every_time_and_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    one, other = (compile_rule(at(1), "AB", 4) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert torch.equal(before, torch.get_rng_state())


def test_gradients_reach_every_weight() -> None:
    head = made_of(hand("same & not_self"), normal(8, 7, seed=1), normal(8, 7, seed=2), normal(8, 3, seed=3))
    head(as_tokens(["ABCA"], "ABC", 4)).square().sum().backward()
    assert all(w.grad is not None and w.grad.abs().max() > 0 for w in head.parameters())


# ---------------------------------------------------------------------- torch's own layer


def apart(head: Head) -> float:
    """Largest difference between a head and torch's layer with its weights, on all inputs of the longest length."""
    layer, worst = to_multihead(head), 0.0
    for n in (1, head.layout.max_len):
        tokens = as_tokens([x for x in sequences("ABC", n) if len(x) == n], "ABC", n)
        x = head.layout.embed(tokens, head.W_Q.dtype)
        with torch.no_grad():
            out: Tensor = layer(x, x, x, need_weights=False)[0]
            expected = head(tokens)
        out = out[:, int(head.layout.null) :]
        size = head.W_V.shape[1]
        worst = max(worst, float((out[..., :size] - expected).abs().max()))
        assert not out[..., size:].any()
    return worst


@pytest.mark.parametrize("text", [*SOME, "unique"])
def test_torchs_layer_gives_the_same_output(text: str) -> None:
    assert apart(hand(text)) < 1e-5
    assert apart(copy.deepcopy(hand(text)).double()) < 1e-9


@pytest.mark.parametrize("text", ["same", "first", "same & not_self", "unique"])
@pytest.mark.parametrize("qk_dim", [1, 3, 5, 11])
def test_torchs_layer_gives_the_same_output_for_any_weights(text: str, qk_dim: int) -> None:
    """Also for more dimensions of queries and keys than torch's layer has."""
    of = hand(text)
    dim, out = of.W_V.shape
    head = made_of(of, normal(dim, qk_dim, seed=1), normal(dim, qk_dim, seed=2), normal(dim, out, seed=3))
    assert apart(head) < 1e-9
    assert apart(head.float()) < 1e-5


def test_torchs_layer_is_as_the_head_is() -> None:
    assert to_multihead(hand("last")).training == hand("last").training
    assert not to_multihead(copy.deepcopy(hand("last")).eval()).training
    assert to_multihead(copy.deepcopy(hand("last")).double()).in_proj_weight.dtype == torch.float64
