"""Saved face networks: round trips to the bit, and every kind of damage."""

import errno
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from shoal.errors import InputError, ShoalError
from shoal.faces.network import FaceNetwork
from shoal.faces.networks import create_network, list_networks
from shoal.faces.saving import load_network, save_network

ABOUT = {"data": "drawn", "steps": 12, "accuracy": 0.875, "people": ["a", "ü"], "none": None}


def images(rows: int = 3, side: int = 48) -> Tensor:
    return torch.randn(rows, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def network() -> FaceNetwork:
    network = create_network("compact", 24, seed=0, image_size=(48, 40))
    network(images(8))  # running statistics move
    return network.eval()


@pytest.fixture
def path(network: FaceNetwork, tmp_path: Path) -> Path:
    return save_network(network, tmp_path / "deep" / "faces.safetensors", ABOUT)


def header_of(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["shoal.faces"])


def rewrite(path: Path, tensors: dict[str, Tensor] | None = None, **changes: object) -> None:
    """Write the file again with other weights or another header."""
    header = {**header_of(path), **changes}
    kept = {key: value for key, value in header.items() if value != "gone"}
    save_file(tensors or load_file(path), path, metadata={"shoal.faces": json.dumps(kept)})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_round_trip_is_exact(network: FaceNetwork, tmp_path: Path, dtype: torch.dtype) -> None:
    network = network.to(dtype)
    before = torch.get_rng_state()
    back, about = load_network(save_network(network, tmp_path / "net.safetensors", ABOUT))
    assert torch.equal(before, torch.get_rng_state())
    assert about == ABOUT
    state, loaded_state = network.state_dict(), back.state_dict()
    assert list(state) == list(loaded_state)
    for saved, loaded in zip(state.values(), loaded_state.values(), strict=True):
        assert saved.dtype == loaded.dtype
        assert torch.equal(saved, loaded)
    assert (back.name, back.embedding_dim, back.batch_norm, back.image_size) == ("compact", 24, True, (48, 40))
    assert not back.training
    assert all(p.requires_grad and p.is_leaf for p in back.parameters())
    x = images().to(dtype)
    assert torch.equal(back(x), network(x))


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("name", ["nn4", "nns2"])
def test_networks_of_the_paper_come_back(name: str, batch_norm: bool, tmp_path: Path) -> None:
    network = create_network(name, 8, batch_norm, seed=1).eval()
    back, about = load_network(save_network(network, tmp_path / "net.safetensors"))
    assert about == {}
    assert (back.name, back.batch_norm, back.image_size) == (name, batch_norm, network.image_size)
    x = torch.randn(1, 3, *network.image_size)
    with torch.no_grad():
        assert torch.equal(back(x), network(x))


def test_a_loaded_network_trains_and_is_independent_of_its_file(path: Path) -> None:
    network, _ = load_network(path)
    content = path.read_bytes()
    path.write_bytes(bytes(len(content)))  # in place, as a copying program would
    network.train()(images()).sum().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


def test_channels_last_is_saved_plainly(network: FaceNetwork, tmp_path: Path) -> None:
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - missing from torch's stubs
    back, _ = load_network(save_network(network, tmp_path / "net.safetensors"))
    torch.testing.assert_close(back(images()), network(images()))
    assert all(torch.equal(a, b) for a, b in zip(back.parameters(), network.parameters(), strict=True))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler, on its own import
def test_a_compiled_network_is_saved_as_what_it_wraps(network: FaceNetwork, tmp_path: Path) -> None:
    compiled = torch.compile(network)
    assert isinstance(compiled, nn.Module)
    back, _ = load_network(save_network(compiled, tmp_path / "net.safetensors"))
    assert torch.equal(back(images()), network(images()))


def test_equal_networks_are_equal_files(network: FaceNetwork, tmp_path: Path) -> None:
    one, other = (save_network(network, tmp_path / name, ABOUT) for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one", "other"]


def test_the_metadata_say_what_it_is(path: Path) -> None:
    header = header_of(path)
    assert {key: header[key] for key in ("name", "embedding_dim", "batch_norm", "image_size", "about")} == {
        "name": "compact",
        "embedding_dim": 24,
        "batch_norm": True,
        "image_size": [48, 40],
        "about": ABOUT,
    }


@pytest.mark.parametrize("about", [{"x": torch.zeros(1)}, {"x": float("nan")}, {"x": {1, 2}}, {"x": {(1, 2): 3}}])
def test_what_json_cannot_hold_is_refused(network: FaceNetwork, tmp_path: Path, about: dict[Any, Any]) -> None:
    with pytest.raises(InputError, match="about: expected a dict of what JSON can hold, got"):
        save_network(network, tmp_path / "net.safetensors", about)
    assert list(tmp_path.iterdir()) == []


def test_only_whole_face_networks_are_saved(network: FaceNetwork, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    with pytest.raises(InputError, match="network: expected a face network from create_network, got Linear"):
        save_network(nn.Linear(2, 2), path)
    with torch.device("meta"), pytest.raises(InputError, match=r"expected the layers of nn4 .* of meta device"):
        save_network(create_network("nn4"), path)
    with pytest.raises(InputError, match="unknown face network 'mine'"):
        save_network(FaceNetwork("mine", network.trunk, 3), path)
    network.embedding = nn.Linear(7, 24)
    with pytest.raises(InputError, match=r"of compact as .* got embedding.weight of \[24, 7\] for \[24, 1024\]"):
        save_network(network, path)
    assert list(tmp_path.iterdir()) == []


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.safetensors: expected the file of a .* network, got no such"):
        load_network(tmp_path / "no.safetensors")
    with pytest.raises(InputError, match="the file of a saved face network, got a folder; check the path"):
        load_network(str(tmp_path))


@pytest.mark.parametrize("length", [0, 4, 8, 100, -1, -1000])
def test_truncated_files(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ShoalError, match=r"faces\.safetensors: expected a complete file, got one that is trunc"):
        load_network(path)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n" + bytes(400), b"{}", b"PK\x03\x04" + bytes(99), b"text"])
def test_files_of_another_kind(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ShoalError, match="a complete file, got one that is truncated, damaged or of another kind"):
        load_network(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"shoal.exits": "{}"}])
def test_weights_of_another_program(path: Path, metadata: dict[str, str] | None) -> None:
    save_file({"weight": torch.zeros(3)}, path, metadata=metadata)
    with pytest.raises(InputError, match="expected a saved face network, got weights of something else"):
        load_network(path)


def test_every_flipped_bit_is_found(path: Path) -> None:
    content = path.read_bytes()
    header_size = struct.unpack("<Q", content[:8])[0]
    generator = torch.Generator().manual_seed(0)
    draw = lambda low, high: int(torch.randint(low, high, (), generator=generator))  # noqa: E731
    in_header, in_weights = (0, 8 + header_size), (8 + header_size, len(content))
    for place in [*(draw(*in_header) for _ in range(80)), *(draw(*in_weights) for _ in range(10))]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << draw(0, 8)
        path.write_bytes(damaged)
        try:
            _, about = load_network(path)
        except ShoalError:
            continue
        # only what was written about the network, or the size of its images, can change unseen
        assert place < 8 + header_size
        assert about != ABOUT or header_of(path)["image_size"] != [48, 40], place


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "compct"}, "unknown face network 'compct'; did you mean 'compact'"),
        ({"name": 3}, "expected the description of a face network, got a damaged one"),
        ({"name": "gone"}, "expected the description of a face network, got a damaged one"),
        ({"embedding_dim": "24"}, "expected the description of a face network, got a damaged one"),
        ({"embedding_dim": 0}, "embedding_dim: expected a whole number from 1 to 65536, got 0"),
        ({"embedding_dim": 25}, r"expected the weights of compact, got embedding\.bias of \[24\] for \[25\]"),
        ({"name": "nn4"}, r"expected the weights of nn4, got .*; .*and \d+ more"),
        ({"batch_norm": 1}, "expected the description of a face network, got a damaged one"),
        ({"image_size": [64]}, "expected the description of a face network, got a damaged one"),
        ({"image_size": [64, -64]}, "expected the description of a face network, got a damaged one"),
        ({"image_size": "ab"}, "expected the description of a face network, got a damaged one"),
        ({"image_size": [8, 8]}, "image_size of compact: expected sides >= 16, got 8 × 8"),
        ({"about": []}, "expected the description of a face network, got a damaged one"),
        ({"sha256": "0"}, "expected weights as they were saved, got a wrong checksum"),
        ({"sha256": "gone"}, "expected the description of a face network, got a damaged one"),
    ],
)
def test_headers_that_are_wrong(path: Path, changes: dict[str, Any], message: str) -> None:
    rewrite(path, **changes)
    with pytest.raises(ShoalError, match=rf"faces\.safetensors: {message}") as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"compact"'])
