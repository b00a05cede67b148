"""Layers that are chosen are on every path, as an independent test of gradients says; others are refused by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from shoal.difficulty import choose_layers, find_label_errors, prediction_depth
from shoal.errors import InputError
from shoal.measure import count_macs
from shoal.measure.paths import Walk, check_layers
from tests.difficulty.networks import CASES, Twice, VisionTransformer, gradient_goes_around, images, small_images


@pytest.mark.parametrize("name", CASES)
def test_these_layers_are_chosen(name: str) -> None:
    case = CASES[name]
    assert choose_layers(case.model(), case.inputs(2)) == list(case.chosen)


@pytest.mark.parametrize("name", CASES)
def test_chosen_layers_are_on_every_path(name: str) -> None:
    """Where a chosen layer's output is cut off, no gradient reaches the input; where another's is, one does."""
    case = CASES[name]
    for layer in choose_layers(case.model(), case.inputs(2)):
        assert not gradient_goes_around(case.model(), layer, case.inputs(2)), layer
    for layer in case.around:
        assert gradient_goes_around(case.model(), layer, case.inputs(2)), layer


@pytest.mark.parametrize("name", CASES)
def test_every_layer_is_judged_as_gradients_judge_it(name: str) -> None:
    case = CASES[name]
    walk = Walk(case.model(), case.inputs(2))
    judged = [layer for layer, runs in walk.runs.items() if runs == 1 and walk.has_rows(layer)]
    assert set(case.chosen) | set(case.around) <= set(judged) | {"place", "steady"}
    for layer in judged:
        around = gradient_goes_around(case.model(), layer, case.inputs(2))
        assert walk.is_on_every_path(layer) == (not around), layer


@pytest.mark.parametrize("name", CASES)
def test_layers_within_branches_are_refused_by_name(name: str) -> None:
    case = CASES[name]
    for layer in case.around:
        with pytest.raises(InputError, match=f"^layer {layer}: expected ") as caught:
            check_layers(case.model(), [case.chosen[-1], layer], case.inputs(2))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", CASES)
def test_layers_that_were_asked_for_come_in_the_order_in_which_they_run(name: str) -> None:
    case = CASES[name]
    assert check_layers(case.model(), case.chosen[::-1], case.inputs(2)) == list(case.chosen)
    assert check_layers(case.model(), [case.chosen[-1]], case.inputs(2)) == [case.chosen[-1]]


def test_costs_and_order() -> None:
    """Costs up to a layer are those that counting says; they rise, and the classes are the network's."""
    case = CASES["resnet"]
    walk = Walk(case.model(), case.inputs(2))
    count = count_macs(case.model(), case.inputs(2))
    costs = dict(zip(walk.order, walk.macs, strict=True))
    stages = [count.by_module[name] for name in ("conv1", "layer1", "layer2", "layer3", "layer4")]
    assert [costs[name] for name in ("layer1", "layer2", "layer3", "layer4")] == [
        sum(stages[: at + 2]) for at in range(4)
    ]
    assert costs["avgpool"] == costs["layer4"] == count.total - count.by_module["fc"]
    assert walk.macs == sorted(walk.macs)
    assert walk.classes == 5


def test_layers_are_at_even_shares_of_the_cost() -> None:
    model = nn.Sequential(*(nn.Linear(6, 6) for _ in range(16)), nn.Linear(6, 3))
    assert choose_layers(model, torch.zeros(2, 6), most=4) == ["3", "7", "11", "15"]
    assert choose_layers(model, torch.zeros(2, 6), most=1) == ["15"]
    assert choose_layers(model, torch.zeros(2, 6), most=16) == [str(at) for at in range(16)]
    costs = [1, 1, 1, 1, 8, 8, 8, 8]  # wide layers last: most of the cost is there
    sides = [4, *(4 * cost for cost in costs)]
    wide = nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sides)), nn.Linear(32, 3))
    assert choose_layers(wide, torch.zeros(2, 4), most=4) == ["4", "5", "6", "7"]


def test_of_layers_at_one_cost_the_last_is_chosen() -> None:
    model = nn.Sequential(
        *(m for _ in range(6) for m in (nn.Linear(6, 6), nn.LayerNorm(6), nn.ReLU())), nn.Linear(6, 3)
    )
    assert choose_layers(model, torch.zeros(2, 6), most=3) == ["5", "11", "17"]


def test_one_example_will_do() -> None:
    for name in ("separable", "words", "vision_transformer"):
        case = CASES[name]
        assert choose_layers(case.model(), case.inputs(1)) == list(case.chosen)


# Slips

WRONG = {
    "one that does not exist": (["one", "stam"], r"unknown layer 'stam'; did you mean 'stem'\? known: fc, one, "),
    "one beside another": (["one.small"], "layer one.small: expected a layer that everything passes through, got one "
                           "that another path goes around; choose the block that holds it$"),
    "no layers": ([], r"layers: expected a list of at least one layer name, got \[\]$"),
    "a name alone": ("stem", "layers: expected a list of at least one layer name, got 'stem'$"),
    "one twice": (["stem", "stem"], r"layers: expected each layer once, got \['stem', 'stem'\]$"),
    "the network itself": ([""], "unknown layer ''; known: "),
}  # fmt: skip


