"""Thresholds with a guarantee: what a certificate says can be counted again, what cannot be promised is refused."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from shoal.engine import FitConfig, precision_named
from shoal.errors import InputError
from shoal.exits import (
    Confidence,
    EarlyExit,
    Entropy,
    ExitOutputs,
    Margin,
    Patience,
    Policy,
    calibrate,
    calibrate_outputs,
    certify,
    fit_exits,
    policy_path,
)
from shoal.exits.calibration import fewest_rows
from shoal.exits.guarantee import p_value
from shoal.nets import create_model
from tests.exits.test_exits_thresholds import made_up

KINDS: list[type[Policy]] = [Confidence, Entropy, Margin, Patience]


@pytest.mark.parametrize("kind", KINDS)
def test_the_certificate_can_be_counted_again(kind: type[Policy]) -> None:
    outputs = made_up(6000, 4, 1)
    drop = 0.15 if kind is Patience else 0.03  # three early exits are few for patience
    policy = calibrate_outputs(outputs, kind, max_accuracy_drop=drop)
    seen = policy.certificate
    assert seen is not None
    order = torch.randperm(6000, generator=torch.Generator().manual_seed(0))
    tested = outputs.take(order[seen.chosen_on :])
    _, right, macs = tested.replay(policy)
    whole = tested.right[-1]
    assert (seen.losses, seen.gains) == (int((whole & ~right).sum()), int((right & ~whole).sum()))
    assert seen.rows + seen.chosen_on == 6000
    assert seen.p_value == p_value(seen.rows, seen.losses, seen.gains, drop) <= 0.05
    assert not seen.never_leaves
    assert macs.double().mean() < 0.95 * float(outputs.costs[-1])
    seen.check()
    assert f"at most {100 * drop:g} points lost with 95 % confidence: of 5,400 examples" in str(seen)
    with pytest.raises(InputError, match=r"certificate: expected counts with p <= 0\.05"):
        replace(seen, losses=seen.losses + 900).check()


def test_policies_are_tested_in_their_order_up_to_the_first_that_fails() -> None:
    outputs = made_up(3000, 3, 2)
    safe, bold, bolder = Confidence([0.999, 0.999]), Confidence([0.0, 0.0]), Confidence([0.9, 0.9])
    taken = certify(outputs, [safe, bold, bolder], max_accuracy_drop=0.02)
    assert taken.thresholds == safe.thresholds  # the third would pass, but comes after one that fails
    assert certify(outputs, [bolder], max_accuracy_drop=0.05).thresholds == bolder.thresholds
    assert taken.certificate is not None
    assert taken.certificate.tested == 2


def test_where_only_the_whole_network_passes_it_says_so() -> None:
    outputs = made_up(3000, 3, 2)
    policy = certify(outputs, [Confidence([0.0, 0.0])], max_accuracy_drop=0.01)
    assert policy.thresholds == (Confidence.never,) * 2
    assert policy.certificate is not None
    assert policy.certificate.never_leaves
    assert "by never leaving early; no bolder policy passed the test on 3,000 examples" in str(policy.certificate)
    policy.certificate.check()


def test_a_policy_that_loses_nothing_here_is_tested_all_the_same() -> None:
    """No loss in 100 rows does not prove less than a point; that nothing leaves needs no proof."""
    logits = torch.tensor([[0.0, 9.0]]).expand(2, 100, 2).contiguous()
    outputs = ExitOutputs(logits, torch.ones(100, dtype=torch.long), torch.tensor([1, 2]))
    policy = certify(outputs, [Confidence([0.5])], max_accuracy_drop=0.01)
    assert policy.certificate is not None
    assert policy.certificate.never_leaves
    assert certify(outputs, [Confidence([0.5])], max_accuracy_drop=0.05).thresholds == (0.5,)


def test_a_policy_gives_its_temperatures_and_not_its_thresholds() -> None:
    outputs = made_up(4000, 3, 5)
    policy = calibrate_outputs(outputs, Confidence([0.1, 0.1], [2.0, 3.0]), max_accuracy_drop=0.05)
    assert policy.temperatures == (2.0, 3.0)
    fitted = calibrate_outputs(outputs, Confidence, max_accuracy_drop=0.05)
    assert fitted.temperatures != (1.0, 1.0)
    assert policy_path(outputs, policy)[0].temperatures == (2.0, 3.0)


@pytest.mark.parametrize("drop", [0.01, 0.05])
def test_so_few_rows_that_nothing_could_pass_are_refused(drop: float) -> None:
    needed = fewest_rows(drop, 0.95)
    with pytest.raises(
        InputError, match=f"data: expected at least {needed:,} examples for .* at 95 %, got {needed - 1}"
    ):
        calibrate_outputs(made_up(needed - 1, 3, 0), max_accuracy_drop=drop)
    calibrate_outputs(made_up(needed, 3, 0), max_accuracy_drop=drop)
    tests = needed - round(0.1 * needed)
    assert p_value(tests, 0, 0, drop) <= 0.05 < p_value(tests - 1, 0, 0, drop)


def trained() -> tuple[EarlyExit, Tensor, Tensor]:
    torch.manual_seed(0)
    net = EarlyExit(create_model("cifar_resnet18", num_classes=3, width=4), at=2, num_classes=3)
    images, labels = torch.randint(256, (64, 3, 12, 12), dtype=torch.uint8), torch.arange(64) % 3
    config = FitConfig(epochs=1, precision="fp32")
    fit_exits(net, (images, labels), config=config, batch_size=32, prepare=lambda x: x.float() / 255)
    return net, images, labels


def test_examples_that_it_was_trained_on_are_known_by_their_content() -> None:
    net, images, labels = trained()
    fresh = torch.randint(256, (700, 3, 12, 12), dtype=torch.uint8)
    truth = torch.arange(700) % 3
    options = {"max_accuracy_drop": 0.1, "prepare": lambda x: x.float() / 255}
    with pytest.raises(InputError, match="got 64 of 64 that it was trained on; calibrate on examples that were held"):
        calibrate(net, (images.flip(0), labels.flip(0)), **options)
    with pytest.raises(InputError, match="got 64 of 764 that it was trained on"):
        calibrate(net, (torch.cat([fresh, images]), torch.cat([truth, labels])), **options)
    policy = calibrate(net, (torch.cat([images[:5], fresh]), torch.cat([labels[:5], truth])), **options)
    assert policy.certificate is not None
    assert policy.certificate.left_out == 5
    assert policy.certificate.rows + policy.certificate.chosen_on == 700
    batches = [(fresh[at : at + 100], truth[at : at + 100]) for at in range(0, 700, 100)]
    assert calibrate(net, batches, **options).thresholds == calibrate(net, (fresh, truth), **options).thresholds


def test_a_policy_of_another_network_is_refused() -> None:
    net, *_ = trained()
    fresh = torch.randint(256, (200, 3, 12, 12), dtype=torch.uint8).float() / 255
    policy = calibrate(net, (fresh, torch.arange(200) % 3), max_accuracy_drop=0.2)
    net.predict(fresh[:4], policy)
    same = copy.deepcopy(net)
    precision_named("fp32+channels_last").place_model(same, torch.device("cpu"))
    assert same.fingerprint() == net.fingerprint()
    same.predict(fresh[:4], policy)
    with torch.no_grad():
        next(same.heads.parameters())[0] += 1
    with pytest.raises(InputError, match=f"policy: expected one calibrated for this network .*{net.fingerprint()}"):
        same.predict(fresh[:4], policy)
    same.predict(fresh[:4], policy.with_thresholds(policy.thresholds))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_accuracy_drop": 1.0}, r"max_accuracy_drop: expected a share in \(0, 1\), got 1.0; give 1 point as 0.01"),
        ({"max_accuracy_drop": 0.0}, "no number of examples proves that nothing is lost"),
        ({"max_accuracy_drop": 0.1, "confidence": 95}, "confidence: .* got 95; give 95 % as 0.95"),
        ({"max_accuracy_drop": 0.1, "policy": Confidence([0.5])}, "Confidence: expected 2 thresholds"),
    ],
)
def test_what_cannot_be_promised_is_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        calibrate_outputs(made_up(2000, 3, 0), **options)
