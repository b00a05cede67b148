"""The pictures of the circuits study: attention and QK circuits side by side, shares, rules apart, a transformer."""

import torch
from torch import Tensor

from shoal.studies.circuits_measured import ROLES, Measured, Shown, TaskFound
from shoal.studies.circuits_transformer import HEADS
from shoal.studies.images import to_png
from shoal.studies.result import Picture

SHARES = ("content–content", "content–position", "position–content", "position–position")
SIDE = 72  # px of an image, about
FRAME = 232  # grey beside a table that is no square
EXERCISE = ("same", "first", "unique")  # rules whose steps are shown
STEP_BY_STEP = "unique"  # the rule whose attention is shown with its numbers


def pictures(m: Measured) -> tuple[Picture, ...]:
    """Attention, circuits, shares, agreement, rules apart, and the heads of a transformer."""
    return (
        _one_sequence(m.task(STEP_BY_STEP)),
        _steps(m),
        _attention(m),
        _circuits(m),
        _shares(m),
        _agreement(m),
        _separation(m),
        _transformer_maps(m),
        _roles(m),
        _likeness(m),
    )


def _one_sequence(task: TaskFound) -> Picture:
    shown = task.shown
    rows = [
        {"x": f"{side} {key}", "y": query, "value": value}
        for side, table in (("hand", shown.hand), ("learned", shown.learned))
        for query, line in zip(shown.queries, table, strict=True)
        for key, value in zip(shown.keys, line, strict=True)
    ]
    return Picture(
        id="one_sequence",
        title=f"Attention for {task.name} on one sequence, by hand and learned",
        kind="heatmap",
        rows=tuple(rows),
        x="key",
        y="query",
        note="On the left the head by hand, on the right a learned one. A digit is a place, counted from 0; ∅ is the "
        "null key, the CLS token of the exercise, which stands for “no other place holds this token”.",
    )


def _steps(m: Measured) -> Picture:
    rows = [
        {
            "image": _framed(torch.tensor(table)),
            "caption": name,
            "group": caption,
            "choice": f"{task.name}: {' '.join(step['sequence'])}",
        }
        for task in m.tasks
        if task.name in EXERCISE
        for step in task.shown.steps
        for side, caption in (("hand", "by hand"), ("learned", "learned"))
        for name, table in step[side].items()
    ]
    return Picture(
        id="steps",
        title="Every step, by hand and learned, for a sequence that you choose",
        kind="gallery",
        rows=tuple(rows),
        note="Open a sequence. Rows of Q, scores, attention and output are places, those of K and V keys (the null key "
        "first, where there is one); columns of scores and attention are keys, of the output tokens. Every table is "
        "shown over its largest size: blue above 0, red below, grey where there is nothing. Any other sequence, and "
        "the numbers, are in the page beside this report, which `shoal circuits page` also writes.",
    )


def _framed(table: Tensor) -> str:
    """A table over its largest size, as a square with grey beside it: images of one size can stand in a row."""
    rows, columns = table.shape
    image = painted(table / table.abs().max().clamp_min(1e-12))  # [3, height, width]
    cell, side = image.shape[1] // rows, max(rows, columns)
    missing = (0, cell * (side - columns), 0, cell * (side - rows))
    return to_png(torch.nn.functional.pad(image, missing, value=FRAME))


def _attention(m: Measured) -> Picture:
    rows = [
        {"image": _png(torch.tensor(table)), "caption": side, "group": f"{task.name}: {_spelled(task.shown)}"}
        for task in m.tasks
        for side, table in (("by hand", task.shown.hand), ("learned", task.shown.learned))
    ]
    return Picture(
        id="attention",
        title="Attention by hand and learned, one sequence for every rule",
        kind="gallery",
        rows=tuple(rows),
        note="Rows are queries, columns keys (the null key first, where there is one); white is 0, dark blue 1.",
    )


def _circuits(m: Measured) -> Picture:
    rows = [
        {"image": _png(torch.tensor(table)), "caption": side, "group": task.name}
        for task in m.tasks
        for side, table in (("by hand", task.shown.qk_hand), ("learned", task.shown.qk_learned))
    ]
    return Picture(
        id="circuits",
        title="QK circuits by hand and learned, the gauge fixed",
        kind="gallery",
        rows=tuple(rows),
        note="The score of every query (rows: A at each place, then B, then C) with every key (columns, likewise), "
        "less the query's mean, over the largest: blue above the mean, red below. Where the three blocks of a rule "
        "about places differ, content is mixed into positions.",
    )


