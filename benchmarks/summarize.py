"""The summarizer beside the same-size model of torch.nn.Transformer: tokens a second in training and in beam search.

    python -m benchmarks.summarize [training|writing|remembering|all] [--size small] [--turns 5]

Both have the same shape, tied embeddings, no copy head and the same weights, which is proved first: equal losses, and
equal summaries of the beams. Theirs searches in the straightforward way: all beams of all documents in one batch, the
decoder run over what is written so far for each token. `remembering` is about ours alone: 128 tokens written with
what was computed for earlier ones kept, and without. Writes benchmarks/records/summarize-speed.json.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.parts import Parts, run_parts, say
from shoal.data.texts import load_texts
from shoal.engine.device import World
from shoal.studies.summarize_costs import remembering_of
from shoal.summarize.model import SummaryModel, positions
from shoal.summarize.rules import Filter, WritingRules
from shoal.summarize.search import write
from shoal.summarize.summarizer_config import SummarizerConfig
from shoal.summarize.token_batches import Encoded, TokenBatches, encode_pairs, in_order_of_length
from shoal.summarize.tokenizer import END, PAD, START, Tokenizer

RECORD = Path(__file__).parent / "records" / "summarize-speed.json"
ROWS, WRITTEN, BEAMS, BATCHES = 20_000, 64, 4, 12
TOKENS = 8000  # of the vocabulary, where nothing is read


class Theirs(nn.Module):
    """The same model made of `nn.Transformer`."""

    def __init__(self, ours: SummaryModel):
        super().__init__()
        c = ours.config
        self.dim = c.dim
        self.embedding = nn.Embedding(c.vocabulary, c.dim)
        self.transformer = nn.Transformer(
            c.dim,
            c.heads,
            c.encoder_layers,
            c.decoder_layers,
            c.feed_forward * c.dim,
            dropout=c.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=c.norm == "pre",
        )
        self.embedding.load_state_dict(ours.embedding.state_dict())
        for stack, name in ((self.transformer.encoder, "encoder"), (self.transformer.decoder, "decoder")):
            for mine, theirs in zip(getattr(ours, name), stack.layers, strict=True):
                theirs.load_state_dict(mine.state_dict())
            assert stack.norm is not None
            stack.norm.load_state_dict(getattr(ours, f"{name}_norm").state_dict())

    def embed(self, tokens: Tensor) -> Tensor:
        """Tokens and places."""
        return self.embedding(tokens) * math.sqrt(self.dim) + positions(0, tokens.shape[1], self.dim)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits of the token after each of `target`."""
        memory = self.transformer.encoder(self.embed(source), src_key_padding_mask=source == PAD)
        return self.decode(memory, source, target)

    def decode(self, memory: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """The same, of what the encoder left."""
        causal = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        x = self.transformer.decoder(
            self.embed(target), memory, tgt_mask=causal, tgt_is_causal=True, memory_key_padding_mask=source == PAD
        )
        return F.linear(x, self.embedding.weight)

    def loss(self, source: Tensor, target: Tensor) -> Tensor:
        """Mean over tokens that are no padding."""
        logits = self(source, target[:, :-1])
        return F.cross_entropy(logits.float().flatten(0, 1), target[:, 1:].flatten(), ignore_index=PAD)

    @torch.no_grad()
    def beams(self, source: Tensor, room: int, beams: int) -> list[list[int]]:
        """Beam search in the straightforward way; sums of log-probabilities, as ours with length_penalty=0."""
        documents = len(source)
        memory = self.transformer.encoder(self.embed(source), src_key_padding_mask=source == PAD)
        memory, wide = memory.repeat_interleave(beams, 0), source.repeat_interleave(beams, 0)
        written = torch.full((documents * beams, 1), START)
        sums = torch.full((documents, beams), -torch.inf)
        sums[:, 0] = 0.0
        best = [(-math.inf, [END])] * documents
        for place in range(room):
            log_p = self.decode(memory, wide, written)[:, -1].float().log_softmax(-1)
            log_p[:, [PAD, START]] = -torch.inf
            if place == 0:
                log_p[:, END] = -torch.inf
            totals = (sums.flatten()[:, None] + log_p).view(documents, beams, -1)
            for row in range(documents):
                score, beam = totals[row, :, END].max(0)
                if float(score) > best[row][0]:
                    best[row] = (float(score), written[row * beams + int(beam), 1:].tolist())
            totals[..., END] = -torch.inf
            sums, chosen = totals.flatten(1).topk(beams, 1)
            if all(float(sums[row, 0]) <= best[row][0] for row in range(documents)):
                break
            vocabulary = log_p.shape[1]
            rows = (torch.arange(documents)[:, None] * beams + chosen // vocabulary).flatten()
            written = torch.cat([written[rows], (chosen % vocabulary).flatten()[:, None]], 1)
        return [summary for _, summary in best]


def prepare(size: str) -> tuple[SummaryModel, Theirs, Encoded]:
    """Both models, with the same weights, and texts."""
    pairs = load_texts("debian-descriptions").train.take(range(ROWS))
    config = SummarizerConfig(size=size, copy=False)  # type: ignore[arg-type]
    tokenizer = Tokenizer.train([*pairs.documents, *pairs.summaries], config.vocabulary)
    torch.manual_seed(0)
    ours = SummaryModel(config.model(len(tokenizer)))
    encoded = encode_pairs(
        tokenizer.encode(pairs.documents), tokenizer.encode(pairs.summaries), config.max_source, config.max_target
    )
    return ours, Theirs(ours), encoded


def in_turn(ways: Mapping[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
    """Seconds of each, one after the other, turn by turn, after an untimed one."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, run in ways.items():
            began = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def training(args: argparse.Namespace) -> dict[str, Any]:
    """Steps of training on the same batches."""
    ours, theirs, encoded = prepare(args.size)
    batches = TokenBatches(encoded, tokens=4096)
    some = [batches.batch(step, "full", World.current()) for step in range(BATCHES)]
    ours.eval()
    theirs.eval()
    for source, target in some[:3]:
        mine, other = float(ours.losses(source, target).nll.mean()), float(theirs.loss(source, target))
        assert abs(mine - other) < 1e-4, (mine, other)
    say("losses agree")
    tokens = sum(int((source != PAD).sum() + (target != PAD).sum()) for source, target in some)

    def epoch(model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], bf16: bool) -> Callable[[], None]:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)

        def run() -> None:
            model.train()
            for source, target in some:
                optimizer.zero_grad()
                with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                    value = loss(source, target)
                value.backward()
                optimizer.step()

        return run

    found: dict[str, Any] = {"size": args.size, "tokens": tokens, "batches": BATCHES}
    for name, bf16 in (("fp32", False), ("bf16", True)):
        ways = {
            "shoal": epoch(ours, lambda s, t: ours.losses(s, t).nll.mean(), bf16),
            "torch.nn.Transformer": epoch(theirs, theirs.loss, bf16),
        }
        seconds = in_turn(ways, args.turns)
        ratios = [b / a for a, b in zip(*seconds.values(), strict=True)]
        per = {way: tokens / statistics.median(times) for way, times in seconds.items()}
        spread = [min(ratios), max(ratios)]
        found[name] = {"tokens_per_second": per, "ratio": statistics.median(ratios), "spread": spread}
        say(f"training, {name}: {per}; ratio {found[name]['ratio']:.2f}")
    return found


@torch.no_grad()
def writing(args: argparse.Namespace) -> dict[str, Any]:
    """Beam search over the same documents."""
    ours, theirs, encoded = prepare(args.size)
    with torch.no_grad():
        ours.embedding.weight.mul_(3)  # opinions, so that beams differ and end at different places
        theirs.embedding.weight.copy_(ours.embedding.weight)
    ours.eval()
    theirs.eval()
    room = ours.config.max_target
    rules = WritingRules(num_beams=BEAMS, no_repeat_ngram=0, length_penalty=0.0)
    forbid = Filter(rules, torch.zeros(ours.config.vocabulary, dtype=torch.bool))
    some = encoded.take(range(WRITTEN))
    parts = [source for _, source, _ in in_order_of_length(some, 8192 // BEAMS)]
    mine = [write(ours, source, rules, forbid) for source in parts]
    other = [theirs.beams(source, room, BEAMS) for source in parts]
    same = sum(a == b for one, two in zip(mine, other, strict=True) for a, b in zip(one, two, strict=True))
    assert same >= 0.95 * WRITTEN, f"{same} of {WRITTEN} summaries agree"
    say(f"{same} of {WRITTEN} summaries are the same")
    ways: dict[str, Callable[[], object]] = {
        "shoal": lambda: [write(ours, source, rules, forbid) for source in parts],
        "straightforward": lambda: [theirs.beams(source, room, BEAMS) for source in parts],
    }
    seconds = in_turn(ways, args.turns)
    ratios = [b / a for a, b in zip(*seconds.values(), strict=True)]
    tokens = sum(len(summary) + 1 for part in mine for summary in part)
    per = {way: tokens / statistics.median(times) for way, times in seconds.items()}
    say(f"beams: {per}; ratio {statistics.median(ratios):.2f}")
    return {
        "size": args.size,
        "documents": WRITTEN,
        "beams": BEAMS,
        "same": same,
        "tokens_per_second": per,
        "ratio": statistics.median(ratios),
        "spread": [min(ratios), max(ratios)],
    }


def remembering(_: argparse.Namespace) -> dict[str, Any]:
    """Writing 128 tokens with what was computed for earlier ones kept, and without; same probabilities."""
    found: dict[str, Any] = {}
    for size in ("tiny", "small", "base"):
        model = SummaryModel(SummarizerConfig(size=size).model(TOKENS)).eval()
        for rows in (1, 8, 32):
            source = torch.randint(3, TOKENS, (rows, 128), generator=torch.Generator().manual_seed(rows))
            got = remembering_of(model, source)
            assert got.apart < 1e-5, f"{size}, {rows} documents: probabilities differ by {got.apart}"
            found[f"{size}, {rows}"] = {"times": list(got.times), "apart": got.apart}
            say(f"remembering, {size}, {rows} documents: {statistics.median(got.times):.1f} times as fast")
    return found


PARTS: Parts = {"training": training, "writing": writing, "remembering": remembering}


if __name__ == "__main__":
    run_parts(__doc__, PARTS, RECORD, size="small", turns=5)