@pytest.mark.parametrize("slip", WRONG)
def test_wrong_layers_are_refused(slip: str) -> None:
    layers, message = WRONG[slip]
    case = CASES["inception"]
    x, y = case.inputs(8), torch.arange(8) % 5
    with pytest.raises(InputError, match=f"^{message}") as caught:
        prediction_depth(case.model(), (x, y), layers=layers, k=2)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=f"^{message}"):
        find_label_errors(case.model(), (x, y), layers=layers, k=2)


def test_layers_that_run_twice_or_never_are_refused() -> None:
    once = "expected a layer that runs once"
    with pytest.raises(InputError, match=f"^layer again: {once}, got it runs 2 times; choose the block around it$"):
        check_layers(Twice(), ["stem", "again"], images(2))
    with pytest.raises(InputError, match=f"^layer idle: {once}, got it did not run; choose the block around it$"):
        check_layers(Twice(), ["idle"], images(2))


def test_a_shared_layer_goes_by_any_of_its_names() -> None:
    assert check_layers(Twice(), ["alias", "stem"], images(2)) == ["stem", "alias"]
    found = prediction_depth(Twice(), (images(9), torch.arange(9) % 5), layers=["alias"], k=2)
    assert found.layers == ("input", "alias", "softmax")


def test_layers_without_a_row_for_every_example_are_refused() -> None:
    """torch's transformer has the sequence first unless told otherwise: rows of places, not of examples."""

    class SequenceFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start, self.block = nn.Linear(3, 8), nn.TransformerEncoderLayer(8, 2, 16)
            self.fc = nn.Linear(8, 5)

        def forward(self, x: Tensor) -> Tensor:
            x = self.start(x.flatten(2).mT)  # [b, n, d]
            return self.fc(self.block(x.transpose(0, 1)).mean(0))

    assert choose_layers(SequenceFirst(), small_images(2)) == ["start"]
    with pytest.raises(
        InputError, match=r"^layer block: expected a row of floats for every example, got another output"
    ):
        check_layers(SequenceFirst(), ["block"], small_images(2))


