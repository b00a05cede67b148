"""Embedding images: any batch size, mirrored or not, nothing of the network changed."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from shoal.errors import InputError
from shoal.faces.embedding import embed, to_unit
from shoal.faces.networks import create_network
from tests.faces.people import draw_people

IMAGES, _ = draw_people([1] * 7)
NETWORK = create_network("compact", 12, seed=0)


def by_hand(images: Tensor) -> Tensor:
    NETWORK.eval()
    with torch.no_grad():
        return NETWORK(images.float() / 63.75 - 2)


def test_embeddings_are_the_networks_own() -> None:
    found = embed(NETWORK, IMAGES, device="cpu")
    assert torch.allclose(found, by_hand(IMAGES), atol=1e-5)
    assert torch.allclose(found.norm(dim=1), torch.ones(7), atol=1e-5)
    assert (found.dtype, found.requires_grad) == (torch.float32, False)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_the_batch_size_does_not_matter(batch_size: int) -> None:
    found = embed(NETWORK, IMAGES, batch_size=batch_size, device="cpu")
    assert torch.allclose(found, embed(NETWORK, IMAGES, device="cpu"), atol=1e-5)


def test_flipped_images_count_as_much() -> None:
    found = embed(NETWORK, IMAGES, flip=True, device="cpu")
    both = F.normalize(by_hand(IMAGES) + by_hand(IMAGES.flip(3)))
    assert torch.allclose(found, both, atol=1e-5)
    assert torch.allclose(found, embed(NETWORK, IMAGES.flip(3), flip=True, device="cpu"), atol=1e-5)


def test_no_images_have_no_embeddings() -> None:
    assert embed(NETWORK, IMAGES[:0], device="cpu").shape == (0, 12)


def test_the_network_is_left_as_it_was() -> None:
    network = create_network("compact", 12, seed=0).train()
    network.trunk.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    embed(network, IMAGES, device="cpu")
    assert [module.training for module in network.modules()] == modes
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_bf16_is_near() -> None:
    found = embed(NETWORK, IMAGES, precision="bf16", device="cpu")
    assert (found * embed(NETWORK, IMAGES, device="cpu")).sum(1).min() > 0.98


def test_bytes_become_numbers_of_about_unit_scale() -> None:
    assert to_unit(torch.tensor([0, 255], dtype=torch.uint8).expand(1, 3, 1, 2)).flatten()[:2].tolist() == [-2, 2]


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (IMAGES.float(), {}, r"images: expected uint8 \[n, 3, height, width\], got float32 \[7, 3, 24, 24\]"),
        (IMAGES[0], {}, "images: expected uint8"),
        (IMAGES[:, :1], {}, "images: expected uint8"),
        (IMAGES[..., :8], {}, "images for compact"),
        (IMAGES, {"batch_size": 0}, "batch_size: expected a whole number >= 1, got 0"),
        (IMAGES, {"device": "tpu"}, "device"),
        (IMAGES, {"precision": "fp8"}, "unknown precision"),
    ],
)
def test_bad_input_is_refused(images: Tensor, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        embed(NETWORK, images, **options)
