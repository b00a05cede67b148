"""What `shoal faces train` does: a face network, trained on photos of one's own, and verified on other people.

    asked = FaceTraining("photos", FaceTrainingConfig(minutes=10), words, progress)      # reads; trains nothing yet
    trained = asked.run(Path("faces.safetensors"), progress)

The people that the report is about are set apart before anything is trained, and looked at once, at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from shoal.data.faces import FacePairs, FaceSet, load_faces, split_faces
from shoal.engine import History, Progress, RunFolder, Silent, choose_device, describe_environment
from shoal.errors import wrong
from shoal.faces.embedding import embed
from shoal.faces.network import FaceNetwork
from shoal.faces.saving import save_network
from shoal.faces.training import fit_faces
from shoal.faces.training_config import FacesConfig
from shoal.faces.verification import verification
from shoal.faces.verification_result import Verification
from shoal.measure import count_parameters
from shoal.studies.faces_asked_config import FaceTrainingConfig
from shoal.studies.faces_asked_data import Reading, identity_of, pack_digests, set_watched_apart
from shoal.studies.repeating import plain_settings

SUFFIX = ".safetensors"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training came to, in plain values.

    Attributes:
        model: the file.
        data: in words.
        network: its name.
        parameters: of the network.
        images, people: that were trained on.
        minutes, steps, epochs: of the training.
        losses: the last ones, by what they were measured on.
        pairs: that were verified, in words.
        verification: accuracy, standard_error, auc and val (far, val, standard_error, resolved).
    """

    model: str
    data: list[str]
    network: str
    parameters: int
    images: int
    people: int
    minutes: float
    steps: int
    epochs: float
    losses: dict[str, float]
    pairs: str
    verification: dict[str, Any]

    def lines(self) -> list[str]:
        """The same to read."""
        losses = ", ".join(f"{name} {loss:.3f}" for name, loss in self.losses.items())
        return [
            self.model,
            *(f"data: {text}" for text in self.data),
            f"{self.network}, {self.parameters:,} parameters; {self.images:,} images of {self.people:,} people, "
            f"{self.minutes:.1f} minutes, {self.steps:,} steps, {self.epochs:.1f} epochs",
            f"loss: {losses}",
            self.pairs,
            *verification_lines(self.verification),
        ]


class FaceTraining:
    """Faces and a network, ready to be trained.

    Args:
        data: a folder of people's folders, or a set's name.
        config: the settings.
        words: of the command, for the record.
        progress: told how reading goes.

    Attributes:
        train: faces that are trained on.
        test, test_pairs: faces of other people to report on, and pairs of them.
        watched: faces of other people, and pairs, that the training is watched with; None without.
        says: what was taken for data, a sentence each.

    Raises:
        InputError: if a setting is wrong, or the data cannot be used.
    """

    train: FaceSet
    watched: tuple[FaceSet, FacePairs] | None

    def __init__(
        self, data: str, config: FaceTrainingConfig, words: Sequence[str] = (), progress: Progress | None = None
    ):
        _check(config)
        self.config, self.words = config, words
        self.settings = FacesConfig(**config.given())
        self.network = self.settings.create_network()
        faces = load_faces(
            data,
            image_size=self.network.image_size,
            crop=config.crop,
            offline=config.offline,
            progress=Reading(progress or Silent(), "reading photos"),
        )
        splits = split_faces(faces, test=config.held_out, seed=config.seed)
        self.test, self.test_pairs = splits.test, splits.test_pairs
        self.train, self.watched = set_watched_apart(splits.train, config.watch_people, config.seed)
        self.says = (str(splits), *_skipped(faces))
        if self.watched:
            count = f"{len(self.watched[0].people):,} of the people to learn from"
            self.says += (f"{count} are set apart to watch the training with",)

    def run(self, output: Path, progress: Progress | None = None) -> Trained:
        """Train, going on where a run beside the same file stopped; verify, save.

        Args:
            output: the file.
            progress: told how it goes.

        Raises:
            Interrupted: on Ctrl-C while training.
            ShoalError: if training diverges or collapses, or a file cannot be written.
        """
        told, settings = progress or Silent(), self.settings
        device, why = choose_device(settings.device)
        environment = describe_environment(seed=settings.seed, device=str(device), why=why)
        identity = {"command": "faces train", "settings": plain_settings(settings), "data": identity_of(self.train)}
        with RunFolder(run_folder(output), identity) as run:
            run.record_environment(environment)
            history = fit_faces(
                self.network, self.train, settings, validation_pairs=self.watched, run=run, progress=told
            )
        told.say(f"verifying {len(self.test_pairs):,} pairs: {self.test_pairs.name}")
        found = verify_pairs(self.network, self.test, self.test_pairs, device=settings.device)
        trained = self._answer(output, history, found)
        save_network(
            self.network,
            output,
            {
                "command": " ".join(self.words),
                "data": {"name": self.train.name, "says": list(self.says), "crop": self.config.crop},
                "settings": plain_settings(settings),
                "history": history.rows,
                "verification": {"pairs": trained.pairs, **trained.verification},
                "trained_on": pack_digests(self.train),
                "environment": environment,
                "seconds": history.seconds,
            },
        )
        return trained

    def _answer(self, output: Path, history: History, found: Verification) -> Trained:
        last = history.rows[-1]
        losses = {"train_loss": "training", "seen_loss": "seen", "held_back_loss": "held back"}
        losses |= {"validation_loss": "watched people"} if self.watched else {}
        pairs = self.test_pairs
        return Trained(
            model=str(output),
            data=list(self.says),
            network=self.network.name,
            parameters=count_parameters(self.network),
            images=len(self.train),
            people=len(self.train.people),
            minutes=history.seconds / 60,
            steps=last["step"],
            epochs=last["epoch"],
            losses={words: last[name] for name, words in losses.items() if name in last},
            pairs=f"{pairs.name} ({found.matched:,} matched and {found.mismatched:,} mismatched pairs)",
            verification=plain_verification(found),
        )


