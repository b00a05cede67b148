"""How deep one image goes: the layer at which the probes settle it, whom they ask at each, and how these vote.

probed = Probed(load_kept_difficulty(folder))
probed.of(image).depth                     # what `shoal.difficulty.prediction_depth` says of it
"""

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import UInt8
from torch import Tensor, tensor

from shoal.difficulty import Depth, depth_of_features, probe_features
from shoal.studies.difficulty_kept import KeptDifficulty, load_kept_difficulty

NEIGHBOURS = 6  # that are shown
CLASSES = 3  # whose votes are named


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What one probe says.

    Attributes:
        name: of the layer.
        says: the class with the most votes.
        agrees: whether that is the network's answer.
        settled: whether the image is settled here: this probe and all that follow agree.
        votes: (class, share of the votes) of the largest, then ("others", the rest) where there is one.
        neighbours: places of the nearest references.
    """

    name: str
    says: str
    agrees: bool
    settled: bool
    votes: tuple[tuple[str, float], ...]
    neighbours: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Settled:
    """One image as the network and its probes see it.

    Attributes:
        depth: 0 to the number of probes, which is never.
        answer: the network's class.
        confidence: its probability.
        probes: the input first, the softmax last.
    """

    depth: int
    answer: str
    confidence: float
    probes: tuple[Probe, ...]

    @property
    def place(self) -> str:
        """Where it is settled, in words.

        Example:
            >>> Settled(depth=0, answer="cat", confidence=1.0, probes=()).place
            'nowhere: the last probe disagrees with the network'
        """
        if self.depth == len(self.probes):
            return "nowhere: the last probe disagrees with the network"
        name = self.probes[self.depth].name
        return f"at the {name}" if name in {"input", "softmax"} else f"at {name}"


class Probed:
    """A network whose references have been looked at, ready for one image after another.

    Args:
        kept: of a run.
    """

    def __init__(self, kept: KeptDifficulty):
        self.kept = kept
        self.references = probe_features(kept.model, kept.references.pair, kept.layers, prepare=kept.normalise)

    @classmethod
    def load(cls, folder: Path) -> "Probed":
        """Of a run folder; takes seconds, as every reference goes through the network."""
        return cls(load_kept_difficulty(folder))

    def of(self, image: UInt8[Tensor, "c h w"]) -> Settled:
        """Look at one image."""
        kept = self.kept
        pair = image[None], tensor([0])  # no label is known of an upload, and none is asked for
        features = probe_features(kept.model, pair, kept.layers, prepare=kept.normalise)
        depth = depth_of_features(self.references, features, k=kept.k)
        answer = int(depth.predicted[0])
        return Settled(
            depth=int(depth.depth[0]),
            answer=kept.references.classes[answer],
            confidence=float(depth.probabilities[0, answer]),
            probes=tuple(self._probe(depth, place) for place in range(len(depth.layers))),
        )

    def _probe(self, depth: Depth, place: int) -> Probe:
        votes, classes = depth.votes[0, place], self.kept.references.classes
        shares, order = votes.sort(descending=True, stable=True)
        named = [(classes[c], share) for c, share in zip(order.tolist(), shares.tolist(), strict=True) if share > 0]
        rest = sum(share for _, share in named[CLASSES:])
        agrees = int(votes.argmax()) == int(depth.predicted[0])
        return Probe(
            name=depth.layers[place],
            says=classes[int(votes.argmax())],
            agrees=agrees,
            settled=place >= int(depth.depth[0]),
            votes=(*named[:CLASSES], *([("others", rest)] if len(named) > CLASSES else [])),
            neighbours=tuple(depth.neighbours[0, place, :NEIGHBOURS].tolist()),
        )
