"""Training with exits: the loss is the sum it says, frozen is frozen, and it learns."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from shoal.engine import FitConfig
from shoal.errors import InputError
from shoal.exits import EarlyExit, fit_exits, joint_objective
from shoal.nets import create_model

CONFIG = FitConfig(epochs=6, precision="fp32", learning_rate=0.05)


def toy() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(96) % 3
    return torch.randn(96, 3, 8, 8, generator=generator) + labels[:, None, None, None], labels


def network() -> EarlyExit:
    torch.manual_seed(0)
    return EarlyExit(create_model("cifar_resnet18", num_classes=3, width=4), ["layer1", "layer2"], 3)


def test_the_joint_loss_equals_the_sum_by_hand() -> None:
    every = [torch.randn(5, 4) for _ in range(3)]
    labels = torch.tensor([0, 1, 2, 3, 0])

    class Fixed(nn.Module):
        def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
            return every

    loss, counts = joint_objective([0.2, 0.5, 1.0], distil=0.25, label_smoothing=0.1)(Fixed(), labels, labels)
    expected = 0.0
    soft = every[-1].softmax(1)
    for weight, logits in zip([0.2, 0.5], every[:2], strict=True):
        hard = F.cross_entropy(logits, labels, label_smoothing=0.1)
        gentle = -(soft * logits.log_softmax(1)).sum(1).mean()
        expected += weight * (0.75 * hard + 0.25 * gentle)
    expected += F.cross_entropy(every[2], labels, label_smoothing=0.1)
    assert float(loss) == pytest.approx(float(torch.as_tensor(expected)), rel=1e-6)
    assert int(counts["correct"]) == int((every[2].argmax(1) == labels).sum())


def test_joint_training_teaches_every_exit() -> None:
    net = network()
    images, labels = toy()
    history = fit_exits(net, (images, labels), (images, labels), config=CONFIG, batch_size=16)
    assert history.rows[-1]["validation_accuracy"] > 0.9
    for logits in net(images):
        assert (logits.argmax(1) == labels).double().mean() > 0.8


def test_frozen_training_changes_the_heads_alone() -> None:
    net = network()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    fit_exits(net, toy(), mode="frozen", config=CONFIG, batch_size=16)
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if name.startswith("heads.")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "both"}, "unknown mode"),
        ({"weights": [1.0, 1.0]}, "weights: expected 3 numbers >= 0"),
        ({"weights": [1.0, -1.0, 1.0]}, "weights: expected 3 numbers >= 0"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_exits(network(), toy(), **arguments)  # pyright: ignore[reportArgumentType]


def test_joint_training_after_frozen_trains_everything_again() -> None:
    """All but what the owner of the backbone had frozen."""
    net = network()
    stem = net.get_submodule("backbone.conv1.weight".rpartition(".")[0])
    stem.requires_grad_(False)
    fit_exits(net, toy(), mode="frozen", config=CONFIG, batch_size=16)
    before = {name: value.clone() for name, value in net.named_parameters()}
    fit_exits(net, toy(), mode="joint", config=CONFIG, batch_size=16)
    same = {name for name, value in net.named_parameters() if torch.equal(value, before[name])}
    assert same == {"backbone.conv1.weight"}
