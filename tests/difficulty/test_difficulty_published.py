"""Networks of torchvision and timm, which the package itself needs neither of: without weights, small images.

pip install --no-deps torchvision timm        # and these tests run; without them they are skipped by name
"""

import importlib
import importlib.util
import warnings
from collections.abc import Callable
from functools import cache
from types import ModuleType

import pytest
import torch
from torch import nn

from shoal.difficulty import choose_layers, prediction_depth
from shoal.errors import InputError
from shoal.measure.paths import check_layers
from tests.difficulty.networks import gradient_goes_around, images


@cache
def operators() -> torch.library.Library | None:
    """Declared where torchvision's published build is for another torch (with CUDA) and has none: networks use none."""
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library
    return None


def package(name: str) -> ModuleType:
    """A package of networks, or a skip that names it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for needed in dict.fromkeys(("torchvision", name)):
            if importlib.util.find_spec(needed) is None:
                pytest.skip(f"needs {needed}: pip install --no-deps {needed}")
        operators()
        return pytest.importorskip(name, reason=f"needs {name}")


def of_torchvision(name: str, **options: object) -> nn.Module:
    models = importlib.import_module(f"{package('torchvision').__name__}.models")
    return models.get_model(name, weights=None, num_classes=5, **options)


def vision_transformer() -> nn.Module:
    """vit_b_16, smaller."""
    models = importlib.import_module(f"{package('torchvision').__name__}.models")
    return models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=3, num_heads=2, hidden_dim=32, mlp_dim=64, num_classes=5
    )


def of_timm(name: str, **options: object) -> nn.Module:
    return package("timm").create_model(name, pretrained=False, num_classes=5, **options)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], str, str]] = {
    # a layer that everything passes through, and one that another path goes around
    "resnet18": (lambda: of_torchvision("resnet18"), "layer2", "layer2.1.bn2"),
    "mobilenet_v2": (lambda: of_torchvision("mobilenet_v2"), "features.8", "features.8.conv.0"),
    "googlenet": (
        lambda: of_torchvision("googlenet", aux_logits=False, init_weights=False), "inception4a", "inception4a.branch2",
    ),
    "vision_transformer": (
        vision_transformer, "encoder.layers.encoder_layer_1", "encoder.layers.encoder_layer_1.self_attention",
    ),
    "timm resnet10t": (lambda: of_timm("resnet10t"), "layer2", "layer2.0.conv2"),
    "timm vit_tiny": (
        lambda: of_timm("vit_tiny_patch16_224", img_size=32, patch_size=8, depth=3), "blocks.1", "blocks.1.attn",
    ),
    "timm convnext_atto": (lambda: of_timm("convnext_atto"), "stages.1", "stages.2.blocks.1.mlp"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_depth_of_published_networks(name: str) -> None:
    make, on_path, around = NETWORKS[name]
    torch.manual_seed(0)
    model, x, y = make(), images(12, 32), torch.arange(12) % 5
    chosen = choose_layers(model, x[:2])
    assert 4 <= len(chosen) <= 8
    for layer in chosen:
        assert not gradient_goes_around(model, layer, x[:2]), layer
    assert gradient_goes_around(model, around, x[:2])
    assert check_layers(model, [on_path], x[:2]) == [on_path]
    with pytest.raises(InputError, match=f"^layer {around}: expected a layer that everything passes through"):
        check_layers(model, [on_path, around], x[:2])
    model.train()
    found = prediction_depth(model, (x, y), k=3)
    assert found.layers == ("input", *chosen, "softmax")
    assert model.training
    with torch.no_grad():
        logits = model.eval()(x)
    assert torch.allclose(found.probabilities, logits.softmax(1), atol=1e-4)
