"""Where to put exits, when nobody says: at even shares of the arithmetic, where everything passes through.

EarlyExit(backbone, at="auto", num_classes=10)      # up to six exits
EarlyExit(backbone, at=3, num_classes=10)           # up to three
"""

from torch import Tensor, nn

from shoal.errors import InputError, wrong
from shoal.exits.attach import check_bypass
from shoal.measure.paths import Walk

MOST_EXITS = 6
LAST = 0.93  # share of the arithmetic after which leaving saves nothing worth a decision


def place_exits(backbone: nn.Module, example: Tensor, most: int = MOST_EXITS) -> list[str]:
    """Layers for exits, at even shares of the backbone's multiply–accumulates.

    Args:
        backbone: any classifier.
        example: a batch that it takes; two rows are enough.
        most: how many to choose.

    Returns:
        At most so many names, shallow to deep.

    Raises:
        InputError: if no layer before the end can hold one.
    """
    if not isinstance(most, int) or most < 1:
        raise wrong("at", expected='"auto", how many exits, or layer names', got=repr(most))
    found = _candidates(backbone, example)
    while True:
        chosen = _spread(found, most)
        bypassed = [name for name in chosen if not _can_hold(backbone, name, example)]
        if not bypassed:
            break
        found = {name: share for name, share in found.items() if name not in bypassed}
    if not chosen:
        raise wrong("backbone", expected="a layer before its end that everything passes through", got="none")
    return chosen


def _candidates(backbone: nn.Module, example: Tensor) -> dict[str, float]:
    """Layers that could hold an exit, in the order in which they run, and the share of the arithmetic before them."""
    walk = Walk(backbone, example)
    total = walk.total or 1
    found: dict[str, float] = {}
    known: dict[object, str] = {}  # of several names of one output the outermost
    for name, macs in zip(walk.order, walk.macs, strict=True):
        usable = walk.ndim(name) in (2, 3, 4) and not walk.is_answer(name) and walk.is_on_every_path(name)
        if not usable or not 0 < macs / total <= LAST:
            continue
        other = known.get(walk.output_key(name))
        if other is not None and name.count(".") >= other.count("."):
            continue
        if other is not None:
            del found[other]
        known[walk.output_key(name)] = name
        found[name] = macs / total
    return found


def _spread(found: dict[str, float], most: int) -> list[str]:
    """At even shares: for each goal the layer nearest to it, the last of those at the same cost."""
    names = list(found)
    chosen: set[int] = set()
    for goal in range(1, most + 1):
        taken = {found[names[at]] for at in chosen}  # a second exit at the same cost would save nothing more
        left = [at for at in range(len(names)) if found[names[at]] not in taken]
        if left:
            chosen.add(min(reversed(left), key=lambda at: abs(found[names[at]] - goal / (most + 1))))
    return [names[at] for at in sorted(chosen)]


def _can_hold(backbone: nn.Module, name: str, example: Tensor) -> bool:
    try:
        check_bypass(backbone, [name], example)
    except InputError:
        return False
    return True
