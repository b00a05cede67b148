"""`shoal faces`: networks that tell people apart: trained on your own photos, verified, and put to use."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from shoal.commands.output import show, showing_progress
from shoal.studies.faces_asked_config import (
    ClusteringConfig,
    EmbeddingConfig,
    FaceTrainingConfig,
    FaceVerifyingConfig,
)

faces = App(name="faces", help="Networks that tell people apart: trained on your own photos, verified, and put to use.")


@faces.command
def train(
    photos: str,
    /,
    config: Annotated[FaceTrainingConfig, Parameter(name="*")] = FaceTrainingConfig(),  # noqa: B008 - frozen
    *,
    output: Path | None = None,
    json: bool = False,
) -> None:
    """Train a face network and verify it on people that it has not seen; interrupted, the same command goes on.

    Args:
        photos: a folder of people's folders of photos, or a set's name (lfw, olivetti). Of LFW, View 1 is taken.
        config: how it is trained.
        output: file for the network, ends in .safetensors; runs/faces-NAME.safetensors unless given. Checkpoints lie
            beside it.
        json: print as JSON.
    """
    from shoal.files import check_folder
    from shoal.studies.faces_asked import FaceTraining, check_output

    place = output or Path("runs") / f"faces-{Path(photos).resolve().name}.safetensors"
    check_output(place)
    check_folder(place.parent)
    with showing_progress() as progress:
        asked = FaceTraining(photos, config, ["shoal", *sys.argv[1:]], progress)
        for line in asked.says:
            progress.say(f"data: {line}")
        found = asked.run(place, progress)
    show(found, found.lines(), json=json)


@faces.command
def verify(
    model: Path,
    photos: str,
    /,
    config: Annotated[FaceVerifyingConfig, Parameter(name="*")] = FaceVerifyingConfig(),  # noqa: B008 - frozen
    *,
    json: bool = False,
) -> None:
    """Measure how well a network tells people apart, and find the threshold for a false-accept rate.

    Args:
        model: file that `shoal faces train` wrote.
        photos: a folder of people's folders of photos, or a set's name. Of a folder that it was trained on, the
            people are taken whom it does not know.
        config: what is verified.
        json: print as JSON.
    """
    from shoal.studies.faces_asked_verify import verify_saved

    with showing_progress() as progress:
        found = verify_saved(model, photos, config, progress)
    show(found, found.lines(), json=json)


@faces.command
def embed(
    model: Path,
    folder: Path,
    /,
    config: Annotated[EmbeddingConfig, Parameter(name="*")] = EmbeddingConfig(),  # noqa: B008 - frozen
    *,
    output: Path | None = None,
    json: bool = False,
) -> None:
    """Embed every face of a folder; writes embeddings.safetensors and faces.csv.

    Args:
        model: file that `shoal faces train` wrote.
        folder: of photos, or of people's folders of photos. Faces should fill the photos, or have boxes.
        config: how.
        output: folder to write to; runs/embeddings-NAME unless given.
        json: print as JSON.
    """
    from shoal.files import check_folder
    from shoal.studies.faces_asked_embed import embed_folder

    place = output or Path("runs") / f"embeddings-{folder.resolve().name}"
    check_folder(place)
    with showing_progress() as progress:
        found = embed_folder(model, folder, place, config, progress)
    show(found, found.lines(), json=json)


@faces.command
def cluster(
    folder: Path,
    /,
    config: Annotated[ClusteringConfig, Parameter(name="*")] = ClusteringConfig(),  # noqa: B008 - frozen
    *,
    output: Path | None = None,
    json: bool = False,
) -> None:
    """Group embedded faces by person; two faces of one photo are never one person. Writes a CSV file.

    Args:
        folder: that `shoal faces embed` wrote.
        config: how.
        output: file to write; groups.csv in the folder unless given.
        json: print as JSON.
    """
    from shoal.files import check_folder
    from shoal.studies.faces_asked_cluster import cluster_folder

    place = output or folder / "groups.csv"
    check_folder(place.parent)
    found = cluster_folder(folder, place, config)
    show(found, found.lines(), json=json)
