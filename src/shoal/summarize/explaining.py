"""What a summarizer looked at while it wrote: attention inside the document, from summary to document, and copying."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.errors import wrong
from shoal.measure.modes import in_mode
from shoal.summarize.blocks import DecoderBlock, EncoderBlock
from shoal.summarize.model import SummaryModel
from shoal.summarize.tokenizer import END, START

if TYPE_CHECKING:
    from shoal.summarize.summarizer import Summarizer


@dataclass(frozen=True, eq=False)
class Explanation:
    """Of one document and one summary; rows of every attention sum to 1.

    Attributes:
        document: the text of each of its tokens, [seq].
        summary: the text of each of its tokens, the end included, [length].
        reading: the encoder's attention, [layers, heads, seq, seq], from row to column.
        looking: the decoder's attention to the document, [decoder_layers, heads, length, seq].
        copied: probability that a token is copied rather than written, [length]; None without a copy head. It is that
            of the token at hand: what copying gave it, of all that it was given.
        copied_from: where a token would be copied from, [length, seq]; None without a copy head.
    """

    document: tuple[str, ...]
    summary: tuple[str, ...]
    reading: Float[Tensor, "layers heads seq seq"]
    looking: Float[Tensor, "decoder_layers heads length seq"]
    copied: Float[Tensor, "length"] | None
    copied_from: Float[Tensor, "length seq"] | None


@torch.no_grad()
def explain(summarizer: "Summarizer", text: str, summary: str | None = None) -> Explanation:
    """Look at a summarizer while it writes a summary, or reads one that is given.

    Args:
        summarizer: whose attention.
        text: the document.
        summary: of it; what the summarizer would write unless given.

    Raises:
        InputError: if there is no text.
    """
    if not text.strip():
        raise wrong("text", expected="some words", got="none")
    summary = summarizer.summarize([text])[0] if summary is None else summary
    encoded = summarizer.encode([text], [summary])
    model, device = summarizer.model, summarizer.device
    source = torch.tensor(encoded.sources, device=device)
    target = torch.tensor(encoded.targets, device=device)
    with in_mode(model, training=False):
        memory, reading = _read(model, source)
        x, looking = _look(model, target[:, :-1], memory)
        copied, places = _copy(model, x, memory, source, target)
    pieces = summarizer.tokenizer.pieces
    assert int(target[0, 0]) == START
    assert int(target[0, -1]) == END
    return Explanation(
        tuple(pieces(source[0].tolist())), tuple(pieces(target[0, 1:].tolist())), reading, looking, copied, places
    )


def _read(model: SummaryModel, source: Tensor) -> tuple[Tensor, Tensor]:
    x, found = model.embed(source), []
    for block in model.encoder:
        assert isinstance(block, EncoderBlock)
        seen = block.before(block.norm1, x)
        attention = block.self_attn
        found.append(attention.weights(attention.queries_of(seen), attention.keys_of(seen)[0])[0])
        x = block(x)
    return model.encoder_norm(x), torch.stack(found).cpu()


def _look(model: SummaryModel, target: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    x, found = model.embed(target), []
    for block in model.decoder:
        assert isinstance(block, DecoderBlock)
        attended = block.self_attn(block.before(block.norm1, x), is_causal=True)
        asks = block.before(block.norm2, block.after(block.norm1, x, attended))
        attention = block.multihead_attn
        found.append(attention.weights(attention.queries_of(asks), attention.keys_of(memory)[0])[0])
        x = block(x, memory)
    return model.decoder_norm(x), torch.stack(found).cpu()


def _copy(
    model: SummaryModel, x: Tensor, memory: Tensor, source: Tensor, target: Tensor
) -> tuple[Tensor, Tensor] | tuple[None, None]:
    written, wanted = target[:, :-1], target[:, 1:]
    copying = model.copying(x, memory, torch.ones_like(source, dtype=torch.bool), source, written)
    if copying is None:
        return None, None
    log_p = model.logits(x).log_softmax(-1).gather(2, wanted[..., None])  # (1, N, 1)
    invented = (copying.log_write + log_p).exp()[0, :, 0]
    taken = copying.log_copy.exp()[0, :, 0] * copying.of_tokens(source, wanted)[0]
    return (taken / (invented + taken)).cpu(), copying.weights[0].cpu()
