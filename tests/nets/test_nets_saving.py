"""Saved networks: round trips, and every kind of damage."""

import errno
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from shoal.errors import InputError, ShoalError
from shoal.nets import create_model, load_model, save_model


@pytest.fixture
def net() -> nn.Module:
    net = create_model("cifar_resnet18", width=4, num_classes=6, in_channels=1, seed=0)
    net(torch.randn(4, 1, 16, 16, generator=torch.Generator().manual_seed(0)))  # running statistics move
    return net


@pytest.fixture
def folder(net: nn.Module, tmp_path: Path) -> Path:
    return save_model(net, tmp_path / "deep" / "model")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_round_trip_is_exact(net: nn.Module, tmp_path: Path, dtype: torch.dtype):
    net = net.to(dtype)
    net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - missing from torch's stubs
    before = torch.get_rng_state()
    back = load_model(save_model(net, tmp_path))
    assert torch.equal(before, torch.get_rng_state())
    for (name, saved), (back_name, loaded) in zip(net.state_dict().items(), back.state_dict().items(), strict=True):
        assert name == back_name
        assert saved.dtype == loaded.dtype
        assert torch.equal(saved, loaded)
    assert back.config == net.config
    assert not back.training
    assert all(p.requires_grad for p in back.parameters())


def test_saving_again_replaces_and_leaves_nothing_else(folder: Path):
    other = create_model("cifar_resnet18", width=2)
    save_model(other, folder)
    assert load_model(str(folder)).config == other.config
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "model.safetensors"]


def test_the_config_is_plain_json(folder: Path):
    assert json.loads((folder / "model.json").read_text()) == {
        "name": "cifar_resnet18",
        "settings": {"num_classes": 6, "in_channels": 1, "width": 4, "zero_init_residual": False, "whitened": False},
    }


def test_only_networks_of_the_registry_can_be_saved(tmp_path: Path):
    with pytest.raises(InputError, match="model: expected a network from create_model, got Linear"):
        save_model(nn.Linear(2, 2), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_plain_weights_of_others_load(folder: Path):
    weights = load_file(folder / "model.safetensors")
    save_file(weights, folder / "model.safetensors")  # no metadata of ours
    load_model(folder)
    # torchvision's older files do not count batches; torch forgives that, and so do we
    save_file({k: v for k, v in weights.items() if "num_batches" not in k}, folder / "model.safetensors")
    assert torch.equal(load_model(folder).state_dict()["fc.bias"], weights["fc.bias"])


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_missing_file(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"expected a folder of a saved network, got no {name}"):
        load_model(folder)


@pytest.mark.parametrize("length", [0, 4, 100, -1, -1000])
def test_truncated_weights(folder: Path, length: int):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ShoalError, match="expected complete weights, got a truncated or damaged file"):
        load_model(folder)


def test_a_flipped_bit_in_the_weights(folder: Path):
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(ShoalError, match="wrong checksum"):
        load_model(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": "x"}', '{"name": "x", "settings": 3}', "\udcff"])
def test_a_damaged_config(folder: Path, text: str):
    (folder / "model.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ShoalError, match=r"model\.json: expected JSON with name and settings"):
        load_model(folder)


def test_a_save_that_was_interrupted_between_its_files(folder: Path):
    old = (folder / "model.json").read_bytes()
    save_model(create_model("cifar_resnet18", width=2), folder)
    (folder / "model.json").write_bytes(old)
    with pytest.raises(ShoalError, match="of the same network, got two that differ"):
        load_model(folder)


def edit(folder: Path, **changes: object) -> None:
    """Change the config, and drop our metadata so that only the weights can tell."""
    save_file(load_file(folder / "model.safetensors"), folder / "model.safetensors")
    config = json.loads((folder / "model.json").read_text())
    config["name"] = changes.pop("name", config["name"])
    config["settings"].update(changes)
    (folder / "model.json").write_text(json.dumps(config))


def test_weights_of_another_width(folder: Path):
    edit(folder, width=8)
    with pytest.raises(ShoalError, match=r"got conv1\.weight of \[4, 1, 3, 3\] for \[8, 1, 3, 3\]; .* and \d+ more"):
        load_model(folder)


def test_weights_of_another_depth(folder: Path):
    edit(folder, name="cifar_resnet34")
    with pytest.raises(ShoalError, match=r"got no layer1\.2\.conv1\.weight"):
        load_model(folder)


def test_weights_that_the_network_lacks(folder: Path):
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "extra": torch.zeros(2)}, folder / "model.safetensors")
    with pytest.raises(ShoalError, match="got extra, which the network lacks"):
        load_model(folder)


def test_a_config_that_names_something_unknown(folder: Path):
    edit(folder, name="cifar_resnet19")
    with pytest.raises(InputError, match=r"model\.json: unknown network 'cifar_resnet19'; did you mean"):
        load_model(folder)
    edit(folder, name="cifar_resnet18", widht=3)
    with pytest.raises(InputError, match=r"model\.json: unknown setting of cifar_resnet18 'widht'"):
        load_model(folder)


def test_a_full_disk_keeps_the_old_network(folder: Path, monkeypatch: pytest.MonkeyPatch):
    before = load_model(folder).config

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ShoalError, match="disk full while writing"):
            save_model(create_model("cifar_resnet18", width=2), folder)
    assert load_model(folder).config == before
    assert len(list(folder.iterdir())) == 2
