"""The study of faces in a few sentences, every number measured in this run."""

from shoal.studies.faces_checked import percent_interval
from shoal.studies.faces_measured import Measured
from shoal.studies.faces_names import CLASSIFIED, MAIN, MINED, MIRRORED, UNTRAINED
from shoal.studies.faces_words import accuracy
from shoal.studies.wording import lasting


def summary(m: Measured) -> tuple[str, ...]:
    """In sentences."""
    main, found = m.trainings[MAIN], m.checked[MAIN].interval
    who, faces = ("people", "faces") if m.are_faces else ("digits (these are not faces)", "images")
    mirrored = f", {accuracy(m, MIRRORED)} with mirror images" if MIRRORED in m.checked else ""
    return (
        f"A network that was trained for {lasting(main.seconds)} on {main.images:,} images of {main.people:,} "
        f"{who} is right about {found.value:.1f} % [{found.low:.1f}, {found.high:.1f}] of {sum(m.pairs):,} test pairs "
        f"of others{mirrored}; untrained {accuracy(m, UNTRAINED)}.",
        _mining(m),
        _generations(m),
        f"Put together by distance alone, {m.faces:,} {faces} of {m.persons:,} others make clusters with a BCubed "
        f"F of {_mean(m.clustered.f):.2f}; {_mean(m.clustered.trivial):.2f} without looking, "
        f"{_mean(m.control.f):.2f} by the network untrained.",
    )


def _mining(m: Measured) -> str:
    named = [f"{name} negatives {accuracy(m, name)}" for name in MINED]
    named += [f"classification {accuracy(m, CLASSIFIED)}"] if CLASSIFIED in m.checked else []
    seconds = max(m.trainings[name].seconds for name in MINED)
    fallen = [name for name in MINED if m.trainings[name].collapsed]
    said = f" Training with {' and '.join(fallen)} negatives collapsed." if fallen else ""
    return f"In {lasting(seconds)} from scratch: {', '.join(named)}.{said}"


def _generations(m: Measured) -> str:
    def mean(name: str) -> str:
        return f"{percent_interval([getattr(one, name) for one in m.generations]).value:.1f} %"

    return (
        f"A newer network on an older one's gallery: {mean('plain')} as they are, {mean('ridge')} by a linear map, "
        f"{mean('harmonic')} after harmonic training, where the old one by itself has {mean('old')}."
    )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
