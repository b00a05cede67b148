"""NNS1 and NNS2, the paper's networks for phones: reconstructions.

**Their layers were never published.** The paper gives the size of the images (165 × 165 and 140 × 116), the
parameters (26 M and 4.3 M) and the multiply–adds (220 M and 20 M), and calls them "mini inception" and "tiny
inception". What is here meets these four numbers within 1 % for embeddings of 128 numbers, and is one of many
networks that would.

What the budgets do tell: NN2 spends 215 multiply–adds per parameter, these 8 and 5. Most of their parameters
therefore lie in a layer that is used once an image. As in NN1, a maxout layer reads the last feature map as it
is. Before it, NNS1 has NN2's blocks at half their width without 4b, 4c and 5b; NNS2 four narrow ones.

Source: Schroff, Kalenichenko & Philbin 2015, "FaceNet", section 3.3 and table 3 (arXiv 1503.03832).
"""

from shoal.faces.inception import Branches, inception_layers
from shoal.faces.layers import Maxout
from shoal.faces.network import Trunk

_NNS1 = {
    "3a": Branches(32, (48, 64), (8, 16), "max", 16),
    "3b": Branches(32, (48, 64), (16, 32), "l2", 32),
    "3c": Branches(0, (64, 128), (16, 32), "max", stride=2),
    "4a": Branches(128, (48, 96), (16, 32), "l2", 64),
    "4d": Branches(80, (72, 144), (16, 32), "l2", 64),
    "4e": Branches(0, (80, 128), (32, 64), "max", stride=2),
    "5a": Branches(192, (96, 192), (16, 64), "l2", 64),
}
_NNS2 = {
    "3a": Branches(16, (24, 32), (8, 8), "max", 16),
    "3c": Branches(0, (32, 64), (8, 16), "max", stride=2),
    "4e": Branches(0, (32, 64), (8, 16), "max", stride=2),
    "5a": Branches(64, (48, 96), (8, 32), "l2", 32),
}


def nns1(batch_norm: bool) -> Trunk:
    """A reconstruction of NNS1, for images of 165 × 165: the published budget, not the layers.

    Args:
        batch_norm: whether the convolutions are followed by batch normalisation instead of having a bias.
    """
    layers, channels = inception_layers(7, 32, (32, 80), _NNS1, batch_norm=batch_norm)
    layers["fc1"] = Maxout(channels * 6 * 6, 672)
    return Trunk(layers, feature_dim=672, image_size=(165, 165), batch_norm=batch_norm, fixed=True)


def nns2(batch_norm: bool) -> Trunk:
    """A reconstruction of NNS2, for images of 140 × 116 (high × wide): the published budget, not the layers.

    Args:
        batch_norm: see `nns1`.
    """
    layers, channels = inception_layers(3, 16, (16, 40), _NNS2, batch_norm=batch_norm)
    layers["fc1"] = Maxout(channels * 5 * 4, 456)
    return Trunk(layers, feature_dim=456, image_size=(140, 116), batch_norm=batch_norm, fixed=True)
