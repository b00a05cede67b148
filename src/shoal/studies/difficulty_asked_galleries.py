"""Images that say most about a network and its data: the easiest, the hardest, doubtful labels, and overthought ones.

    for gallery in galleries(measured, shown=24): gallery.title, gallery.examples[0].neighbours

Nothing is picked by hand: each gallery is the head of a ranking that its note tells. An example comes with the training
images that are nearest at the probe that speaks for its place there.
"""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor

from shoal.data import ImageSet
from shoal.data.pictures import read_header, read_picture
from shoal.studies.difficulty_asked_measured import Measured, Part, named
from shoal.studies.images import to_png

LARGE, SMALL = 96, 64  # pixels a side, at most: of an example, and of its neighbours
EXACT = 32  # pixels: up to here images are kept as they are
NEIGHBOURS = 4


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """An image for an `img` element.

    Attributes:
        source: data URI.
        width, height: in pixels.
    """

    source: str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Example:
    """One image of a gallery.

    Attributes:
        image: small.
        file: which it is.
        label, predicted: classes by name.
        suggested: class that is favoured over the label; empty where none is.
        label_score: 0 for a wrong label, 1 for a right one; None where labels are not judged.
        depth: of all probes.
        settled: where that is, in words.
        remark: what else there is to say; may be empty.
        probe: at which the neighbours were looked for.
        neighbours: the nearest first, with their labels.
    """

    image: Thumbnail
    file: str
    label: str
    predicted: str
    suggested: str
    label_score: float | None
    depth: int
    settled: str
    remark: str
    probe: str
    neighbours: tuple[tuple[Thumbnail, str], ...]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Examples that belong together.

    Attributes:
        id: "easiest", "hardest", "mislabelled" or "overthought".
        title, note: what it shows, and by which rule.
        found: how many images fit; the first are shown.
        examples: in the order of the ranking.
    """

    id: str
    title: str
    note: str
    found: int
    examples: tuple[Example, ...]


def galleries(measured: Measured, *, shown: int) -> tuple[Gallery, ...]:
    """The four galleries.

    Args:
        measured: all images.
        shown: examples in each, at most.
    """
    pictures = _Pictures(measured)
    depth = measured.joined(lambda part: part.depth.depth).double()
    soft = measured.joined(lambda part: part.depth.soft_depth).double()
    count = len(depth)
    doubted, overthought = measured.issues.suspicious.tolist(), _overthought(measured)
    return (
        Gallery(
            id="easiest",
            title="Easiest",
            note="Settled first; among equals, those whose neighbours agree most with the network. Neighbours where "
            "each is settled.",
            found=count,
            examples=pictures.examples(_in_order(depth, soft)[:shown], _where_settled),
        ),
        Gallery(
            id="hardest",
            title="Hardest",
            note="Settled last or never; among equals, those whose neighbours agree least with the network. Neighbours "
            "in the last layer.",
            found=count,
            examples=pictures.examples(_in_order(-depth, -soft)[:shown], _last_layer),
        ),
        Gallery(
            id="mislabelled",
            title="Likely mislabelled",
            note="Neighbours, over the probes, favour another class than the label; the lowest label score first. The "
            "neighbours are of the probe where most say the other class.",
            found=len(doubted),
            examples=pictures.examples(doubted[:shown], _where_doubted),
        ),
        Gallery(
            id="overthought",
            title="Overthought",
            note="A probe before the end says the label, and the network's answer is another class: where a probe was "
            "surest first. The neighbours are of that probe.",
            found=len(overthought),
            examples=pictures.examples(overthought[:shown], _where_right, remark=True),
        ),
    )


def _in_order(first: Tensor, second: Tensor) -> list[int]:
    """Places by one number, then by another, then as they are."""
    order = second.argsort(stable=True)
    return order[first[order].argsort(stable=True)].tolist()


def _overthought(measured: Measured) -> list[int]:
    """Places where an earlier probe says the label and the answer is wrong, the surest probe first."""
    surest = measured.joined(lambda part: _right_votes(part.depth.votes, part.depth.labels).amax(1))  # (n,)
    wrong = measured.joined(lambda part: part.depth.predicted != part.depth.labels)
    surest = surest.masked_fill(~wrong, 0.0)
    return surest.argsort(descending=True, stable=True)[: int((surest > 0).sum())].tolist()


def _right_votes(votes: Float[Tensor, "n probes classes"], labels: Int[Tensor, " n"]) -> Float[Tensor, "n earlier"]:
    """Votes for the label at every probe before the softmax that says it; 0 at the others."""
    earlier = votes[:, :-1]
    own = earlier.gather(2, labels[:, None, None].expand(-1, earlier.shape[1], 1))[..., 0]
    return own * (earlier.argmax(2) == labels[:, None])


def _where_settled(part: Part, row: int) -> int:
    return min(int(part.depth.depth[row]), len(part.depth.layers) - 1)


def _last_layer(part: Part, row: int) -> int:  # noqa: ARG001 - the same for all
    return len(part.depth.layers) - 2


def _where_doubted(part: Part, row: int) -> int:
    assert part.issues is not None
    return int(part.depth.votes[row, :-1, part.issues.suggested[row]].argmax())  # the softmax is not asked of labels


def _where_right(part: Part, row: int) -> int:
    one = slice(row, row + 1)
    return int(_right_votes(part.depth.votes[one], part.depth.labels[one]).argmax())


class _Pictures:
    """Makes examples; an image that occurs again is encoded once."""

    def __init__(self, measured: Measured):
        self.measured, self.places = measured, measured.places
        self._made: dict[tuple[str, int, int], Thumbnail] = {}

    def examples(
        self, chosen: Sequence[int], probe_of: Callable[[Part, int], int], *, remark: bool = False
    ) -> tuple[Example, ...]:
        """Examples of some places, with their neighbours at a probe each."""
        return tuple(self._example(*self.places[at], probe_of, remark) for at in chosen)

    def _example(self, part: Part, row: int, probe_of: Callable[[Part, int], int], remark: bool) -> Example:
        classes, train, issues = self.measured.splits.classes, self.measured.parts[0], part.issues
        probe, depth, layers = probe_of(part, row), int(part.depth.depth[row]), part.depth.layers
        label = classes[int(part.depth.labels[row])]
        suggested = classes[int(issues.suggested[row])] if issues else label
        return Example(
            image=self._thumbnail(part, row, LARGE),
            file=named(part.name, part.file(row)),
            label=label,
            predicted=classes[int(part.depth.predicted[row])],
            suggested=suggested if suggested != label else "",
            label_score=float(issues.score[row]) if issues else None,
            depth=depth,
            settled=f"at {layers[depth]}" if depth < len(layers) else "never",
            remark=f"{layers[probe]} says {label}" if remark else "",
            probe=layers[probe],
            neighbours=tuple(
                (self._thumbnail(train, other, SMALL), classes[int(train.depth.labels[other])])
                for other in part.depth.neighbours[row, probe, :NEIGHBOURS].tolist()
            ),
        )

    def _thumbnail(self, part: Part, row: int, side: int) -> Thumbnail:
        key = part.name, row, side
        if key not in self._made:
            self._made[key] = _encoded(self._pixels(part.images, row), side)
        return self._made[key]

    def _pixels(self, images: ImageSet, row: int) -> UInt8[Tensor, "channels height width"]:
        """As much of an image as the network saw; from its file where that has more pixels."""
        seen = images.images[row]
        if self.measured.folder is None or max(seen.shape[1:]) >= LARGE:
            return seen
        file = self.measured.folder / images.files[row]
        header = read_header(file)
        side = min(LARGE, header.height, header.width)
        return read_picture(file, (seen.shape[0], side, side))


def _encoded(image: UInt8[Tensor, "channels height width"], side: int) -> Thumbnail:
    """Small images exactly, larger ones scaled down and in WebP, which takes a tenth of the bytes."""
    height, width = image.shape[1:]
    if max(height, width) <= EXACT:
        return Thumbnail(source=f"data:image/png;base64,{to_png(image)}", width=width, height=height)
    array = image.permute(1, 2, 0).contiguous().numpy()  # [h, w, c]
    picture = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    picture.thumbnail((side, side))
    file = io.BytesIO()
    picture.save(file, format="WEBP", quality=80, method=6)
    text = base64.b64encode(file.getvalue()).decode()
    return Thumbnail(source=f"data:image/webp;base64,{text}", width=picture.width, height=picture.height)
