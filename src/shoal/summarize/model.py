"""The summarizing transformer: an encoder reads the document, a decoder writes the summary token by token.

    model = SummaryModel(ModelConfig(vocabulary=8000))
    nll = model.losses(source, target).nll                     # in training: all tokens at once
    writing = model.start(source); log_p = model.step(writing, tokens)     # while writing: one at a time

Embeddings of documents, of summaries and of the output are one matrix (Press & Wolf 2017, arXiv 1608.05859).
"""

import math
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from shoal.attention import FeatureMap, create_feature_map
from shoal.summarize.blocks import BlockCache, DecoderBlock, EncoderBlock
from shoal.summarize.copying import CopyHead, Copying, follows
from shoal.summarize.model_config import EXACT, ModelConfig
from shoal.summarize.tokenizer import PAD

TINY = 1e-12  # probability that a token has at least, where a logarithm is taken


@dataclass
class Losses:
    """Of every token of the summaries that is no padding.

    Attributes:
        nll: negative log-likelihood of the token, in nats.
        spread: mean negative log-likelihood of all tokens of the vocabulary there, for label smoothing.
        correct: whether the token gets more than half of the probability, and so is surely the likeliest.
    """

    nll: Float[Tensor, "tokens"]
    spread: Float[Tensor, "tokens"]
    correct: Bool[Tensor, "tokens"]


@dataclass
class Writing:
    """Summaries that are being written.

    Attributes:
        source: [documents, seq], token numbers.
        mask: [documents, seq], True where there is no padding.
        memory: [documents, seq, dim], what the encoder left.
        copy_keys: of the copy head; None without one.
        caches: of every decoder block.
        position: tokens so far.
        room: tokens that may come in all.
    """

    source: Int[Tensor, "documents seq"]
    mask: Bool[Tensor, "documents seq"]
    memory: Float[Tensor, "documents seq dim"]
    copy_keys: Float[Tensor, "documents seq dim"] | None
    caches: list[BlockCache]
    position: int
    room: int

    def select(self, rows: Int[Tensor, "rows"], documents: Int[Tensor, "left"] | None = None) -> "Writing":
        """Go on with some rows: `rows` of the summaries, in order; and `documents`, where some are done."""
        caches = [cache.select(rows, documents) for cache in self.caches]
        if documents is None:
            return Writing(self.source, self.mask, self.memory, self.copy_keys, caches, self.position, self.room)
        keys = None if self.copy_keys is None else self.copy_keys[documents]
        source, mask, memory = self.source[documents], self.mask[documents], self.memory[documents]
        return Writing(source, mask, memory, keys, caches, self.position, self.room)


