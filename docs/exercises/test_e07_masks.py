"""Tests of exercise 07: What a decoder may see: padding and causal masks."""

import torch
from e07_masks import make_masks, masked_attention


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
