"""Scores of a training's history by hand, and the recorder in real trainings."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from shoal.difficulty import PredictionHistory, Recorder
from shoal.engine import (
    FitConfig,
    Interrupted,
    Precision,
    RunFolder,
    as_batches,
    classification,
    evaluate,
    fit,
    precision_named,
)
from shoal.errors import InputError

CPU = torch.device("cpu")


def history(of_label: list[list[float]], classes: int = 2) -> PredictionHistory:
    """Where the label is class 0 and has these probabilities, [times][n]; the others share the rest."""
    table = torch.tensor(of_label, dtype=torch.float64)[..., None]
    rest = ((1 - table) / (classes - 1)).expand(-1, -1, classes - 1)
    return PredictionHistory(torch.cat([table, rest], 2), torch.zeros(table.shape[1], dtype=torch.long))


def test_confidence_and_variability_by_hand() -> None:
    found = history([[0.2, 1.0, 0.0, 0.5], [0.6, 1.0, 1.0, 0.5], [0.7, 1.0, 0.0, 0.5], [0.9, 1.0, 1.0, 0.5]])
    assert found.confidence().tolist() == pytest.approx([0.6, 1.0, 0.5, 0.5])
    spread = ((0.4**2 + 0 + 0.1**2 + 0.3**2) / 4) ** 0.5
    assert found.variability().tolist() == pytest.approx([spread, 0, 0.5, 0])
    assert found.of_label[2].tolist() == pytest.approx([0.7, 1, 0, 0.5])


def test_forgetting_events_by_hand() -> None:
    right = ["11111", "00111", "10101", "11000", "00000", "00001", "01010", "10000"]
    forgotten = [0, 0, 2, 1, 5, 0, 2, 1]  # the one that was never right: as often as there are times
    found = history([[0.9 if one[time] == "1" else 0.1 for one in right] for time in range(5)])
    assert found.forgetting_events().tolist() == forgotten
    assert found.right.int().T.tolist() == [[int(at) for at in one] for one in right]


def test_a_tie_is_an_answer_for_the_lower_class() -> None:
    table = torch.full((3, 2, 2), 0.5)
    found = PredictionHistory(table, torch.tensor([0, 1]))
    assert found.right.all(0).tolist() == [True, False]
    assert found.forgetting_events().tolist() == [0, 3]


def test_el2n_by_hand() -> None:
    table = torch.tensor([[[0.2, 0.3, 0.5], [1, 0, 0], [0, 0, 1.0]], [[0, 1, 0], [1, 0, 0], [0.5, 0, 0.5]]])
    found = PredictionHistory(table, torch.tensor([1, 0, 0]))
    assert found.el2n(0).tolist() == pytest.approx([(0.04 + 0.49 + 0.25) ** 0.5, 0, 2**0.5])
    assert found.el2n(1).tolist() == pytest.approx([0, 0, 0.5**0.5])


def test_one_time_will_do() -> None:
    found = history([[0.9, 0.1]])
    assert found.forgetting_events().tolist() == [0, 1]
    assert found.variability().tolist() == [0, 0]


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 0, 2)])
def test_tables_of_nothing_are_refused(shape: tuple[int, int, int]) -> None:
    message = rf"^probabilities: expected \[times, n, classes\], got \[{shape[0]}, {shape[1]}, {shape[2]}\]$"
    with pytest.raises(InputError, match=message):
        PredictionHistory(torch.zeros(shape), torch.zeros(shape[1], dtype=torch.long))


# The recorder


def data(n: int = 60) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    labels = torch.arange(n) % 3
    return torch.randn(n, 6, generator=generator) + 2 * nn.functional.one_hot(labels, 6), labels


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))


CONFIG = FitConfig(epochs=12, precision="fp32", learning_rate=0.05)


@pytest.fixture(scope="module")
def trained() -> tuple[nn.Module, PredictionHistory, list[dict[str, float]]]:
    model, watch = network(), PredictionHistory.recorder(data())
    rows = fit(model, as_batches(data(), batch_size=20), config=CONFIG, validate=watch).rows
    return model, watch.history(), rows


def test_every_row_of_a_training_is_recorded(
    trained: tuple[nn.Module, PredictionHistory, list[dict[str, float]]],
) -> None:
    """The first of them early, the last of them what the trained network says; with its loss and accuracy."""
    model, found, rows = trained
    images, labels = data()
    assert len(found.probabilities) == len(rows) == 12
    with torch.no_grad():
        last = model(images).softmax(1)
    assert torch.allclose(found.probabilities[-1], last, atol=1e-6)
    assert torch.equal(found.labels, labels)
    assert [row["validation_accuracy"] for row in rows] == pytest.approx(found.right.double().mean(1).tolist())
    losses = [-line.double().log().mean().item() for line in found.of_label]
    assert [row["validation_loss"] for row in rows] == pytest.approx(losses, rel=1e-4)
    assert float(found.right[-1].double().mean()) > 0.9
    assert float(found.confidence().min()) < 0.5 < float(found.confidence().max())
    assert losses[-1] < losses[0]


def test_recording_does_not_change_the_training(
    trained: tuple[nn.Module, PredictionHistory, list[dict[str, float]]],
) -> None:
    alone = network()
    fit(alone, as_batches(data(), batch_size=20), config=CONFIG)
    for name, value in alone.state_dict().items():
        assert torch.equal(value, trained[0].state_dict()[name]), name


def test_a_folder_keeps_what_memory_keeps(
    tmp_path: Path, trained: tuple[nn.Module, PredictionHistory, list[dict[str, float]]]
) -> None:
    watch = Recorder(data(), folder=tmp_path / "deep" / "kept")
    assert watch.times == 0
    fit(network(), as_batches(data(), batch_size=20), config=CONFIG, validate=watch)
    assert watch.times == 12
    for found in (watch.history(), Recorder(data(), folder=tmp_path / "deep" / "kept").history()):  # another process
        assert torch.equal(found.probabilities, trained[1].probabilities)
        assert torch.equal(found.labels, trained[1].labels)


class _StopAt:
    """A `validate` after which a SIGTERM stops the training, once."""

    def __init__(self, calls: int):
        self.left = calls

    def __call__(self, model: nn.Module, precision: Precision, device: torch.device) -> dict[str, float]:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(model, data(), classification(), device=device, precision=precision)


def test_a_training_that_is_stopped_goes_on_with_its_history(
    tmp_path: Path, trained: tuple[nn.Module, PredictionHistory, list[dict[str, float]]]
) -> None:
    """Stopped after five rows, and gone on in another folder's recorder: one history, as if it had not been."""

    def go(then: object) -> Recorder:
        watch = Recorder(data(), folder=tmp_path / "history", then=then)  # pyright: ignore[reportArgumentType]
        with RunFolder(tmp_path / "run", {}) as run:
            fit(network(), as_batches(data(), batch_size=20), config=CONFIG, validate=watch, run=run)
        return watch

    with pytest.raises(Interrupted, match="stopped by SIGTERM"):
        go(_StopAt(5))
    assert Recorder(data(), folder=tmp_path / "history").times == 5
    watch = go(None)
    assert watch.times == 12
    assert torch.allclose(watch.history().probabilities, trained[1].probabilities, atol=1e-6)


