"""The shape of a summarizing transformer."""

from dataclasses import dataclass

from shoal.errors import unknown_name, wrong

NORMS = ("pre", "post")
EXACT = "exact"


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """How large a model is and what it is made of.

    Args:
        vocabulary: entries of the tokenizer's vocabulary.
        dim: width of a token, a multiple of `heads`.
        heads: of every attention but the copying one, which has one.
        encoder_layers: blocks that read the document.
        decoder_layers: blocks that write the summary.
        feed_forward: hidden units of a block, as a multiple of `dim`.
        dropout: on the output of every sublayer, in [0, 1).
        norm: "pre" (normalise what a sublayer reads) or "post" (normalise its sum with what it reads).
        attention: "exact", or the name of a feature map of `shoal.attention` for linear attention in the encoder and
            in the decoder's self-attention; what looks from the summary at the document stays exact.
        features: of that map.
        copy: whether a token can be copied from the document.
        max_source: tokens of a document that are read.
        max_target: tokens of a summary, its end included.
        seed: of the features.

    Raises:
        InputError: if a number is out of range or a name unknown.
    """

    vocabulary: int
    dim: int = 256
    heads: int = 4
    encoder_layers: int = 3
    decoder_layers: int = 2
    feed_forward: int = 4
    dropout: float = 0.1
    norm: str = "pre"
    attention: str = EXACT
    features: int = 64
    copy: bool = True
    max_source: int = 128
    max_target: int = 48
    seed: int = 0

    def __post_init__(self) -> None:
        whole = ("vocabulary", "dim", "heads", "encoder_layers", "decoder_layers", "feed_forward", "features")
        for name in (*whole, "max_source", "max_target"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise wrong(name, expected="a whole number >= 1", got=value)
        if self.dim % self.heads or self.dim % 2:
            raise wrong("dim", expected=f"an even multiple of heads = {self.heads}", got=self.dim)
        if not 0 <= self.dropout < 1:
            raise wrong("dropout", expected="a number in [0, 1)", got=self.dropout)
        if self.norm not in NORMS:
            raise unknown_name("norm", self.norm, NORMS)
        if self.attention != EXACT:
            _check_map(self.attention)


def _check_map(name: str) -> None:
    from shoal.attention.registry import create_feature_map, list_feature_maps

    if name not in list_feature_maps():
        raise unknown_name("attention", name, [EXACT, *list_feature_maps()])
    if create_feature_map(name, 4, 8).needs_fit:
        expected = "a feature map that needs no calibration: it would have to be fitted to a model that is trained"
        raise wrong("attention", expected=expected, got=name)
