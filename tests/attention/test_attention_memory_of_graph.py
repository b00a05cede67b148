"""What a call leaves in autograd's graph, and what a graph of the compiler's makes of it.

The backward pass recomputes: a call keeps its inputs, its output and one number a row, however many features there
are, and the running sums of before the first key, whose size no sequence changes. Counted are the storages of all
tensors that can be reached from the output: those saved through autograd, and those that functions hold themselves.
"""

import gc
import json
import subprocess
import sys
import weakref
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shoal.attention import (
    DenominatorWarning,
    FeatureMap,
    create_feature_map,
    linear_attention,
    windowed_linear_attention,
)
from tests.attention.inputs import EVERY, normal

DIM, HEADS, SHORT, LONG = 16, 2, 1024, 4096
FLOAT = 4  # bytes


class Saved:
    """A tensor that autograd saved; gone when the graph no longer needs it.

    Detached: an output that is saved with its own function would keep itself alive.
    """

    def __init__(self, tensor: Tensor):
        self.tensor = tensor.detach()


def bytes_kept(call: Callable[[], Tensor], *constants: Tensor) -> int:
    """Size of all storages that the graph of a call's output holds, but for those of `constants`."""
    saved: weakref.WeakSet[Saved] = weakref.WeakSet()

    def pack(tensor: Tensor) -> Saved:
        saved.add(found := Saved(tensor))
        return found

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda found: found.tensor):
        out = call()
    tensors = [found.tensor for found in saved] + held_by_functions(out)
    sizes = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in tensors}
    for constant in constants:
        sizes.pop(constant.untyped_storage().data_ptr(), None)
    return sum(sizes.values())


