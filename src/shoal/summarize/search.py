"""Writing summaries: the likeliest token each time, draws, or several beams at once; rows that are done cost nothing.

All of it works on many documents at once, with what was computed for earlier tokens kept (`SummaryModel.step`).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from shoal.engine import stream
from shoal.summarize.model import SummaryModel
from shoal.summarize.rules import Filter, WritingRules
from shoal.summarize.tokenizer import END, START


@torch.no_grad()
def write(
    model: SummaryModel, source: Int[Tensor, "documents seq"], rules: WritingRules, forbid: Filter
) -> list[list[int]]:
    """Summaries of some documents, as token numbers without start and end.

    Args:
        model: in evaluation mode.
        source: the documents, padded at the end.
        rules: how to write.
        forbid: what must not come.
    """
    if rules.num_beams == 1:
        return _write_singly(model, source, rules, forbid)
    return _Beams(model, source, rules, forbid).run()


def _write_singly(model: SummaryModel, source: Tensor, rules: WritingRules, forbid: Filter) -> list[list[int]]:
    """One summary a document: the likeliest token each time, or a draw."""
    room = model.config.max_target
    writing = model.start(source, room)
    generator = stream(rules.seed, "draws")
    found: list[list[int]] = [[] for _ in range(len(source))]
    left = torch.arange(len(source), device=source.device)  # documents that are not done
    written = torch.full((len(source), 1), START, device=source.device)
    for place in range(room):
        log_p = forbid(model.step(writing, written[:, -1]), written, last=place == room - 1)
        chosen = log_p.argmax(1) if not rules.temperature else draw(log_p, rules, generator)
        written = torch.cat([written, chosen[:, None]], 1)
        done = chosen == END
        if not bool(done.any()):
            continue
        for row in done.nonzero()[:, 0].tolist():
            found[int(left[row])] = written[row, 1:-1].tolist()
        going = (~done).nonzero()[:, 0]
        if not len(going):
            break
        left, written, writing = left[going], written[going], writing.select(going, going)
    return found


def draw(
    log_p: Float[Tensor, "rows vocabulary"], rules: WritingRules, generator: torch.Generator
) -> Int[Tensor, "rows"]:
    """One token a row, by its probability, among the likeliest."""
    log_p = log_p / rules.temperature
    ranked, order = log_p.sort(1, descending=True)
    shares = ranked.softmax(1)
    outside = shares.cumsum(1) - shares >= rules.top_p  # the first one that reaches the share is in
    if rules.top_k:
        outside[:, rules.top_k :] = True
    outside[:, 0] = False
    shares = shares.masked_fill(outside, 0.0).cpu()
    place = torch.multinomial(shares, 1, generator=generator).to(order.device)
    return order.gather(1, place)[:, 0]


class _Beams:
    """Beam search over several documents.

    A document is done when no beam that goes on could end better than the best that has ended: log-probabilities only
    fall, so that the sum so far, divided as kindly as any length allows, is a bound.
    """

    def __init__(self, model: SummaryModel, source: Tensor, rules: WritingRules, forbid: Filter):
        self.model, self.rules, self.forbid = model, rules, forbid
        self.beams, self.room = rules.num_beams, model.config.max_target
        device, documents = source.device, len(source)
        self.writing = model.start(source, self.room)
        self.left = torch.arange(documents, device=device)
        self.written = torch.full((documents, 1, 1), START, device=device)  # (documents, beams, length)
        self.sums = torch.zeros(documents, 1, device=device)  # of log-probabilities
        self.best = torch.full((documents,), -torch.inf, device=device)  # scores of what has ended, documents left
        self.found: list[list[int]] = [[] for _ in range(documents)]

    def run(self) -> list[list[int]]:
        """Summaries of all documents."""
        for place in range(self.room):
            self._step(place)
            if not len(self.left):
                break
        return self.found

    def _step(self, place: int) -> None:
        documents, beams, length = self.written.shape
        flat = self.written.flatten(0, 1)  # (documents · beams, length)
        log_p = self.forbid(self.model.step(self.writing, flat[:, -1]), flat, last=place == self.room - 1)
        vocabulary = log_p.shape[1]
        totals = (self.sums.flatten()[:, None] + log_p).view(documents, beams, vocabulary)
        self._end(totals[..., END], length)
        totals[..., END] = -torch.inf
        wide = min(self.beams, totals[0].numel())
        sums, chosen = totals.flatten(1).topk(wide, 1)  # (documents, wide)
        going = (self._bound(sums[:, 0], length + 1) > self.best).nonzero()[:, 0]
        parents, tokens = chosen // vocabulary, chosen % vocabulary
        rows = (torch.arange(documents, device=flat.device)[:, None] * beams + parents)[going]  # into flat
        self.written = torch.cat([flat[rows], tokens[going][..., None]], -1)
        self.sums, self.best, self.left = sums[going], self.best[going], self.left[going]
        if len(going):
            self.writing = self.writing.select(rows.flatten(), None if len(going) == documents else going)

    def _end(self, totals: Float[Tensor, "documents beams"], length: int) -> None:
        """Keep what ends here where it is the best of its document so far."""
        score, beam = self._score(totals, length).max(1)
        better = score > self.best
        self.best = torch.where(better, score, self.best)
        for row in better.nonzero()[:, 0].tolist():
            self.found[int(self.left[row])] = self.written[row, int(beam[row]), 1:].tolist()

    def _score(self, sums: Tensor, length: int) -> Tensor:
        """Of summaries of so many tokens, the end included."""
        return sums / length**self.rules.length_penalty

    def _bound(self, sums: Tensor, length: int) -> Tensor:
        """The best score that summaries can still reach that have these sums, at this length or longer."""
        kindest = self.room if self.rules.length_penalty > 0 else length
        return self._score(sums, kindest)
