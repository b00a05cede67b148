"""What a network said of every example while it was trained, and the scores that are made of that.

watch = PredictionHistory.recorder((images, labels), prepare=normalise)
fit(model, batches, validate=watch)
watch.history().forgetting_events()
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import load_file, save
from torch import Tensor, nn

from shoal.engine import Data, Precision, in_order
from shoal.engine.batches import Prepare
from shoal.errors import wrong
from shoal.files import atomic_file
from shoal.measure.logits import logits_of
from shoal.measure.modes import in_mode


@dataclass(frozen=True)
class PredictionHistory:
    """Probabilities of every example at several times of a training.

    Attributes:
        probabilities: of the classes, the earliest first.
        labels: as given.
    """

    probabilities: Float[Tensor, "times n classes"]
    labels: Int[Tensor, " n"]

    def __post_init__(self) -> None:
        if self.probabilities.ndim != 3 or not self.probabilities.numel():
            raise wrong("probabilities", expected="[times, n, classes]", got=list(self.probabilities.shape))
        if len(self.labels) != self.probabilities.shape[1]:
            raise wrong("labels", expected=f"{self.probabilities.shape[1]}, as rows", got=len(self.labels))

    @property
    def of_label(self) -> Float[Tensor, "times n"]:
        """Probability of the label."""
        return self.probabilities.gather(2, self.labels[None, :, None].expand(len(self.probabilities), -1, 1))[..., 0]

    @property
    def right(self) -> Bool[Tensor, "times n"]:
        """Whether the label was the answer."""
        return self.probabilities.argmax(2) == self.labels

    def confidence(self) -> Float[Tensor, " n"]:
        """Mean probability of the label, 0 to 1 (Swayamdipta et al. 2020, arXiv 2009.10795)."""
        return self.of_label.mean(0)

    def variability(self) -> Float[Tensor, " n"]:
        """Standard deviation of the probability of the label, 0 to 0.5 (the same source)."""
        return self.of_label.std(0, correction=0)

    def forgetting_events(self) -> Int[Tensor, " n"]:
        """How often a right answer was followed by a wrong one; the number of times where none was right.

        Source: Toneva et al. 2019 (arXiv 1812.05159), where the latter is infinite.
        """
        forgotten = (self.right[:-1] & ~self.right[1:]).sum(0)
        return torch.where(self.right.any(0), forgotten, len(self.right))

    def el2n(self, time: int) -> Float[Tensor, " n"]:
        """Length of the error vector at one time, 0 to √2 (Paul, Ganguli & Dziugaite 2021, arXiv 2107.07075).

        Args:
            time: index; an early one, as there.

        Raises:
            InputError: if there is no such time.
        """
        if not 0 <= time < len(self.probabilities):
            raise wrong("time", expected=f"an index from 0 to {len(self.probabilities) - 1}", got=time)
        wanted = torch.nn.functional.one_hot(self.labels, self.probabilities.shape[2])
        return (self.probabilities[time] - wanted).norm(dim=1)

    @staticmethod
    def recorder(
        data: Data,
        *,
        prepare: Prepare | None = None,
        then: Callable[[nn.Module, Precision, torch.device], dict[str, float]] | None = None,
        folder: Path | None = None,
    ) -> "Recorder":
        """What `shoal.engine.fit` takes as `validate`; see `Recorder`."""
        return Recorder(data, prepare=prepare, then=then, folder=folder)


class Recorder:
    """Runs the network on the same examples at every row of a training's history.

    Args:
        data: examples, (inputs, labels) or a loader that does not shuffle; usually those that are trained on.
        prepare: applied to the inputs of every batch.
        then: another `validate`, whose loss and accuracy the training's history gets; those of `data` unless given.
        folder: where the probabilities are kept, so that a training that is stopped goes on with them.
    """

    def __init__(
        self,
        data: Data,
        *,
        prepare: Prepare | None = None,
        then: Callable[[nn.Module, Precision, torch.device], dict[str, float]] | None = None,
        folder: Path | None = None,
    ):
        if isinstance(data, Iterator):
            fix = "give a list of batches or a DataLoader"
            raise wrong("data", expected="a loader that can be gone through again", got=type(data).__name__, fix=fix)
        self.data, self.prepare, self.then, self.folder = data, prepare, then, folder
        self._kept: list[Tensor] = []
        self._labels = torch.empty(0, dtype=torch.long)
        if folder:
            folder.mkdir(parents=True, exist_ok=True)

    @torch.no_grad()
    def __call__(self, model: nn.Module, precision: Precision, device: torch.device) -> dict[str, float]:
        """Record, and evaluate."""
        found, labels, loss = [], [], 0.0
        with in_mode(model, training=False), precision.autocast(device):
            for inputs, truth in in_order(self.data, prepare=self.prepare):
                logits = logits_of(model(precision.place(inputs, device))).float().cpu()
                found.append(logits.softmax(1))
                labels.append(truth)
                loss += float(torch.nn.functional.cross_entropy(logits, truth.cpu(), reduction="sum"))
        self._labels = torch.cat(labels).cpu()
        now = torch.cat(found)
        if self.folder:
            with atomic_file(self.folder / f"{self.times:06d}.safetensors") as file:
                file.write(save({"probabilities": now, "labels": self._labels}))
        else:
            self._kept.append(now)
        if self.then:
            return self.then(model, precision, device)
        return {"loss": loss / len(now), "accuracy": float((now.argmax(1) == self._labels).double().mean())}

    def rewind(self, times: int) -> None:
        """Forget what came after so many times; a training calls it when it begins, or goes on from a checkpoint."""
        for file in self._files()[times:]:
            file.unlink()
        del self._kept[times:]

    @property
    def times(self) -> int:
        """How often it was called."""
        return len(self._files()) if self.folder else len(self._kept)

    def history(self) -> PredictionHistory:
        """What was recorded so far.

        Raises:
            InputError: if nothing was.
        """
        if not self.times:
            raise wrong("history", expected="at least one recorded time", got="none", fix="train with validate=")
        if not self.folder:
            return PredictionHistory(torch.stack(self._kept), self._labels)
        parts = [load_file(file) for file in self._files()]
        return PredictionHistory(torch.stack([part["probabilities"] for part in parts]), parts[-1]["labels"])

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors")) if self.folder else []