def held_by_functions(out: Tensor) -> list[Tensor]:
    """Tensors in the attributes of a graph's nodes, and in whatever those refer to."""
    nodes, waiting = set(), [out.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            waiting += [following for following, _ in node.next_functions]
    tensors, seen, things = [], set(), [vars(node) for node in nodes if hasattr(node, "__dict__")]
    while things:
        thing = things.pop()
        if (
            id(thing) in seen
            or isinstance(thing, (type, ModuleType))
            or (callable(thing) and not isinstance(thing, nn.Module))
        ):
            continue
        seen.add(id(thing))
        tensors += [thing] if isinstance(thing, Tensor) else []
        things += gc.get_referents(thing)
    return tensors


def rows(length: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    return [(0.3 * normal(1, HEADS, length, DIM, seed=seed)).to(dtype).requires_grad_() for seed in (1, 2, 3)]


def made(name: str, count: int = 64) -> FeatureMap | None:
    if name == "ready":
        return None
    phi = create_feature_map(name, DIM, count)
    return phi.fit(*rows(200), **({"steps": 1} if name == "learned" else {})) if phi.needs_fit else phi


def kept(
    phi: FeatureMap | None,
    length: int,
    *,
    is_causal: bool,
    window: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> int:
    q, k, v = rows(length, dtype)
    if phi is None or phi.name == "relu":  # no row without a positive denominator
        q, k = (x.detach().abs().requires_grad_() for x in (q, k))
    options: dict[str, Any] = {"feature_map": phi, "is_causal": is_causal}
    attend: Any = linear_attention if window is None else windowed_linear_attention
    options |= {} if window is None else {"window": window}
    constants = [] if phi is None else [*phi.parameters(), *phi.buffers()]
    return bytes_kept(lambda: attend(q, k, v, **options), *constants)


def inputs_and_output(length: int, size: int = FLOAT) -> int:
    """Bytes of q, k and v, of outputs as they are computed, float32, and of one number a row."""
    return HEADS * length * (3 * DIM * size + (DIM + 1) * FLOAT)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_a_call_keeps_inputs_output_and_a_number_a_row(name: str, is_causal: bool) -> None:
    """And sums that are the same at any length."""
    phi = made(name)
    features = DIM if phi is None else phi.num_features
    scales = 0 if phi is None else phi.num_scales
    sums = HEADS * features * (DIM + 1) * FLOAT
    references = HEADS * scales * FLOAT  # causal: of before the first key, and of the segments
    for length in (SHORT, LONG):
        rest = kept(phi, length, is_causal=is_causal) - inputs_and_output(length) - sums
        assert 0 <= rest <= 2 * references


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_inputs_are_kept_as_they_are(dtype: torch.dtype, is_causal: bool) -> None:
    """No copy of them in float32."""
    grown = [kept(made("positive"), length, is_causal=is_causal, dtype=dtype) for length in (SHORT, LONG)]
    assert grown[1] - grown[0] == inputs_and_output(LONG, 2) - inputs_and_output(SHORT, 2)


@pytest.mark.parametrize("window", [None, 16])
@pytest.mark.parametrize("is_causal", [False, True])
def test_features_cost_a_constant(is_causal: bool, window: int | None) -> None:
    """One that is the same at four times the length."""
    extra = []
    for length in (SHORT, LONG):
        few, many = (kept(made("positive", n), length, is_causal=is_causal, window=window) for n in (16, 256))
        extra.append(many - few)
    assert extra[0] == extra[1]
    directions = 1 if is_causal or window is None else 2
    assert extra[0] <= directions * HEADS * (256 - 16) * (DIM + 1 + 2) * FLOAT


@pytest.mark.parametrize("is_causal", [False, True])
def test_a_window_keeps_the_same_whatever_its_width(is_causal: bool) -> None:
    """Not its weights, 2 · 256 numbers a row; parts of the output are merged by autograd, which keeps them."""
    phi = made("positive")
    for window in (16, 256):
        short, middle, long = (kept(phi, n, is_causal=is_causal, window=window) for n in (SHORT, 2 * SHORT, LONG))
        assert long - middle == 2 * (middle - short)
        assert long - short <= (2.2 if is_causal else 3.5) * (inputs_and_output(LONG) - inputs_and_output(SHORT))
    assert kept(phi, LONG, is_causal=is_causal, window=256) <= kept(phi, LONG, is_causal=is_causal, window=16)


@pytest.mark.parametrize("is_causal", [False, True])
def test_replaced_rows_cost_no_more_than_another_output(is_causal: bool) -> None:
    """Every second query is turned around, so that its denominator is negative."""
    kept_of = {}
    for length in (SHORT, LONG):
        q, k, v = (x.detach().abs() for x in rows(length))
        q[:, :, ::2] *= -1
        leaves = [x.requires_grad_() for x in (q, k, v)]
        call = partial(linear_attention, *leaves, feature_map=None, is_causal=is_causal)
        with pytest.warns(DenominatorWarning, match=f"of {length} of {HEADS * length} rows"):
            kept_of[length] = bytes_kept(call)
    means = HEADS * (LONG - SHORT) * ((DIM + 2) * FLOAT + 1)  # of causal rows, with their counts; and what was replaced
    assert kept_of[LONG] - kept_of[SHORT] <= inputs_and_output(LONG) - inputs_and_output(SHORT) + means


def test_nothing_is_kept_without_a_gradient() -> None:
    q, k, v = (x.detach() for x in rows(SHORT))
    for window in (None, 16):
        phi: Any = made("positive")
        attend: Any = linear_attention if window is None else windowed_linear_attention
        options: dict[str, Any] = {} if window is None else {"window": window}
        assert attend(q, k, v, feature_map=phi, **options).grad_fn is None


def test_the_count_sees_what_is_kept() -> None:
    """The measure itself: autograd through written-out features keeps them, and so does an attribute of a function."""
    q, k, v = rows(64)
    phi: Any = made("positive")

    def written_out() -> Tensor:
        weights = phi.queries(q).linear() @ phi.keys(k).linear().mT
        return weights @ v / weights.sum(-1, keepdim=True)

    assert bytes_kept(written_out) > inputs_and_output(64) + HEADS * 64 * 2 * 64 * FLOAT

    class Holder(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.settings = {"deep": [(torch.zeros(1000),)]}
            return x.clone()

    assert bytes_kept(lambda: Holder.apply(q)) == 1000 * FLOAT


# ---------------------------------------------------------------------- torch.compile

COMPILE = """
import json, sys, torch
from shoal.attention import LinearAttention, create_feature_map, linear_attention, windowed_linear_attention

torch.set_num_threads(1)
torch.manual_seed(0)
inputs, x = torch.randn(3, 2, 2, 70, 4).unbind(), torch.randn(2, 70, 8)
phi = create_feature_map("oprf", 4, 16).fit(*inputs)
key_mask = torch.rand(2, 70) > 0.3
layers = [LinearAttention(8, 2, num_features=16, batch_first=True, window=window) for window in (None, 5)]


def full(q, k, v):  # some arithmetic around a call, for the compiler to have something to do
    return 2 * linear_attention(2 * q, k, v, feature_map=phi) + 1


def causal(q, k, v):
    return 2 * linear_attention(2 * q, k, v, feature_map=phi, is_causal=True, key_mask=key_mask) + 1


def windowed(q, k, v):
    return 2 * windowed_linear_attention(2 * q, k, v, feature_map=phi, window=5) + 1


def step(q, k, v, state):
    return linear_attention(q, k, v, feature_map=phi, is_causal=True, state=state, return_state=True)


def both_ways(function, *arguments):
    torch._dynamo.reset()
    return [call(*arguments) for call in (function, torch.compile(function, backend=sys.argv[1]))]


def with_gradients(out, leaves):
    return [out, *torch.autograd.grad(out.square().sum(), leaves)]


found = {}
for function in (full, causal, windowed):
    leaves = [x.clone().requires_grad_() for x in inputs]
    found[function.__name__] = [with_gradients(out, leaves) for out in both_ways(function, *leaves)]
for layer in layers:
    outs = both_ways(layer, x, x, x)
    found[f"layer, window {layer.window}"] = [with_gradients(out, list(layer.parameters())) for out, _ in outs]
with torch.no_grad():
    prompt, token = ([x[:, :, rows] for x in inputs] for rows in (slice(0, 69), slice(69, 70)))
    _, state = linear_attention(*prompt, feature_map=phi, is_causal=True, return_state=True)
    steps = both_ways(step, *token, state)
    tensors = [[y for y in after.state_dict().values() if not isinstance(y, str)] for _, after in steps]
    found["step"] = [[out, *after] for (out, _), after in zip(steps, tensors)]
print(json.dumps({name: all(map(torch.equal, *pair)) for name, pair in found.items()}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_code_gives_what_it_gives_without(backend: str) -> None:
    """Outputs, gradients and states, to the bit: the operator itself is not compiled.

    In another process, without the shape checker, which the compiler would follow; "inductor" needs a C++ compiler.
    """
    arguments = [sys.executable, "-W", "ignore", "-c", COMPILE, backend]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert list(found) == ["full", "causal", "windowed", "layer, window None", "layer, window 5", "step"]
    assert all(found.values()), found


def test_the_compiler_is_imported_by_those_who_compile() -> None:
    """It takes longer than all of torch; `import shoal.attention` had it along."""
    code = "import sys, shoal.attention; print('torch' in sys.modules, 'torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