def test_a_header_that_is_no_description(path: Path, text: str) -> None:
    save_file(load_file(path), path, metadata={"shoal.faces": text})
    with pytest.raises(ShoalError, match="expected the description of a face network, got a damaged one"):
        load_network(path)


def test_weights_of_another_network_with_a_right_checksum(path: Path) -> None:
    from shoal.nets.saving import checksum

    weights = load_file(path)
    for change, message in (
        ({"extra": torch.zeros(2)}, "got extra, which it lacks"),
        ({"embedding.bias": torch.zeros(24, dtype=torch.int32)}, r"got embedding\.bias of torch\.int32"),
    ):
        tensors = {**weights, **change}
        rewrite(path, tensors, sha256=checksum(tensors))
        with pytest.raises(ShoalError, match=message):
            load_network(path)
    tensors = {name: value for name, value in weights.items() if name != "embedding.bias"}
    rewrite(path, tensors, sha256=checksum(tensors))
    with pytest.raises(ShoalError, match=r"got no embedding\.bias"):
        load_network(path)


def test_a_full_disk_keeps_the_old_network(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ShoalError, match="disk full while writing"):
            save_network(create_network("compact", 2), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_place_that_cannot_be_written(network: FaceNetwork, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ShoalError, match="cannot write"):
        save_network(network, tmp_path / "file" / "net.safetensors")
    with pytest.raises(ShoalError, match="cannot write"):
        save_network(network, tmp_path)


def test_every_name_can_be_described_and_built_again() -> None:
    from shoal.faces.saving import _build_on_meta, _describe

    for name in list_networks():
        with torch.device("meta"):
            network = create_network(name, 5, batch_norm=True)
        twin = _build_on_meta(json.loads(json.dumps(_describe(network))))
        assert (twin.name, twin.image_size) == (network.name, network.image_size)
        assert twin.batch_norm == network.batch_norm
        assert [p.shape for p in twin.parameters()] == [p.shape for p in network.parameters()]