class SummaryModel(nn.Module):
    """An encoder–decoder transformer with tied embeddings and, if wanted, a copy head.

    Args:
        config: its shape.

    Example:
        >>> from shoal.summarize.model_config import ModelConfig
        >>> model = SummaryModel(ModelConfig(vocabulary=100, dim=32, heads=2)).eval()
        >>> model(torch.randint(3, 100, (2, 9)), torch.randint(3, 100, (2, 5))).shape
        torch.Size([2, 5, 100])
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.dim)
        shape = (config.dim, config.heads, config.feed_forward * config.dim)

        def options(layer: int) -> dict[str, Any]:
            return {"dropout": config.dropout, "norm": config.norm, "feature_map": _create_map(config, layer)}

        self.encoder = nn.ModuleList(EncoderBlock(*shape, **options(i)) for i in range(config.encoder_layers))
        self.decoder = nn.ModuleList(DecoderBlock(*shape, **options(100 + i)) for i in range(config.decoder_layers))
        pre = config.norm == "pre"  # what pre-norm blocks leave is not normalised
        self.encoder_norm = nn.LayerNorm(config.dim) if pre else nn.Identity()
        self.decoder_norm = nn.LayerNorm(config.dim) if pre else nn.Identity()
        self.copy_head = CopyHead(config.dim) if config.copy else None
        self.dropout = nn.Dropout(config.dropout)
        _initialise(self)

    def forward(
        self, source: Int[Tensor, "batch seq"], target: Int[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length vocabulary"]:
        """Log-probabilities of the token after each of `target`; tokens that are `PAD` are padding, at the end."""
        mask, memory = self.encode(source)
        x = self.decode(target, memory, mask)
        copying = self.copying(x, memory, mask, source, target)
        return self.log_probabilities(x, copying, source)

    def losses(self, source: Int[Tensor, "batch seq"], target: Int[Tensor, "batch length"]) -> Losses:
        """What training minimises.

        Args:
            source: documents.
            target: summaries from their start to their end.
        """
        mask, memory = self.encode(source)
        x = self.decode(target[:, :-1], memory, mask)
        wanted = target[:, 1:]
        there = wanted != PAD  # (B, N)
        logits = self.logits(x[there])  # (tokens, V): padding costs nothing
        log_p = logits - logits.logsumexp(-1, keepdim=True)
        tokens = wanted[there]
        found = log_p.gather(1, tokens[:, None])[:, 0]
        copying = self.copying(x, memory, mask, source, target[:, :-1])
        if copying is not None:
            taken = copying.of_tokens(source, wanted)[there].clamp(min=TINY).log()
            found = torch.logaddexp(copying.log_write[..., 0][there] + found, copying.log_copy[..., 0][there] + taken)
        return Losses(-found, -log_p.mean(1), found > math.log(0.5))

    def encode(
        self, source: Int[Tensor, "batch seq"]
    ) -> tuple[Bool[Tensor, "batch seq"], Float[Tensor, "batch seq dim"]]:
        """Which tokens are no padding, and what the encoder makes of them."""
        mask = source != PAD
        x = self.embed(source)
        kept = None if bool(mask.all()) else mask  # attention without a mask is quicker
        for block in self.encoder:
            x = block(x, kept)
        return mask, self.encoder_norm(x)

    def decode(self, target: Tensor, memory: Tensor, mask: Tensor) -> Float[Tensor, "batch length dim"]:
        """What the decoder makes of a whole summary."""
        x = self.embed(target)
        for block in self.decoder:
            x = block(x, memory, mask)
        return self.decoder_norm(x)

    def start(self, source: Int[Tensor, "documents seq"], room: int | None = None) -> Writing:
        """Read documents, and be ready to write so many tokens."""
        mask, memory = self.encode(source)
        caches = [block.start(memory) for block in self._writers()]
        room = room or self.config.max_target
        return Writing(source, mask, memory, self._copy_keys(memory), caches, 0, room)

    def step(self, writing: Writing, tokens: Int[Tensor, "rows"]) -> Float[Tensor, "rows vocabulary"]:
        """Log-probabilities of what follows these tokens, one per row; rows of one document are beside each other."""
        x = self.embed(tokens[:, None], writing.position)  # (rows, 1, D)
        for block, cache in zip(self._writers(), writing.caches, strict=True):
            x = block.step(x, cache, writing.mask, writing.room)
        writing.position += 1
        x = self.decoder_norm(x).view(len(writing.source), -1, x.shape[-1])  # (documents, beams, D)
        last = tokens.view(len(writing.source), -1)  # (documents, beams)
        copying = self.copying(x, writing.memory, writing.mask, writing.source, last, writing.copy_keys)
        return self.log_probabilities(x, copying, writing.source).flatten(0, 1)

    def embed(self, tokens: Tensor, begin: int = 0) -> Tensor:
        """Tokens at the places from `begin` on as the first block gets them."""
        x = self.embedding(tokens) * math.sqrt(self.config.dim)
        return self.dropout(x + positions(begin, begin + tokens.shape[1], self.config.dim).to(x))

    def logits(self, x: Tensor) -> Tensor:
        """Of the vocabulary, in float32."""
        return F.linear(x, self.embedding.weight).float()

    def copying(
        self, x: Tensor, memory: Tensor, mask: Tensor, source: Tensor, written: Tensor, keys: Tensor | None = None
    ) -> Copying | None:
        """What the copy head says after the tokens `written`; None without one. Its keys are computed unless given."""
        if self.copy_head is None:
            return None
        keys = self.copy_head.keys_of(memory) if keys is None else keys
        return self.copy_head(x, memory, keys, mask, follows(source, written))

    def _writers(self) -> list[DecoderBlock]:
        return cast(list[DecoderBlock], list(self.decoder))

    def _copy_keys(self, memory: Tensor) -> Tensor | None:
        return None if self.copy_head is None else self.copy_head.keys_of(memory)

    def log_probabilities(self, x: Tensor, copying: Copying | None, source: Tensor) -> Tensor:
        """Of the next token, copied or written."""
        log_p = self.logits(x).log_softmax(-1)
        if copying is None:
            return log_p
        taken = copying.of_all(source, self.config.vocabulary)
        return ((copying.log_write + log_p).exp() + copying.log_copy.exp() * taken).clamp(min=TINY).log()


def positions(begin: int, end: int, dim: int) -> Float[Tensor, "seq dim"]:
    """Sinusoids of the places begin … end − 1: any length, nothing to learn.

    Source: Vaswani et al. 2017, section 3.5 (arXiv 1706.03762).
    """
    place = torch.arange(begin, end, dtype=torch.float32)[:, None]
    angle = place * torch.exp(torch.arange(0, dim, 2, dtype=torch.float32) * (-math.log(10_000.0) / dim))
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)


def _create_map(config: ModelConfig, layer: int) -> FeatureMap | None:
    if config.attention == EXACT:
        return None
    return create_feature_map(config.attention, config.dim // config.heads, config.features, seed=config.seed + layer)


def _initialise(model: SummaryModel) -> None:
    """Embeddings that make unit logits; what is added to the residual stream starts the smaller the more layers add."""
    config = model.config
    std = config.dim**-0.5
    nn.init.normal_(model.embedding.weight, std=std)
    for stack in (model.encoder, model.decoder):
        for name, parameter in stack.named_parameters():
            if parameter.ndim < 2:
                continue
            last = name.endswith(("out_proj.weight", "linear2.weight"))
            fan = std if not name.endswith("linear2.weight") else (config.feed_forward * config.dim) ** -0.5
            nn.init.normal_(parameter, std=fan / math.sqrt(2 * len(stack)) if last else fan)
