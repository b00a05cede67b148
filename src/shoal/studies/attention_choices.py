"""What the library answers when it is asked for an error: `choose_feature_map` on inputs of both kinds."""

from shoal.attention import choose_feature_map
from shoal.studies.attention_config import AttentionConfig
from shoal.studies.attention_inputs import Kind, draw_inputs
from shoal.studies.measured_rows import Row

TARGETS = (0.3, 0.1)
CANDIDATES = ("positive", "sderf", "landmark")  # `learned` would take most of the study's time
MOST, HEADS = 4096, 2  # tokens, and how many heads share an answer


def choose(config: AttentionConfig, kind: Kind, target: float) -> Row:
    """Ask for the cheapest map that reaches a target error."""
    length = min(MOST, 4 * config.length)
    tokens = draw_inputs(kind, length, heads=HEADS, dim=config.dim, seed=config.seed, purpose="choice")
    q, k, v = (x.float() for x in tokens)
    found = choose_feature_map(q, k, v, target_error=target, names=CANDIDATES, counts=config.features, seed=config.seed)
    chosen = next((candidate for candidate in found.tried if candidate.meets), None)
    return {
        "map": chosen.name if chosen else "",
        "features": chosen.num_features if chosen else 0,
        "share": chosen.share if chosen else 1.0,
        "length": length,
        "tried": [
            {
                "map": c.name,
                "features": c.num_features,
                "share": c.share,
                "error": [c.error.value, c.error.low, c.error.high] if c.error else None,
                "note": c.note,
            }
            for c in found.tried
        ],
    }
