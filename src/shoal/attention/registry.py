"""The registry of feature maps: make one by name, list them, add your own.

phi = create_feature_map("positive", dim=64, num_features=256, seed=0)
phi = create_feature_map("landmark", dim=64).fit(q, k)
"""

from shoal.attention.maps.base import FeatureMap
from shoal.attention.maps.landmark import Landmark
from shoal.attention.maps.learned import Learned
from shoal.attention.maps.random import Hyperbolic, Oprf, Positive, Sderf, Trig
from shoal.attention.maps.simple import Elu, Relu, Taylor
from shoal.errors import unknown_name, wrong

_maps: dict[str, type[FeatureMap]] = {
    kind.name: kind for kind in (Trig, Positive, Hyperbolic, Oprf, Sderf, Landmark, Learned, Elu, Relu, Taylor)
}


def list_feature_maps() -> list[str]:
    """Names of all feature maps: random ones, fitted ones, simple ones.

    Example:
        >>> list_feature_maps()
        ['trig', 'positive', 'hyperbolic', 'oprf', 'sderf', 'landmark', 'learned', 'elu', 'relu', 'taylor']
    """
    return list(_maps)


def register_feature_map(kind: type[FeatureMap]) -> type[FeatureMap]:
    """Add a map of your own, under its `name`; a decorator. The same name again replaces it.

    Raises:
        InputError: if it is no subclass of FeatureMap or has no name.
    """
    if not (isinstance(kind, type) and issubclass(kind, FeatureMap) and isinstance(getattr(kind, "name", None), str)):
        raise wrong("register_feature_map", expected="a subclass of FeatureMap with a name", got=kind)
    _maps[kind.name] = kind
    return kind


def create_feature_map(
    name: str,
    dim: int,
    num_features: int = 256,
    *,
    orthogonal: bool = True,
    seed: int = 0,
    invariances: bool = True,
) -> FeatureMap:
    """Make a feature map.

    | name | kernel | needs `fit` |
    |---|---|---|
    | trig, positive, hyperbolic | exp(scale · q·k), estimated without bias by random features | no |
    | oprf, sderf | the same, with less variance on the data they are fitted to | yes |
    | landmark | the same, by least squares at the centres of the data | yes |
    | learned | the same, by gradient descent on the output of attention | yes |
    | elu, relu, taylor | one of their own | no |

    Args:
        name: one of `list_feature_maps()`.
        dim: of queries and keys, >= 1.
        num_features: output features, >= 1; even for trig and hyperbolic, which draw half as many directions. elu and
            relu have `dim` features and taylor 1 + dim + dim (dim + 1) / 2, whatever is given here.
        orthogonal: whether random directions are orthogonal in blocks of `dim`; less variance, still no bias.
        seed: of everything that the map draws.
        invariances: whether `fit` also learns centring and balancing, see `shoal.attention.maps.invariances`.

    Returns:
        A module; its constants are in its state_dict.

    Raises:
        InputError: if the name is unknown or a number out of range.

    Example:
        >>> import torch
        >>> phi = create_feature_map("positive", dim=8, num_features=64)
        >>> phi.keys(torch.zeros(1, 2, 5, 8)).linear().shape
        torch.Size([1, 2, 5, 64])
    """
    if not isinstance(name, str):
        raise wrong("name", expected="the name of a feature map", got=name, fix="see list_feature_maps()")
    if name not in _maps:
        raise unknown_name("feature map", name, _maps)
    kind = _maps[name]
    if not isinstance(seed, int):
        raise wrong("seed", expected="a whole number", got=seed)
    for what, value, step in (("dim", dim, 1), ("num_features", num_features, kind.feature_step)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1 or value % step:
            words = "a whole number >= 1" if step == 1 else f"a multiple of {step}, >= {step}"
            raise wrong(what, expected=words, got=value)
    return kind(dim, num_features, orthogonal=orthogonal, seed=seed, invariances=invariances)