def test_half_of_what_was_split_is_not_on_every_path() -> None:
    class Left(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            left, right = x.chunk(2, 1)
            return left, right

    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start, self.split, self.fc = nn.Linear(192, 12), Left(), nn.Linear(6, 5)

        def forward(self, x: Tensor) -> Tensor:
            left, right = self.split(self.start(x.flatten(1)))
            return self.fc(left + right.tanh())

    assert gradient_goes_around(Halves(), "split", small_images(2))
    assert choose_layers(Halves(), small_images(2)) == ["start"]
    with pytest.raises(InputError, match=r"^layer split: expected a layer that everything passes through"):
        check_layers(Halves(), ["split"], small_images(2))


def test_a_network_that_is_one_layer_has_none_to_choose() -> None:
    class Alone(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(192, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x.flatten(1))

    message = "^model: expected a layer that everything passes through, got none; name layers=$"
    with pytest.raises(InputError, match=message):
        choose_layers(Alone(), small_images(2))


class Frozen(nn.Module):
    """A body that runs without gradients, and branches within it."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.fc = nn.Linear(192, 8), nn.Linear(192, 8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = x.flatten(1).float() / 255
            x = self.left(x) + self.right(x)
        return self.fc(x)


class Bytes(Frozen):
    """The same, of bytes."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1).float() / 255
        return self.fc(self.left(x) + self.right(x))


@pytest.mark.parametrize(
    ("make", "inputs"), [(Frozen, small_images(2)), (Bytes, torch.zeros(2, 3, 8, 8, dtype=torch.uint8))]
)
def test_paths_that_cannot_be_followed_are_said(make: type[nn.Module], inputs: Tensor) -> None:
    """Else every layer would seem to be on every path, those within branches too."""
    message = rf"^model: expected logits with a gradient by the inputs, got {inputs.dtype} inputs \[2, 3, 8, 8\] that "
    for layers in (["left"], None):
        with pytest.raises(InputError, match=message):
            choose_layers(make(), inputs) if layers is None else check_layers(make(), layers, inputs)
    assert check_layers(Bytes(), ["fc"], inputs.float()) == ["fc"]


def test_embeddings_of_ids_that_the_network_changes() -> None:
    """Ids of several columns in one table: no embedding is called with the input itself, and any may be its own."""

    class Columns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.mix, self.side = nn.Embedding(30, 4), nn.Linear(12, 8), nn.Linear(12, 8)
            self.fc = nn.Linear(8, 5)

        def forward(self, x: Tensor) -> Tensor:
            x = self.table(x + torch.tensor([0, 10, 20])).flatten(1)
            return self.fc((self.mix(x) + self.side(x)).relu())

    ids = torch.randint(10, (2, 3))
    assert choose_layers(Columns(), ids) == ["table"]
    with pytest.raises(InputError, match=r"^layer mix: expected a layer that everything passes through"):
        check_layers(Columns(), ["mix"], ids)


@pytest.mark.parametrize(
    ("model", "inputs", "message"),
    [
        (VisionTransformer(), images(2, 8), r"data: expected inputs that the model takes, got \[2, 3, 8, 8\]: The"),
        (nn.Linear(4, 5), images(2), r"data: expected inputs that the model takes, got \[2, 3, 16, 16\]: mat1 and"),
        (nn.Conv2d(3, 5, 3), images(2), r"model: expected logits \[batch, classes\], got \[2, 5, 14, 14\]$"),
        (nn.Flatten(0), images(2), r"model: expected logits \[batch, classes\], got \[1536\]$"),
        (nn.LSTM(16, 5), images(2)[:, 0], r"model: expected logits \[batch, classes\], got \[2, 16, 5\]$"),
    ],
)  # fmt: skip
def test_models_and_inputs_that_do_not_fit_are_refused(model: nn.Module, inputs: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}") as caught:
        choose_layers(model, inputs)
    assert "\n" not in str(caught.value)


# What is put back


@contextmanager
def nothing_changes(model: nn.Module, inputs: Tensor) -> Iterator[None]:
    """Modes, gradients, requires_grad, weights, running statistics, hooks, random state and torch's fast path stay."""

    def standing() -> list[object]:
        modules, parameters = list(model.modules()), list(model.parameters())
        hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in modules]
        return [
            [m.training for m in modules],
            hooks,
            [p.requires_grad for p in parameters],
            [None if p.grad is None else p.grad.numpy().tobytes() for p in parameters],
            {name: value.numpy().tobytes() for name, value in model.state_dict().items()},
            torch.get_rng_state().numpy().tobytes(),
            torch.backends.mha.get_fastpath_enabled(),
            torch.is_grad_enabled(),
            inputs.numpy().tobytes(),
            inputs.requires_grad,
            inputs.grad,
        ]

    before = standing()
    try:
        yield
    finally:
        assert standing() == before


@pytest.mark.parametrize(("name", "fast"), [*((name, True) for name in CASES), ("vision_transformer", False)])
def test_everything_is_put_back(name: str, fast: bool) -> None:
    case = CASES[name]
    model, x = case.model(), case.inputs(8)
    parts = list(model.modules())
    for at, part in enumerate(parts):
        part.training = at % 3 != 1  # a mode of its own for every part
    frozen = next(model.parameters())
    frozen.requires_grad_(False)
    *_, last = model.parameters()
    last.grad = torch.ones_like(last)
    usual = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(fast)
    try:
        with nothing_changes(model, x):
            choose_layers(model, x[:2])
        with nothing_changes(model, x):
            check_layers(model, case.chosen, x[:2])
        with nothing_changes(model, x):
            prediction_depth(model, (x, torch.arange(8) % 5), k=3)
    finally:
        torch.backends.mha.set_fastpath_enabled(usual)


@pytest.mark.parametrize("error", [RuntimeError, KeyError, KeyboardInterrupt])
@pytest.mark.parametrize("when", [0, 1])
def test_everything_is_put_back_where_the_model_fails(when: int, error: type[BaseException]) -> None:
    """In the first pass, in which layers are chosen, and in the second, whose activations are read."""
    case = CASES["vision_transformer"]
    model, x = case.model(), case.inputs(8)
    passes: list[None] = []

    def fail(_module: nn.Module, _inputs: object) -> None:
        passes.append(None)
        if len(passes) > when:
            raise error("no")

    model.get_submodule("norm").register_forward_pre_hook(fail)
    model.get_submodule("first").eval()
    with nothing_changes(model, x), pytest.raises(error if when or error is not RuntimeError else InputError):
        prediction_depth(model, (x, torch.arange(8) % 5), k=3)
    assert len(passes) == when + 1


def test_a_network_without_any_gradient_is_followed_all_the_same() -> None:
    for name in ("separable", "in_place", "words", "vision_transformer"):
        case = CASES[name]
        model = case.model().requires_grad_(False)
        with torch.no_grad():
            assert choose_layers(model, case.inputs(2)) == list(case.chosen)
        with torch.inference_mode():
            assert choose_layers(model, case.inputs(2)) == list(case.chosen)
        assert not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("name", CASES)
def test_depth_of_every_kind_of_network(name: str) -> None:
    """And what a probe sees is what the layer gives: the last chosen layer's row, by a hook of our own."""
    case = CASES[name]
    model, x, y = case.model(), case.inputs(12), torch.arange(12) % 5
    found = prediction_depth(model, (x, y), k=3)
    assert found.layers == ("input", *case.chosen, "softmax")
    assert found.votes.shape == (12, len(found.layers), 5)
    assert torch.allclose(found.votes.sum(2), torch.ones(12, len(found.layers)))
    with torch.no_grad():
        logits = model.eval()(x)
    logits = getattr(logits, "logits", logits[0] if isinstance(logits, tuple) else logits)
    assert torch.allclose(found.probabilities, logits.softmax(1), atol=1e-5)
