"""Made-up texts that a tiny model learns in seconds, and how it is trained on them."""

from shoal.summarize import SummarizerConfig

NAMES = ("anna", "boris", "clara", "dmitri", "elena", "felix", "greta", "hugo", "irene", "jonas")
THINGS = ("library", "driver", "manual", "server", "client", "parser", "plugin", "viewer", "editor", "player")
TINY = SummarizerConfig(
    minutes=0, epochs=15, size="tiny", vocabulary=330, max_source=40, max_target=12, batch_tokens=512, precision="fp32",
    device="cpu", held_back=20, watched=20, dropout=0.0,
)  # fmt: skip


def pairs(rows: int, begin: int = 0) -> list[tuple[str, str]]:
    """A document tells who made what; the summary says it in short."""
    found = []
    for row in range(begin, begin + rows):
        name, thing = NAMES[row % 10], THINGS[(row // 10) % 10]
        document = f"This is number {row}. It was written by {name} in a long winter. It is a {thing}, and a good one."
        found.append((document, f"{thing} by {name}"))
    return found