def test_then_is_what_the_training_hears() -> None:
    others = (torch.randn(8, 6), torch.arange(8) % 3)
    seen: list[tuple[str, str]] = []

    def then(model: nn.Module, precision: Precision, device: torch.device) -> dict[str, float]:
        seen.append((precision.name, device.type))
        return evaluate(model, others, classification(), device=device, precision=precision)

    watch = PredictionHistory.recorder(data(), then=then)
    model = network()
    rows = fit(model, as_batches(data(), batch_size=20), config=CONFIG, validate=watch).rows
    assert seen == [("fp32", "cpu")] * 12
    expected = evaluate(model, others, classification(), device=CPU, precision=Precision())
    assert rows[-1]["validation_loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert rows[-1]["validation_accuracy"] == pytest.approx(expected["accuracy"])
    assert len(watch.history().labels) == 60


def test_modes_are_put_back_and_nothing_is_learned() -> None:
    model = network().train()
    model.get_submodule("3").eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [part.training for part in model.modules()]
    state = torch.get_rng_state()
    watch = Recorder(data())
    watch(model, Precision(), CPU)
    watch(model, Precision(), CPU)
    assert [part.training for part in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    found = watch.history()
    assert torch.equal(found.probabilities[0], found.probabilities[1])  # no dropout
    assert not found.probabilities.requires_grad


def test_loaders_and_prepare() -> None:
    x, y = data()
    raw = (x * 20 + 128).clamp(0, 255).to(torch.uint8)
    prepare = lambda inputs: (inputs.float() - 128) / 20  # noqa: E731
    model = network()
    tables = []
    for given in (
        (raw, y),
        DataLoader(TensorDataset(raw, y), batch_size=7),
        list(zip(raw.split(9), y.split(9), strict=True)),
    ):
        watch = PredictionHistory.recorder(given, prepare=prepare)
        watch(model, Precision(), CPU)
        watch(model, Precision(), CPU)
        tables.append(watch.history())
    with torch.no_grad():
        expected = model.eval()(prepare(raw)).softmax(1)
    for found in tables:
        assert found.probabilities.shape == (2, 60, 3)
        assert torch.allclose(found.probabilities[1], expected, atol=1e-6)
        assert torch.equal(found.labels, y)


def test_precision_is_that_of_the_training() -> None:
    model, watch = network(), Recorder(data())
    watch(model, Precision(), CPU)
    watch(model, precision_named("bf16"), CPU)
    whole, half = watch.history().probabilities
    assert whole.dtype == half.dtype == torch.float32
    assert torch.allclose(whole, half, atol=0.02)
    assert not torch.equal(whole, half)


@pytest.mark.parametrize("time", [-1, 3])
def test_a_time_that_was_not_recorded_is_said(time: int) -> None:
    found = PredictionHistory(torch.full((3, 2, 2), 0.5), torch.tensor([0, 1]))
    with pytest.raises(InputError, match=rf"^time: expected an index from 0 to 2, got {time}$"):
        found.el2n(time)


def test_batches_of_three_are_refused() -> None:
    loader = DataLoader(TensorDataset(*data(), data()[1]), batch_size=20)
    message = r"^data: expected pairs of tensors \(inputs, labels\), got \(Tensor, Tensor, Tensor\)$"
    with pytest.raises(InputError, match=message):
        fit(network(), as_batches(data(), batch_size=20), config=CONFIG, validate=Recorder(loader))


def test_nothing_recorded_is_said() -> None:
    with pytest.raises(
        InputError, match=r"^history: expected at least one recorded time, got none; train with validate="
    ):
        Recorder(data()).history()


def test_data_that_can_be_read_only_once_are_refused() -> None:
    def once() -> Iterator[tuple[Tensor, Tensor]]:
        yield data()

    with pytest.raises(InputError, match=r"^data: expected a loader that can be gone through again, got generator"):
        Recorder(once())


@pytest.mark.parametrize("folder", [True, False])
def test_rows_that_are_made_again_are_recorded_once(tmp_path: Path, folder: bool) -> None:
    """A training that died before its first checkpoint begins anew: what was recorded of it is forgotten."""
    watch = Recorder(data(), folder=tmp_path / "history" if folder else None)
    for _ in range(2):
        fit(network(), as_batches(data(), batch_size=20), config=CONFIG, validate=watch)
        assert watch.times == 12
    watch.rewind(2)
    assert watch.times == 2
    assert len(watch.history().probabilities) == 2