def run_folder(output: Path) -> Path:
    """Where checkpoints of a training lie: beside the file that it is going to write."""
    return output.with_name(f"{output.name.removesuffix(SUFFIX)}-training")


def check_output(output: Path) -> None:
    """Refuse, before anything is trained, a name that no network can be saved under.

    Raises:
        InputError: if it does not end in .safetensors, or is a folder.
    """
    if output.suffix != SUFFIX or output.is_dir():
        got = f"{output}, a folder" if output.is_dir() else output
        raise wrong("--output", expected=f"a file that ends in {SUFFIX}", got=got)


def verify_pairs(
    network: FaceNetwork, faces: FaceSet, pairs: FacePairs, *, flip: bool = True, device: str = "auto"
) -> Verification:
    """Embed the images of some pairs, each once, and verify them.

    Args:
        network: that is measured.
        faces: that the pairs are of.
        pairs: to verify.
        flip: see `shoal.faces.embed`.
        device: likewise.
    """
    pairs.check(len(faces))
    rows, places = torch.cat((pairs.a, pairs.b)).unique(return_inverse=True)
    embeddings = embed(network, faces.images[rows], flip=flip, device=device)
    a, b = places.view(2, -1)
    return verification(embeddings[a], embeddings[b], pairs.same, fold=pairs.fold)


def plain_verification(found: Verification) -> dict[str, Any]:
    """Verification in plain values."""
    return {
        "accuracy": found.accuracy,
        "standard_error": found.standard_error,
        "auc": found.auc,
        "threshold": sum(found.thresholds) / len(found.thresholds),
        "val": [
            {"far": row.far, "val": row.val, "standard_error": row.standard_error, "resolved": row.resolved}
            for row in found.val
        ],
    }


def verification_lines(found: dict[str, Any]) -> list[str]:
    """The same to read."""
    told = [f"accuracy {100 * found['accuracy']:.2f} ± {100 * found['standard_error']:.2f} %, AUC {found['auc']:.4f}"]
    for row in found["val"]:
        few = "" if row["resolved"] else "  (too few mismatched pairs to measure so small a rate)"
        told.append(f"VAL {100 * row['val']:5.1f} ± {100 * row['standard_error']:.1f} % at FAR {row['far']:g}{few}")
    return told


def _skipped(faces: FaceSet) -> tuple[str, ...]:
    if not faces.skipped:
        return ()
    first = "; ".join(f"{name}: {why}" for name, why in faces.skipped[:3])
    more = f"; and {len(faces.skipped) - 3:,} more" if len(faces.skipped) > 3 else ""
    return (f"left out: {len(faces.skipped):,} photos ({first}{more})",)


def _check(config: FaceTrainingConfig) -> None:
    """Refuse, before photos are read, what only later would be looked at."""
    if not 0 < config.held_out < 1:
        raise wrong("held_out", expected="a share in (0, 1), 0.3 for three in ten", got=config.held_out)
    if not 0 <= config.watch_people < 1:
        raise wrong("watch_people", expected="a share in [0, 1), 0.05 for one in twenty", got=config.watch_people)
