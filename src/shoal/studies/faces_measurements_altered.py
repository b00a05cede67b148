"""What a network makes of test faces that were altered, compressed, or brought to fewer pixels."""

from torch import Tensor

from shoal.measure import mean_interval
from shoal.studies.faces_alterations import ALTERATIONS, coarsen, compress
from shoal.studies.faces_checked import Checked
from shoal.studies.faces_looking import Looking
from shoal.studies.faces_measured_parts import Altered
from shoal.studies.faces_measurements_groups import clustered
from shoal.studies.faces_names import MAIN, UNALTERED

QUALITIES = (10, 20, 30, 50, 70, 90)  # of JPEG, as the paper's
SIDES = (0.25, 0.375, 0.5, 0.75)  # in between, as shares of the side


def measure_jpeg(look: Looking, quality: int) -> Checked:
    """Verification where both images of each pair were compressed."""
    return look.pairs.check(look.main(compress(look.pairs.images, quality)))


def measure_side(look: Looking, share: float) -> Checked:
    """Verification where both images of each pair were brought to fewer pixels, and back."""
    return look.pairs.check(look.main(coarsen(look.pairs.images, side_of(look.config.image_size, share))))


def side_of(side: int, share: float) -> int:
    """Pixels a side in between."""
    return max(1, round(share * side))


def measure_altered(look: Looking, name: str, threshold: float) -> Altered:
    """Pairs of which the second image is altered, and faces that are clustered when all of them are.

    Args:
        look: at the test faces.
        name: of the alteration, or `UNALTERED`.
        threshold: of the clusters, chosen on unaltered faces of other people.
    """
    pairs, before = look.pairs, look.of_pairs(MAIN)
    after = before if name == UNALTERED else look.main(ALTERATIONS[name].alter(pairs.images))
    distances = pairs.distances(before, after)
    groups = look.grouped
    faces = look.test[groups.rows]
    if name != UNALTERED:
        faces = look.main(ALTERATIONS[name].alter(look.faces.test.images[groups.rows]))
    return Altered(
        moved=_mean((before - after).square().sum(1)),
        same=_mean(distances[pairs.same]),
        different=_mean(distances[~pairs.same]),
        checked=pairs.check(before, after),
        clustered=clustered(faces, groups, threshold),
    )


def _mean(values: Tensor) -> list[float]:
    """Value and ends of the interval."""
    found = mean_interval(values)
    return [found.value, found.low, found.high]
