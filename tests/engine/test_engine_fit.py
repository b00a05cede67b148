"""The fit loop: it learns, keeps to its budget, stops early, and explains what went wrong."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from shoal.engine import FitConfig, as_batches, evaluate, fit
from shoal.engine.muon import orthogonalise
from shoal.engine.objective import classification
from shoal.engine.optimizers import WeightAverage, create_optimizer
from shoal.engine.precision import CHOICES, choose_precision, precision_named
from shoal.errors import InputError, ShoalError
from tests.engine.toy import toy_data, toy_model, train


def test_training_learns_and_reports_every_epoch() -> None:
    _, history = train(None, steps=120)
    assert [row["epoch"] for row in history.rows] == list(range(1, 21))
    assert history.rows[-1]["validation_accuracy"] >= 0.9
    assert history.rows[-1]["train_loss"] < 0.7 * history.rows[0]["train_loss"]


def test_the_loop_equals_plain_torch() -> None:
    """Against a loop written out by hand: same batches, same schedule, same weights, to the bit."""
    images, labels = toy_data(32)
    model, twin = toy_model(2).eval(), toy_model(2)
    model[3], twin[3] = nn.Identity(), nn.Identity()  # pyright: ignore[reportIndexIssue]
    config = FitConfig(epochs=3, precision="fp32", learning_rate=0.1, warmup=0.5, clip_norm=1.0)
    batches = as_batches((images, labels), batch_size=8, seed=4)
    fit(model, batches, config=config)
    optimizer = torch.optim.SGD(
        [
            {"params": [p for p in twin.parameters() if p.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in twin.parameters() if p.ndim <= 1]},
        ],
        lr=0.1,
        momentum=0.9,
        nesterov=True,
    )
    from shoal.engine import World

    for step in range(12):
        share = step / 12
        rate = 0.1 * ((0.1 + 0.9 * share / 0.5) if share < 0.5 else 1 - 0.98 * (share - 0.5) / 0.5)
        for group in optimizer.param_groups:
            group["lr"] = rate
        x, y = batches.batch(step, "full", World())
        optimizer.zero_grad()
        nn.functional.cross_entropy(twin(x), y, label_smoothing=0.1).backward()
        nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
        optimizer.step()
    for a, b in zip(model.state_dict().values(), twin.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_time_budget_is_kept() -> None:
    """Loosely: the machine is shared. The schedule must have run to its end, whatever the speed."""
    _, history = train(None, minutes=0.03)
    assert history.rows[-1]["progress"] == 1.0
    assert history.seconds < 60


def test_early_stopping_returns_the_best_weights() -> None:
    losses = iter([3.0, 1.0, 2.0, 2.5, 0.1])
    model = toy_model()
    kept: list[torch.Tensor] = []

    def validate(current: nn.Module, *_: object) -> dict[str, float]:
        kept.append(current.state_dict()["6.weight"].clone())
        return {"loss": next(losses), "accuracy": 0.0}

    config = FitConfig(epochs=5, patience=2, precision="fp32")
    history = fit(model, as_batches(toy_data(), batch_size=32), config=config, validate=validate)
    assert len(history.rows) == 4
    assert torch.equal(model.state_dict()["6.weight"], kept[1])


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        ("inputs", "the inputs hold NaN"),
        ("rate", r"layer \d gives the first value that is not finite; try .* a lower learning rate"),
        ("weights", "the weights 0.weight are not: training diverged; try a tenth of the learning rate"),
        ("layer", "layer 2 gives the first value that is not finite"),
    ],
)
def test_a_loss_that_is_not_finite_is_located(harm: str, message: str) -> None:
    images, labels = toy_data()
    model = toy_model()
    if harm == "inputs":
        images[5] = math.nan
    if harm == "layer":
        model[2] = Logarithm()  # pyright: ignore[reportIndexIssue]
    if harm == "weights":
        model[0].weight.data[0] = math.inf  # pyright: ignore[reportIndexIssue]
    rate = 1e38 if harm == "rate" else 0.01
    config = FitConfig(epochs=9, learning_rate=rate, precision="fp32")
    with pytest.raises(ShoalError, match=rf"the loss is not finite \(model, step \d+, learning rate .*{message}"):
        fit(model, as_batches((images, labels), batch_size=32), config=config)


class Logarithm(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.log()


def test_label_smoothing_and_accuracy_are_what_they_say() -> None:
    images, labels = toy_data()
    model = toy_model().eval()
    found = evaluate(
        model,
        (images, labels),
        classification(0.2),
        precision=precision_named("fp32"),
        device=torch.device("cpu"),
        batch_size=37,
    )
    logits = model(images).detach()
    logp = logits.log_softmax(1)
    by_hand = (-0.8 * logp[torch.arange(96), labels] - 0.1 * logp.sum(1)).mean()
    assert found["loss"] == pytest.approx(float(by_hand), rel=1e-5)
    assert found["accuracy"] == pytest.approx(float((logits.argmax(1) == labels).float().mean()))


def test_automatic_precision_is_the_fastest_that_was_measured() -> None:
    model = toy_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loss = lambda m, x, y: classification()(m, x, y)[0]  # noqa: E731
    chosen, seconds = choose_precision(model, toy_data(), loss, torch.device("cpu"))
    assert set(seconds) == set(CHOICES)
    assert seconds[chosen.name] == min(seconds.values())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_format_that_overruns_its_memory_is_not_tried() -> None:
    """Strided 1x1 convolutions of few channels, as the shortcuts of a narrow ResNet: oneDNN issue 6035."""
    shortcut = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 8, 1, stride=2), nn.Flatten(), nn.LazyLinear(2))
    wide = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 8, 1, stride=2), nn.Flatten(), nn.LazyLinear(2))
    images, labels = torch.randn(8, 3, 6, 6), torch.arange(8) % 2
    loss = lambda m, x, y: classification()(m, x, y)[0]  # noqa: E731
    for model, tried in ((shortcut, {"fp32", "bf16"}), (wide, set(CHOICES))):
        model(images)
        assert set(choose_precision(model, (images, labels), loss, torch.device("cpu"))[1]) == tried
    config = FitConfig(epochs=1, precision="fp32+channels_last")
    with pytest.raises(InputError, match=r"precision: expected one without channels_last.*take fp32"):
        fit(shortcut, as_batches((images, labels), batch_size=8), config=config)


@pytest.mark.parametrize(
    "changes",
    [
        *({"epochs": 0}, {"epochs": math.inf}, {"minutes": -1}, {"minutes": math.nan}),
        *({"learning_rate": 0}, {"momentum": -1}, {"warmup": 1.0}, {"label_smoothing": 2}, {"average_decay": 1}),
        *({"weight_decay": -1}, {"schedule": "cosin"}, {"optimizer": "adam"}, {"precision": "fp33"}),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError):
        FitConfig(**changes)  # pyright: ignore[reportArgumentType]


def test_muon_turns_convolutions_and_leaves_the_rest_to_sgd() -> None:
    torch.manual_seed(0)
    inner, stem, bias = torch.randn(16, 8, 3, 3), torch.randn(8, 3, 3, 3), torch.randn(4)
    model, twin = nn.ParameterList([inner.clone(), stem.clone(), bias.clone()]), [stem.clone(), bias.clone()]
    optimizer = create_optimizer(model, "muon", learning_rate=0.2, weight_decay=0.01)
    parameters = [nn.Parameter(value) for value in twin]
    groups = [{"params": parameters[:1], "weight_decay": 0.01}, {"params": parameters[1:]}]
    plain = torch.optim.SGD(groups, lr=0.2, momentum=0.9, nesterov=True)
    for _ in range(3):
        gradients = [torch.randn_like(p) for p in model]
        for p, gradient in zip(model, gradients, strict=True):
            p.grad = gradient
        for p, gradient in zip(parameters, gradients[1:], strict=True):
            p.grad = gradient.clone()
        before = model[0].detach().clone()
        optimizer.step()
        plain.step()
        moved = (model[0] - before * 16**0.5 / before.norm()).detach().reshape(16, -1)
        spread = torch.linalg.svdvals(moved) / 0.2
        assert 0.3 < float(spread.min()) <= float(spread.max()) < 1.4  # all directions move about alike
    for p, q in zip(list(model)[1:], parameters, strict=True):
        assert torch.allclose(p, q, atol=1e-6)


def test_muon_turns_hidden_matrices_and_leaves_the_rest_to_adamw() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 64, batch_first=True)
    model = nn.ModuleDict({"embedding": nn.Embedding(20, 16), "layer": layer, "gate": nn.Linear(16, 1)})
    twin = copy.deepcopy(model)
    optimizer = create_optimizer(model, "muon-adamw", learning_rate=0.01, weight_decay=0.1)
    plain = create_optimizer(twin, "adamw", learning_rate=0.01, weight_decay=0.1)
    before: dict[str, Tensor] = {}
    for _ in range(3):
        before = copy.deepcopy(model.state_dict())
        for p, q in zip(model.parameters(), twin.parameters(), strict=True):
            p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        optimizer.step()
        plain.step()
        assert all(p.grad is not None for p in model.parameters())
    hidden = {f"layer.{name}" for name, p in layer.named_parameters() if p.ndim == 2}
    others = twin.state_dict()
    for name, value in model.state_dict().items():
        if name not in hidden:
            assert torch.equal(value, others[name]), name
            continue
        for part, old in zip(*(m.chunk(3 if "in_proj" in name else 1) for m in (value, before[name])), strict=True):
            moved = torch.linalg.svdvals((part - old * (1 - 0.01 * 0.1)) / (0.01 * 0.2 * max(part.shape) ** 0.5))
            assert 0.3 < float(moved.min()) <= float(moved.max()) < 1.4, name


@pytest.mark.parametrize("shape", [(5, 5), (4, 40), (40, 4)])
def test_orthogonalised_matrices_keep_their_singular_vectors(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    matrix = u @ torch.diag(torch.linspace(1.0, 0.3, min(shape))) @ v
    turned = orthogonalise(matrix, steps=5)
    inside = u.T @ turned @ v.T
    assert torch.allclose(inside, torch.diag(inside.diag()), atol=0.05)
    assert ((inside.diag() > 0.6) & (inside.diag() < 1.3)).all()


def test_near_names_are_suggested() -> None:
    with pytest.raises(InputError, match="did you mean 'cosine'"):
        FitConfig(schedule="cosin")
    with pytest.raises(InputError, match="did you mean 'adamw'"):
        fit(toy_model(), as_batches(toy_data(), batch_size=8), config=FitConfig(optimizer="adam", precision="fp32"))
    with pytest.raises(InputError, match=r"did you mean 'bf16'"):
        fit(toy_model(), as_batches(toy_data(), batch_size=8), config=FitConfig(precision="bf61"))


def test_a_validation_loss_that_is_not_finite_is_told() -> None:
    config = FitConfig(epochs=1, precision="fp32")
    with pytest.raises(ShoalError, match=r"the validation loss is not finite \(model, step \d+\)"):
        fit(toy_model(), as_batches(toy_data(), batch_size=96), config=config, validate=lambda *_: {"loss": math.nan})


def test_weights_that_the_last_step_ruined_are_told() -> None:
    model = toy_model()
    model[6].weight.register_hook(lambda gradient: gradient * math.nan)  # pyright: ignore[reportIndexIssue, reportAttributeAccessIssue]
    config = FitConfig(epochs=1, precision="fp32")
    with pytest.raises(ShoalError, match=r"the weights 6.weight are not finite after training \(model\)"):
        fit(model, as_batches(toy_data(), batch_size=96), config=config)


def test_patience_needs_validation() -> None:
    with pytest.raises(InputError, match="patience: expected 0 where nothing is validated, got 2"):
        fit(toy_model(), as_batches(toy_data(), batch_size=8), config=FitConfig(patience=2, precision="fp32"))


@pytest.mark.parametrize("steps", [1, 4, 5, 7])
def test_an_average_over_few_steps_forgets_the_start(steps: int) -> None:
    """The average of a run that is shorter than its window is made of trained weights alone."""
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1000.0)
    average = WeightAverage(model, decay=0.98)
    for step in range(1, steps + 1):
        model.weight.data.fill_(1.0)
        average.update(model, step, step / steps)
    assert float(average.model.weight) == pytest.approx(1.0)  # pyright: ignore[reportArgumentType]


def test_a_small_data_set_is_not_passed_over_more_often_than_allowed() -> None:
    config = FitConfig(minutes=5, max_epochs=3, precision="fp32")
    history = fit(toy_model(), as_batches(toy_data(), batch_size=32), config=config)
    assert history.rows[-1]["step"] == 9


def test_a_batch_needs_rows() -> None:
    with pytest.raises(InputError, match="batch_size: expected a whole number >= 1, got 0"):
        as_batches(toy_data(), batch_size=0)
    nothing: list[tuple[torch.Tensor, torch.Tensor]] = []
    how = {"precision": precision_named("fp32"), "device": torch.device("cpu")}
    with pytest.raises(InputError, match="data: expected at least one example"):
        evaluate(toy_model(), nothing, classification(), **how)  # pyright: ignore[reportArgumentType]
