"""All measurements of the study of faces, in order, each row made once (see `shoal.studies.measured_rows`)."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, TypeVar

from shoal.engine import Progress
from shoal.faces.training_config import FacesConfig
from shoal.studies.faces_checked import Checked
from shoal.studies.faces_config import FacesStudyConfig
from shoal.studies.faces_costs import count_layers, count_networks
from shoal.studies.faces_looking import Looking
from shoal.studies.faces_measured import Measured, Training
from shoal.studies.faces_measured_parts import (
    Altered,
    Batch,
    Clustered,
    Generations,
    Layer,
    Network,
    Promised,
    Rates,
    SetSize,
    Shown,
)
from shoal.studies.faces_measurements_altered import (
    QUALITIES,
    SIDES,
    measure_altered,
    measure_jpeg,
    measure_side,
    side_of,
)
from shoal.studies.faces_measurements_groups import best_threshold, choose_grouped, clustered, to_show
from shoal.studies.faces_measurements_networks import compare_generations, measure_rates, promise_threshold
from shoal.studies.faces_measurements_triplets import count_sets, measure_batches, sizes_of
from shoal.studies.faces_names import MINED, MIRRORED, PIXELS, UNALTERED, UNTRAINED, USUAL, dim_name, share_name
from shoal.studies.faces_training import PEOPLE, Trained
from shoal.studies.measured_rows import Row, Rows

# names of the parts, as the report shows where the time went
VERIFY, GENERATIONS, CLUSTER, ALTER, TRIPLETS, COUNT = (
    "verify test pairs",
    "compare generations",
    "cluster faces",
    "alter faces",
    "count triplets",
    "count parameters",
)
T = TypeVar("T")


class Measuring:
    """Rows that are measured, or read where they are known, and told of as they go.

    Args:
        rows: of this run.
        progress: told how it goes.
    """

    def __init__(self, rows: Rows, progress: Progress):
        self.rows, self.progress = rows, progress

    def each(self, part: str, keys: Iterable[T], measure: Callable[[T], Any]) -> dict[T, Row]:
        """A row for every key.

        Args:
            part: of the study.
            keys: plain values.
            measure: makes a dataclass or a dictionary of a key.
        """
        keys, found = list(keys), {}
        self.progress.start(part)
        for number, key in enumerate(keys):
            self.progress.update(number / len(keys), str(key))
            found[key] = self._once(part, key, measure)
        self.progress.finish()
        return found

    def _once(self, part: str, key: Any, measure: Callable[[Any], Any]) -> Row:
        def make() -> Row:
            made = measure(key)
            return made if isinstance(made, dict) else asdict(made)

        row = self.rows.once(part, {"of": key}, make)
        return {name: value for name, value in row.items() if name != "of"}


def measure(config: FacesStudyConfig, look: Looking, rows: Rows, progress: Progress) -> Measured:
    """Measure everything that is not among the rows yet; the test faces are looked at here for the first time.

    Args:
        config: resolved.
        look: at the test faces, all networks being trained.
        rows: of this run.
        progress: told how it goes.
    """
    trainings, measuring = look.trainings, Measuring(rows, progress)
    trained = trainings.all()
    faces = look.faces.test.are_faces
    names = (*trainings.jobs, UNTRAINED, PIXELS, *([MIRRORED] if faces else []))
    checked = measuring.each(VERIFY, names, look.check)
    apart = measuring.each(VERIFY, ["distances"], lambda _: {name: look.apart(name) for name in (*MINED, UNTRAINED)})
    rates = measuring.each(VERIFY, ["all pairs"], lambda _: measure_rates(look))
    promised = measuring.each(VERIFY, ["a threshold"], lambda _: promise_threshold(look))
    generations = measuring.each(GENERATIONS, range(config.seeds), lambda number: compare_generations(look, number))
    grouped = measuring.each(CLUSTER, ["test faces"], lambda _: _cluster(look))["test faces"]
    threshold = grouped["threshold"]
    altered = measuring.each(ALTER, (UNALTERED, *look.alterations), lambda name: measure_altered(look, name, threshold))
    jpeg = measuring.each(ALTER, QUALITIES, lambda quality: measure_jpeg(look, quality))
    sides = measuring.each(ALTER, SIDES, lambda share: measure_side(look, share))
    sets = measuring.each(TRIPLETS, ["sets"], lambda _: {"rows": count_sets(look.faces.train.labels)})
    batches = measuring.each(TRIPLETS, ["batches"], lambda _: {"rows": _measure_batches(look)})
    counted = measuring.each(COUNT, ["networks"], lambda _: {"layers": count_layers(), "networks": count_networks()})
    changed = {name: _altered(row) for name, row in altered.items()}
    return Measured(
        are_faces=faces,
        trainings={name: Training(**one.about) for name, one in trained.items()},
        checked={name: Checked(**row) for name, row in checked.items()},
        apart=apart["distances"],
        rates=Rates(**rates["all pairs"]),
        promised=Promised(**promised["a threshold"]),
        dims=_dims(config, trained),
        shares=_shares(config, trained),
        generations=tuple(_generations(row) for row in generations.values()),
        jpeg={quality: Checked(**row) for quality, row in jpeg.items()},
        sides={side_of(config.image_size, share): Checked(**row) for share, row in sides.items()},
        side=config.image_size,
        set_sizes=tuple(SetSize(**row) for row in sets["sets"]["rows"]),
        batches=tuple(Batch(**row) for row in batches["batches"]["rows"]),
        mined_from=(PEOPLE, FacesConfig.per_identity),
        threshold=threshold,
        clustered=Clustered(**grouped["found"]),
        control=Clustered(**grouped["control"]),
        grouped=grouped["grouped"],
        faces=grouped["faces"],
        persons=grouped["persons"],
        altered={name: one for name, one in changed.items() if name != UNALTERED},
        unaltered=changed[UNALTERED],
        layers=tuple(Layer(**row) for row in counted["networks"]["layers"]),
        networks=tuple(Network(**row) for row in counted["networks"]["networks"]),
        pairs=(int(look.pairs.same.sum()), int((~look.pairs.same).sum())),
        shown=Shown(**grouped["shown"]),
    )


def _cluster(look: Looking) -> Row:
    """Clusters of test faces, at thresholds that are chosen on other people, by the main and the untrained network."""
    faces, grouped = look.faces, look.grouped
    others = choose_grouped(faces.validation, look.config.clustered, look.config.seed)
    other_images = faces.validation.images[others.rows]
    threshold = best_threshold(look.main(other_images), others)
    embeddings = look.test[grouped.rows]
    fresh = look.fresh(faces.test.images[grouped.rows])
    return {
        "threshold": threshold,
        "found": asdict(clustered(embeddings, grouped, threshold)),
        "control": asdict(clustered(fresh, grouped, best_threshold(look.fresh(other_images), others))),
        "grouped": grouped.how,
        "faces": len(grouped.rows),
        "persons": grouped.people,
        "shown": asdict(to_show(embeddings, grouped, threshold)),
    }


def _measure_batches(look: Looking) -> list[Row]:
    sizes = sizes_of(PEOPLE, FacesConfig.per_identity)
    return measure_batches(look.faces.train, (look.fresh, look.main), sizes, look.config.seed)


def _altered(row: Row) -> Altered:
    parts = {"checked": Checked(**row["checked"]), "clustered": Clustered(**row["clustered"])}
    return Altered(**{**row, **parts})


def _generations(row: Row) -> Generations:
    return Generations(penalty=row.pop("penalty"), **{name: Checked(**value) for name, value in row.items()})


def _dims(config: FacesStudyConfig, trained: dict[str, Trained]) -> list[tuple[int, str]]:
    """Sizes of embeddings that were compared, and the names of their networks."""
    names = [USUAL, *(dim_name(dim) for dim in config.dims)]
    found = sorted((trained[name].about["dim"], name) for name in names if name in trained)
    return found if len(found) > 1 else []


def _shares(config: FacesStudyConfig, trained: dict[str, Trained]) -> list[tuple[int, str]]:
    """Numbers of images that networks were trained on, and the names of these."""
    names = [USUAL, *(share_name(share) for share in config.shares)]
    found = sorted((trained[name].about["images"], name) for name in names if name in trained)
    return found if len(found) > 1 else []
