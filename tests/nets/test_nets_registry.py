"""The registry: names, settings, seeds."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from shoal.errors import InputError
from shoal.nets import ModelConfig, create_model, list_models, register_model, unregister_model


@pytest.fixture
def registered() -> Iterator[str]:
    @register_model
    def test_only(*, num_classes: int = 4, bias: bool = True) -> nn.Module:
        return nn.Linear(3, num_classes, bias=bias)

    yield "test_only"
    unregister_model("test_only")


def weights(net: nn.Module) -> Tensor:
    return torch.cat([p.flatten() for p in net.parameters()])


def test_lists_by_pattern():
    resnets = ["cifar_resnet18", "cifar_resnet34", "cifar_resnet50", "resnet18", "resnet34", "resnet50"]
    assert list_models("*resnet*") == resnets
    assert list_models("resnet?8") == ["resnet18"]
    assert list_models("nothing*") == []
    assert set(resnets) <= set(list_models())


@pytest.mark.parametrize("name", list_models("*resnet*"))
def test_every_network_says_what_it_is_and_can_be_built_again(name: str):
    net = create_model(name, num_classes=3, in_channels=1, width=4, seed=5)
    assert (net.num_classes, net.in_channels) == (3, 1)
    assert isinstance(net.config, ModelConfig)
    twin = net.config.build(seed=5)
    assert torch.equal(weights(net), weights(twin))
    assert twin.config == net.config
    assert net.eval()(torch.zeros(2, 1, 32, 32)).shape == (2, 3)


def test_the_config_keeps_defaults_too():
    settings = {"num_classes": 10, "in_channels": 3, "width": 2, "zero_init_residual": False, "whitened": False}
    assert create_model("cifar_resnet18", width=2).config == ModelConfig("cifar_resnet18", settings)


def test_a_seed_decides_the_weights_and_leaves_the_global_state():
    before = torch.get_rng_state()
    a, b, c = (create_model("cifar_resnet18", width=2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(weights(a), weights(b))
    assert not torch.equal(weights(a), weights(c))


def test_without_a_seed_the_global_state_decides():
    torch.manual_seed(3)
    a = create_model("cifar_resnet18", width=2)
    torch.manual_seed(3)
    b = create_model("cifar_resnet18", width=2)
    assert torch.equal(weights(a), weights(b))
    assert not torch.equal(weights(b), weights(create_model("cifar_resnet18", width=2)))


def test_unknown_names_and_settings_suggest_the_nearest():
    with pytest.raises(InputError, match="unknown network 'cifar_resnet81'; did you mean 'cifar_resnet18'"):
        create_model("cifar_resnet81")
    with pytest.raises(InputError, match="unknown setting of resnet18 'widht'; did you mean 'width'"):
        create_model("resnet18", widht=4)
    with pytest.raises(InputError, match="unknown setting of resnet18 'small_images'"):
        create_model("resnet18", small_images=True)  # the name decides that


def test_your_own_network(registered: str):
    net = create_model(registered, bias=False)
    assert net.config == ModelConfig("test_only", {"num_classes": 4, "bias": False})
    assert net.num_classes == 4
    assert not hasattr(net, "in_channels")


def test_refuses_builders_without_a_name_or_a_default():
    with pytest.raises(InputError, match="register_model: expected a name"):
        register_model(partial(nn.Identity))
    with pytest.raises(InputError, match="network 'linear': expected a default for every setting, got none for in_f"):
        register_model(nn.Linear, name="linear")
    assert "linear" not in list_models()
