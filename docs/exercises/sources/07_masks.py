"""What a decoder may see: padding and causal masks.

Documents of a batch have different lengths, so that short ones are filled up with padding. A token must never attend to
padding, whatever numbers stand there; and while a summary is learned, token t must not see the tokens after it, since
it is going to be asked for them.

Write the three masks of an encoder–decoder (True: may be seen), then attention under a mask. A test fills the padding
with NaN: 0 · NaN is NaN, so that a weight of zero is not enough.

Questions: what comes out of softmax for a row that may see nothing? Why is "the losses fall beautifully" the usual
symptom of a causal mask that is off by one?

Hints
- Scores that may not be seen are set to −∞ *before* the softmax.
- A value that is not to be seen can be set to zero before it is multiplied by its weight of zero.
"""

import torch
from torch import Tensor


def make_masks(source_lengths: Tensor, source_len: int, target_len: int) -> tuple[Tensor, Tensor, Tensor]:
    """Who may see whom; True takes part.

    Args:
        source_lengths: true lengths of the documents [b].
        source_len: that they are padded to.
        target_len: tokens of the summaries, without padding.

    Returns:
        encoder self-attention [b, source_len, source_len] (every row, padding as well, sees the document's tokens),
        decoder self-attention [b, target_len, target_len], and decoder to encoder [b, target_len, source_len].
    """
    # <solution>
    b = len(source_lengths)
    real = torch.arange(source_len) < source_lengths[:, None]  # (b, S)
    encoder = real[:, None, :].expand(b, source_len, source_len)
    decoder = torch.ones(target_len, target_len, dtype=torch.bool).tril().expand(b, target_len, target_len)
    return encoder, decoder, real[:, None, :].expand(b, target_len, source_len)
    # </solution>


def masked_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Softmax attention that does not look at what may not be seen.

    Args:
        q: queries [b, n, d].
        k: keys [b, m, d].
        v: values [b, m, d].
        mask: [b, n, m]; every query sees at least one key. Keys that no query sees may hold anything, NaN as well.
    """
    # <solution>
    seen = mask.any(1)[..., None]  # (b, m, 1)
    k, v = k.where(seen, 0.0), v.where(seen, 0.0)
    scores = q @ k.mT / q.shape[-1] ** 0.5
    return scores.masked_fill(~mask, -torch.inf).softmax(-1) @ v
    # </solution>


# <tests>
def test_padding_is_not_seen_by_anybody() -> None:
    encoder, _, cross = make_masks(torch.tensor([2, 4]), 4, 3)
    assert encoder.shape == (2, 4, 4), f"encoder mask: expected [2, 4, 4], got {list(encoder.shape)}"
    assert cross.shape == (2, 3, 4), f"decoder-to-encoder mask: expected [2, 3, 4], got {list(cross.shape)}"
    for name, mask in (("encoder", encoder), ("decoder-to-encoder", cross)):
        assert not mask[0, :, 2:].any(), f"{name}: the first document has 2 tokens; places 2 and 3 are padding"
        assert mask[0, :, :2].all(), f"{name}: tokens of the document should be seen"
        assert mask[1].all(), f"{name}: the second document has no padding"


def test_a_token_sees_itself_and_what_came_before() -> None:
    _, decoder, _ = make_masks(torch.tensor([1]), 1, 3)
    assert decoder[0].tolist() == [[True, False, False], [True, True, False], [True, True, True]], (
        f"expected a lower triangle with the diagonal, got {decoder[0].int().tolist()}"
    )


def test_attention_is_that_of_the_unpadded_document() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 1, 5, 8, generator=generator)
    k[:, 3:], v[:, 3:] = torch.nan, torch.nan
    mask = (torch.arange(5) < 3).expand(1, 5, 5)
    out = masked_attention(q, k, v, mask)
    assert not out.isnan().any(), "NaN in the padding came through: 0 · NaN is NaN"
    expected = (q @ k[:, :3].mT / 8**0.5).softmax(-1) @ v[:, :3]
    assert torch.allclose(out, expected, atol=1e-5), "not the attention of the document without padding"


def test_the_future_stays_unseen() -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, 6, 8, generator=generator)
    _, decoder, _ = make_masks(torch.tensor([1]), 1, 6)
    before = masked_attention(x, x, x, decoder)
    x[:, 4:] += 10
    after = masked_attention(x, x, x, decoder)
    assert torch.allclose(before[:, :4], after[:, :4]), "outputs changed when only later tokens did"


# <mistakes>
MISTAKES = [
    (".tril()", ".tril(-1)", "lower triangle with the diagonal"),
    (".tril()", "", "lower triangle with the diagonal"),
    ("k, v = k.where(seen, 0.0), v.where(seen, 0.0)", "", "0 · NaN is NaN"),
    ("< source_lengths", "<= source_lengths", "are padding"),
]
