"""Saved networks with exits and policies: round trips to the bit, certificates tested again, every kind of damage."""

import copy
import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from shoal.engine import FitConfig
from shoal.errors import InputError, ShoalError
from shoal.exits import Confidence, EarlyExit, Entropy, Margin, Patience, Policy, calibrate, fit_exits
from shoal.exits.content import digests
from shoal.exits.policy_json import KINDS, policy_from_json, policy_to_json
from shoal.exits.saving import ImageInputs, inputs_of, load_exits, load_network, save_exits, save_policy
from shoal.nets import create_model
from tests.exits.networks import Branches, Patches

FILES = ["exits.json", "exits.safetensors", "policy.json"]
INPUTS = ImageInputs(
    shape=(3, 16, 16), classes=("a", "b", "<c>", "ü", "e"), mean=(0.1, 0.5, 1 / 3), std=(1.0, 0.5, 2.0)
)


def images(rows: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[EarlyExit, Policy, Path]:
    """A trained network, a policy with a certificate, and the folder that they are saved in."""
    torch.manual_seed(0)
    net = EarlyExit(create_model("cifar_resnet18", num_classes=5, width=4, seed=0), ["layer3", "layer1"], 5)
    config = FitConfig(epochs=1, precision="fp32")
    fit_exits(net, (images(64), torch.arange(64) % 5), config=config, batch_size=16)
    policy = calibrate(net.eval(), (images(100, seed=1), torch.arange(100) % 5), Confidence, max_accuracy_drop=0.6)
    folder = tmp_path_factory.mktemp("saved") / "deep" / "exits"
    return net, policy, save_exits(net, folder, policy=policy, inputs=INPUTS)


@pytest.fixture
def net(made: tuple[EarlyExit, Policy, Path]) -> EarlyExit:
    return copy.deepcopy(made[0])


@pytest.fixture
def policy(made: tuple[EarlyExit, Policy, Path]) -> Policy:
    return made[1]


@pytest.fixture
def folder(made: tuple[EarlyExit, Policy, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[2], tmp_path / "exits"))


def test_round_trip_is_exact(net: EarlyExit, policy: Policy, folder: Path) -> None:
    before = torch.get_rng_state()
    back, same = load_exits(folder)
    assert torch.equal(before, torch.get_rng_state())
    x = images(9, seed=2)
    for saved, loaded in zip(net(x), back(x), strict=True):
        assert torch.equal(saved, loaded)
    assert same == policy
    assert same is not None
    assert same.certificate is not None
    assert back.at == net.at == ("layer1", "layer3")
    assert inputs_of(back) == INPUTS
    assert back.fingerprint() == net.fingerprint()
    assert not back.training
    assert all(p.requires_grad for p in back.parameters() if p.is_floating_point())
    for one, other in zip(vars(net.predict(x, policy)).values(), vars(back.predict(x, same)).values(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_dtypes_come_back(net: EarlyExit, tmp_path: Path, dtype: torch.dtype) -> None:
    net = net.to(dtype)
    back = load_network(save_exits(net, tmp_path, inputs=INPUTS))
    for (name, saved), (other, loaded) in zip(net.state_dict().items(), back.state_dict().items(), strict=True):
        assert (name, saved.dtype) == (other, loaded.dtype)
        assert torch.equal(saved, loaded)


def test_the_memory_format_comes_back(net: EarlyExit, tmp_path: Path) -> None:
    """Kernels differ by format in their last bits."""
    net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - missing from torch's stubs
    back = load_network(save_exits(net, tmp_path))
    weights = back.get_parameter("backbone.layer1.0.conv1.weight")
    assert weights.is_contiguous(memory_format=torch.channels_last)
    assert not weights.is_contiguous()
    x = images(9)
    assert all(torch.equal(saved, loaded) for saved, loaded in zip(net(x), back(x), strict=True))


def test_what_it_was_trained_on_is_known_after_loading(net: EarlyExit, folder: Path) -> None:
    back = load_network(folder)
    assert back.trained_on.dtype == torch.int64
    assert torch.equal(back.trained_on, net.trained_on)
    assert torch.isin(digests(images(64)), back.trained_on).all()
    with pytest.raises(InputError, match="data: expected examples that the network has not seen, got 64 of 64"):
        calibrate(back, (images(64), torch.arange(64) % 5), max_accuracy_drop=0.5)


def test_what_a_network_takes_outlives_a_second_save(folder: Path, tmp_path: Path) -> None:
    net, policy = load_exits(folder)
    again, same = load_exits(save_exits(net, tmp_path / "again", policy=policy))
    assert inputs_of(again) == INPUTS
    assert same == policy
    for name in FILES:
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_save_without_a_policy_removes_that_of_an_earlier_network(net: EarlyExit, folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == FILES
    save_exits(net, folder)
    assert sorted(path.name for path in folder.iterdir()) == FILES[:2]
    assert load_exits(folder)[1] is None
    assert save_policy(net, folder, Margin([0.25, inf])) == folder / "policy.json"
    assert load_exits(folder)[1] == Margin([0.25, inf])


@pytest.mark.parametrize(("made_by", "make"), [("Branches", Branches), ("Patches", Patches)])
def test_an_imported_backbone(made_by: str, make: Callable[[], nn.Module], tmp_path: Path) -> None:
    torch.manual_seed(3)
    net = EarlyExit(make(), 2, 5, example=images(2)).eval()
    inputs = replace(INPUTS, shape=(3, 16, 16))
    save_exits(net, tmp_path, inputs=inputs, made_by=f"tests.exits.networks:{made_by}")
    back = load_network(tmp_path)
    x = images(5)
    assert all(torch.equal(saved, loaded) for saved, loaded in zip(net(x), back(x), strict=True))
    again = load_network(save_exits(back, tmp_path / "again"))  # it is still known how it is made
    assert again.fingerprint() == net.fingerprint()


def test_a_backbone_without_a_name_is_given(tmp_path: Path) -> None:
    net = EarlyExit(Branches(), ["mix"], 5, example=images(2)).eval()
    save_exits(net, tmp_path)
    with pytest.raises(InputError, match=r"exits\.json: expected a backbone that can be built, .*; pass backbone="):
        load_network(tmp_path)
    given = Branches()
    back = load_network(tmp_path, backbone=given)
    assert back.backbone is given
    assert all(torch.equal(saved, loaded) for saved, loaded in zip(net(images(5)), back(images(5)), strict=True))


def thresholds(kind: type[Policy]) -> st.SearchStrategy[list[float]]:
    low, high = kind.range
    finite = st.floats(low, min(high, 1e300))
    return st.lists(st.one_of(finite, st.sampled_from([kind.never, high])), min_size=1, max_size=6)


@given(st.sampled_from([Confidence, Entropy, Margin, Patience]).flatmap(lambda k: st.tuples(st.just(k), thresholds(k))))
def test_any_policy_comes_back(made: tuple[type[Policy], list[float]]) -> None:
    kind, values = made
    policy = kind(values, [0.5 + i / 3 for i in range(len(values))])
    written = json.dumps(policy_to_json(policy), allow_nan=False)
    assert policy_from_json(json.loads(written)) == policy


def test_the_files_are_plain_json(folder: Path, net: EarlyExit) -> None:
    about = json.loads((folder / "exits.json").read_text())
    assert about["backbone"]["name"] == "cifar_resnet18"
    assert (about["at"], about["num_classes"], about["channels_last"]) == (["layer1", "layer3"], 5, False)
    assert about["inputs"]["classes"] == list(INPUTS.classes)
    save_policy(net, folder, Entropy([-inf, inf]))
    written = json.loads((folder / "policy.json").read_text())
    assert (written["kind"], written["thresholds"], written["certificate"]) == ("entropy", [None, "inf"], None)
    assert written["network"] == net.fingerprint()
    assert {name: kind.__name__.lower() for name, kind in KINDS.items()} == {name: name for name in KINDS}


def test_a_policy_that_was_written_by_hand(net: EarlyExit, folder: Path) -> None:
    (folder / "policy.json").write_text('{"kind": "patience", "thresholds": [1]}')
    assert load_exits(folder)[1] == Patience(1)
    (folder / "policy.json").write_text('{"kind": "confidence", "thresholds": [1]}')
    with pytest.raises(InputError, match=r"policy\.json: Confidence: expected 2 thresholds, .*, got 1"):
        load_exits(folder)
    (folder / "policy.json").write_text('{"kind": "confidence", "thresholds": [1, 2]}')
    with pytest.raises(InputError, match=r"policy\.json: thresholds of Confidence: expected numbers from 0 to 1"):
        load_exits(folder)
    (folder / "policy.json").write_text('{"kind": "confidense", "thresholds": [1, 1]}')
    with pytest.raises(InputError, match=r"policy\.json: unknown policy 'confidense'; did you mean 'confidence'"):
        load_exits(folder)


def test_a_policy_for_another_network(net: EarlyExit, policy: Policy, folder: Path, tmp_path: Path) -> None:
    other = load_network(folder)
    with torch.no_grad():
        other.get_parameter("heads.0.linear.bias")[0] += 1e-3
    with pytest.raises(
        InputError, match=rf"policy: expected one for this network \(\w+\), got one for {net.fingerprint()}"
    ):
        save_exits(other, tmp_path / "other", policy=policy)
    assert not (tmp_path / "other").exists()
    save_exits(other, tmp_path / "other")
    with pytest.raises(InputError, match="policy: expected one for this network"):
        save_policy(other, tmp_path / "other", policy)
    (tmp_path / "other" / "policy.json").write_bytes((folder / "policy.json").read_bytes())
    with pytest.raises(
        InputError, match=r"policy\.json: policy: expected one for this network .*; calibrate one"
    ) as said:
        load_exits(tmp_path / "other")
    assert "\n" not in str(said.value)
    assert load_network(tmp_path / "other").at == net.at  # the network itself can be had
    with pytest.raises(InputError, match="Confidence: expected 2 thresholds"):
        save_exits(net, tmp_path / "third", policy=Confidence([0.5]))


def test_a_certificate_is_tested_again(policy: Policy, folder: Path) -> None:
    """Also where somebody made a checksum for it."""
    assert policy.certificate is not None
    bold = policy.with_certificate(
        replace(policy.certificate, losses=policy.certificate.rows, gains=0, never_leaves=False)
    )
    (folder / "policy.json").write_text(json.dumps(policy_to_json(bold)))
    with pytest.raises(InputError, match=r"policy\.json: certificate: expected counts with p <= 0\.05, got p = 1"):
        load_exits(folder)


def edited(folder: Path, **changes: Any) -> Path:
    value = json.loads((folder / "policy.json").read_text())
    (folder / "policy.json").write_text(json.dumps(value | changes))
    return folder


@pytest.mark.parametrize(
    "changes",
    [{"thresholds": [0.0, 0.0]}, {"temperatures": [1.0, 2.0]}, {"sha256": ""}, {"sha256": None}, {"kind": "margin"}],
)
def test_a_promise_is_not_kept_by_an_edited_policy(folder: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(
        ShoalError, match=r"policy\.json: policy: expected a policy as it was saved, got another content"
    ):
        load_exits(edited(folder, **changes))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", '{"kind": "margin"}', '{"kind": "margin", "thresholds": 3}', "\udcff"]
    + [f'{{"kind": "margin", "thresholds": {it}}}' for it in ('["x", 1]', '"ab"', "[[1], 1]", '{"a": 1}')]
    + ['{"kind": "margin", "thresholds": [1, 1], "temperatures": "ab"}', '{"kind": [], "thresholds": [1, 1]}'],
)
def test_a_damaged_policy_is_one_line(folder: Path, text: str) -> None:
    (folder / "policy.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ShoalError, match=r"policy\.json: ") as said:
        load_exits(folder)
    assert "\n" not in str(said.value)
    load_network(folder)


def test_a_certificate_of_another_form(folder: Path) -> None:
    for certificate in (
        {"rows": 3},
        {**json.loads((folder / "policy.json").read_text())["certificate"], "rows": "many"},
    ):
        value = {"kind": "margin", "thresholds": [1, 1], "certificate": certificate}
        value["sha256"] = policydigest(value)
        (folder / "policy.json").write_text(json.dumps(value))
        with pytest.raises(ShoalError, match=r"policy\.json: policy: expected a policy as it was saved, got values of"):
            load_exits(folder)


def policydigest(value: dict[str, Any]) -> str:
    from shoal.exits.policy_json import digest

    return digest(value)


def test_no_folder_and_folders_of_others(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="expected a folder of a network with exits, got no such folder; make one with"
    ):
        load_exits(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"expected a folder of a network with exits, got no exits\.json"):
        load_exits(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a folder of a network with exits, got a file"):
        load_exits(tmp_path / "file")


def test_missing_weights(folder: Path) -> None:
    (folder / "exits.safetensors").unlink()
    with pytest.raises(InputError, match=r"expected a folder of a saved network, got no exits\.safetensors"):
        load_exits(folder)


@pytest.mark.parametrize("length", [0, 4, 100, -1, -1000])
def test_truncated_weights(folder: Path, length: int) -> None:
    path = folder / "exits.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ShoalError, match="expected complete weights, got a truncated or damaged file"):
        load_exits(folder)


def test_a_flipped_bit_in_the_weights(folder: Path) -> None:
    path = folder / "exits.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(ShoalError, match="wrong checksum"):
        load_exits(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"backbone": null, "at": 3}', "\udcff"])
def test_a_damaged_description(folder: Path, text: str) -> None:
    (folder / "exits.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ShoalError, match=r"exits\.json: expected ") as said:
        load_exits(folder)
    assert "\n" not in str(said.value)


def test_a_save_that_was_interrupted_between_its_files(net: EarlyExit, folder: Path) -> None:
    old = (folder / "exits.json").read_bytes()
    save_exits(net, folder, inputs=replace(INPUTS, classes=("e", "d", "c", "b", "a")))
    (folder / "exits.json").write_bytes(old)
    with pytest.raises(
        ShoalError, match=r"expected exits\.json and exits\.safetensors of the same network, got two that"
    ):
        load_exits(folder)


def test_code_that_makes_another_network_now(folder: Path) -> None:
    net = create_model("cifar_resnet18", num_classes=5, width=2)
    with pytest.raises(
        ShoalError, match=r"got backbone\.conv1\.weight of \[4, 3, 3, 3\] for \[2, 3, 3, 3\]; .* more; use"
    ):
        load_network(folder, backbone=net)
    with pytest.raises(InputError, match=r"exits\.json: unknown layer 'layer1'"):
        load_network(folder, backbone=Branches())


def test_a_full_disk_keeps_the_old_network(net: EarlyExit, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: (folder / name).read_bytes() for name in FILES}

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ShoalError, match="disk full while writing"):
            save_exits(net, folder)
        with pytest.raises(ShoalError, match="disk full while writing"):
            save_policy(net, folder, Confidence([0.5, 0.5]))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