def _shares(m: Measured) -> Picture:
    rows = []
    for task in m.with_good:
        learned = [task.over_good(lambda head, at=at: head.looks.shares[at]).value for at in range(len(SHARES))]
        for side, found in (("hand", task.hand_looks.shares), ("learned", learned)):
            rows += [
                {"x": f"{task.name}, {side}", "y": 100 * share, "series": name}
                for name, share in zip(SHARES, found, strict=True)
            ]
    return Picture(
        id="shares",
        title="Where the variance of the scores comes from",
        kind="bars",
        rows=tuple(rows),
        x="rule and head",
        y="share of the variance (%)",
        note="By the subspaces of query and key; learned: the mean over heads that hold.",
    )


def _agreement(m: Measured) -> Picture:
    measures = {
        "QK, gauge fixed": lambda head: head.compared.qk.value,
        "QK of renamed heads": lambda head: head.compared.qk.chance,
        "raw W_Q": lambda head: head.compared.raw.value if head.compared.raw else 0.0,
        "attention": lambda head: head.compared.attention.value,
        "OV where used": lambda head: head.compared.ov.value,
    }
    rows = [
        {"x": name, "y": task.name, "value": round(task.over_good(measure).value, 3)}
        for task in m.with_good
        for name, measure in measures.items()
    ]
    return Picture(
        id="agreement",
        title="How much learned heads agree with those by hand",
        kind="heatmap",
        rows=tuple(rows),
        x="measure",
        y="rule",
        note="Means over learned heads that hold; 1 is full agreement. Signs of raw weights differ from seed to seed.",
    )


def _separation(m: Measured) -> Picture:
    found = m.separation
    rows = [
        {"x": learned, "y": f"{hand}, by hand", "value": round(score, 3)}
        for hand, line in zip(found.rules, found.scores, strict=True)
        for learned, score in zip(found.rules, line, strict=True)
    ]
    return Picture(
        id="separation",
        title="The score between rules",
        kind="heatmap",
        rows=tuple(rows),
        x="rule that heads were trained on",
        y="rule of the head by hand",
        note="Every score is a mean over learned heads that hold their own rule.",
    )


def _transformer_maps(m: Measured) -> Picture:
    x = m.transformers[0]
    rows = [
        {
            "image": _png(torch.tensor(x.maps[at])),
            "caption": f"head {head.head + 1}",
            "group": f"layer {head.layer + 1}",
        }
        for at, head in enumerate(x.heads)
    ]
    return Picture(
        id="transformer_maps",
        title="Mean attention of the heads of a small transformer",
        kind="gallery",
        rows=tuple(rows),
        note=f"Seed {x.seed}. Rows are queries, columns keys. A vertical stripe is a place, a diagonal band a "
        "distance; a head that compares tokens leaves no trace in the mean.",
    )


def _roles(m: Measured) -> Picture:
    x = m.transformers[0]
    names = ("first key", "previous key", "same token elsewhere")
    rows = [
        {"x": name, "y": f"layer {at // HEADS + 1}, head {at % HEADS + 1}", "value": round(share, 3)}
        for at, head in enumerate(x.heads)
        for name, share in zip(names, head.roles, strict=True)
    ]
    assert len(names) == len(ROLES)
    return Picture(
        id="roles",
        title="What each head of the transformer looks at",
        kind="heatmap",
        rows=tuple(rows),
        x="share of its attention on",
        y="head",
        note="The task asks for the first token, the previous token, and whether the token occurs once.",
    )


def _likeness(m: Measured) -> Picture:
    x = m.transformers[0]
    names = [f"{head.layer + 1}.{head.head + 1}" for head in x.heads]
    rows = [
        {"x": one, "y": other, "value": round(value, 3)}
        for other, line in zip(names, x.likeness, strict=True)
        for one, value in zip(names, line, strict=True)
    ]
    return Picture(
        id="likeness",
        title="How much attention two heads of the transformer share",
        kind="heatmap",
        rows=tuple(rows),
        x="layer and head",
        y="layer and head",
        note="1 less the mean total variation of their maps.",
    )


def _spelled(shown: Shown) -> str:
    return " ".join(name[0] for name in shown.queries)


def _png(table: Tensor) -> str:
    return to_png(painted(table))


def painted(table: Tensor) -> Tensor:
    """White for 0, dark blue for 1, dark red for −1, uint8 [3, height, width] of about `SIDE` pixels."""
    share = table.float().nan_to_num(0.0).clamp(-1, 1)
    white = torch.full((3, 1, 1), 255.0)
    blue, red = (torch.tensor(color)[:, None, None] for color in ([16.0, 42.0, 110.0], [150.0, 30.0, 20.0]))
    image = white + (blue - white) * share.clamp_min(0) + (red - white) * (-share).clamp_min(0)
    cell = max(1, SIDE // max(table.shape))
    return image.round().to(torch.uint8).repeat_interleave(cell, 1).repeat_interleave(cell, 2)
