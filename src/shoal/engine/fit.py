"""The fit loop: train a model on batches, evaluate as it goes, and be able to stop and go on at any step.

    history = fit(model, as_batches((inputs, labels), batch_size=128), config=FitConfig(epochs=5))

With a run folder the loop saves checkpoints. A run that was killed goes on from the newest one and ends with
the same bits as one that was not, on the same machine: batches are pure functions of the step, and a checkpoint
holds the model, the optimizer, the schedule, the sums of the epoch and the random state.
"""

import math
import time
from typing import Any

import torch
from torch import Tensor, nn

from shoal.engine.batches import Batches
from shoal.engine.device import World, choose_device
from shoal.engine.fit_config import FitConfig, History
from shoal.engine.interrupt import Interrupted, StopRequests
from shoal.engine.nonfinite import explain_nonfinite
from shoal.engine.objective import Objective, classification
from shoal.engine.optimizers import WeightAverage, create_optimizer
from shoal.engine.planning import plan_pace, settle_precision
from shoal.engine.precision import training_step
from shoal.engine.progress import Progress, Silent
from shoal.engine.run import RunFolder
from shoal.engine.schedule import Pace, rate_at
from shoal.errors import ShoalError, wrong

State = dict[str, Any]
FEWEST_ROWS = 12  # of a history: a run of less than an epoch has a curve too


def fit(
    model: nn.Module,
    batches: Batches,
    *,
    config: FitConfig | None = None,
    objective: Objective | None = None,
    validate: Any = None,
    run: RunFolder | None = None,
    part: str = "model",
    progress: Progress | None = None,
) -> History:
    """Train `model` in place.

    Args:
        model: its parameters that require a gradient are trained.
        batches: see `shoal.engine.batches.as_batches`.
        config: how to train.
        objective: what to minimise; cross-entropy of logits unless given.
        validate: called as validate(model, precision, device) for every row of the history; returns
            {"loss", "accuracy"}, and what else belongs into the row under its own name. Where it has a method
            rewind(rows), that is told how many rows there are at the start.
        run: folder for checkpoints and metrics; a run that is there goes on where it stopped.
        part: name of this training within the run.
        progress: told how it goes.

    Returns:
        The measured history; the model holds the final (averaged, or best) weights, in evaluation mode.

    Raises:
        Interrupted: on Ctrl-C or SIGTERM, after the checkpoint was saved.
        ShoalError: if the loss is not finite, or a file cannot be written.
    """
    config = config or FitConfig()
    loop = _Loop(model, batches, config, objective, validate, run, part, progress or Silent())
    return loop.run_to_end()


class _Loop:
    """The state of one fit."""

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        config: FitConfig,
        objective: Objective | None,
        validate: Any,
        run: RunFolder | None,
        part: str,
        progress: Progress,
    ):
        self.began = time.monotonic()
        self.model, self.batches, self.config, self.run, self.part = model, batches, config, run, part
        self.objective = objective or classification(config.label_smoothing)
        self.validate, self.progress_bar, self.world = validate, progress, World.current()
        self.device, _ = choose_device(config.device)
        saved = run.load(part) if run else None
        if validate is None and config.patience:
            raise wrong("patience", expected="0 where nothing is validated", got=config.patience, fix="pass validate=")
        self.history = History(precision=saved["precision"] if saved else config.precision)
        self.precision = settle_precision(
            self.history.precision, model, batches, self._plain_loss, self.device, self.world
        )
        self.history.precision = self.precision.name
        self.precision.place_model(model, self.device)
        self.world.share_weights(model)
        self.optimizer = create_optimizer(
            model,
            config.optimizer,
            learning_rate=config.learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
        )
        self.average = WeightAverage(model, decay=config.average_decay) if config.average_decay else None
        self.best: State | None = None  # {"loss", "waited", "model"} where patience asks for it
        self.sums = {"loss": 0.0, "correct": 0.0, "rows": 0.0, "steps": 0.0}
        self.spent, self.done = 0.0, False
        torch.manual_seed(config.seed)
        if saved:
            self._restore(saved)
        else:
            self.pace = plan_pace(config, model, batches, self._plain_loss, self.precision, self.device, self.world)
            self.pace.begin_at(self._seconds())  # measuring the pace does not eat the budget
            if run and self.world.leads:  # rows of an attempt that was killed before its first checkpoint
                run.rewrite_metrics(part, [])
        if validate is not None and hasattr(validate, "rewind"):  # it keeps rows of its own
            validate.rewind(len(self.history.rows))
        self.saved_at = time.monotonic()

    def run_to_end(self) -> History:
        """Make the steps that are left."""
        self.progress_bar.start(self.part)
        with StopRequests() as stop:
            while not self.done:
                self._step()
                if self._row_is_due():
                    self._add_row()
                self.done = self.done or self.pace.finished
                if self.done:
                    self._check_weights()
                overdue = time.monotonic() - self.saved_at >= self.config.checkpoint_seconds
                if self.run and (stop.asked or self.done or overdue):
                    self._save()
                if stop.asked:
                    self._stop(stop.asked)
        self._take_result()
        self.history.seconds = self._seconds()
        self.progress_bar.finish(_describe(self.history.rows[-1]))
        return self.history

    def _step(self) -> None:
        pace, config = self.pace, self.config
        rate = config.learning_rate * rate_at(config.schedule, pace.progress, config.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        size = self.batches.size_at(pace.progress)
        inputs, labels = self.batches.batch(pace.step, size, self.world)
        self.model.train()
        self.optimizer.zero_grad()
        loss = float(training_step(self.model, inputs, labels, self._counted_loss, self.precision, self.device))
        if not math.isfinite(loss):
            where = f"{self.part}, step {pace.step}, learning rate {rate:.3g}"
            with self.precision.autocast(self.device):
                raise explain_nonfinite(self.model, self.precision.place(inputs, self.device), where)
        self.world.average_gradients(self.model)
        if config.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        self.optimizer.step()
        self.sums["steps"] += 1
        pace.advance(size)
        if self.average:
            self.average.update(self.model, pace.step, pace.progress)
        if pace.progress - pace.checked_at[1] >= 0.04:
            pace.correct(self._seconds())
        self.progress_bar.update(pace.progress, self._standing())

    def _counted_loss(self, model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
        loss, counts = self.objective(model, inputs, labels)
        self.sums["loss"] += float(counts.get("loss", loss.detach()))
        self.sums["correct"] += float(counts.get("correct", 0))
        self.sums["rows"] += float(counts.get("of", len(labels)))
        return loss

    def _row_is_due(self) -> bool:
        """After every epoch and at the end, and often enough for a curve where epochs are few."""
        last = self.history.rows[-1]["progress"] if self.history.rows else 0.0
        waited = self.pace.progress - last >= 1 / FEWEST_ROWS
        return waited or self.pace.step % self.batches.steps_per_epoch == 0 or self.pace.finished

    def _add_row(self) -> None:
        """Add a row to the history, and stop early where validation asks for it."""
        pace, sums = self.pace, self.sums
        row: dict[str, Any] = {
            "step": pace.step,
            "epoch": pace.step / self.batches.steps_per_epoch,
            "progress": pace.progress,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "train_loss": self.world.mean(sums["loss"] / sums["steps"]),
            "train_accuracy": self.world.mean(sums["correct"] / sums["rows"]),
        }
        if self.validate is not None:
            result_model = self.average.model if self.average else self.model
            found = self.validate(result_model, self.precision, self.device)
            if not math.isfinite(found["loss"]):
                advice = "look for NaN in the validation data, or try a lower learning rate"
                raise ShoalError(f"the validation loss is not finite ({self.part}, step {pace.step}): {advice}")
            row |= {"validation_loss": found["loss"], "validation_accuracy": found["accuracy"]}
            row |= {name: value for name, value in found.items() if name not in ("loss", "accuracy")}
            self._watch(found["loss"])
        row["seconds"] = round(self._seconds(), 3)
        self.history.rows.append(row)
        self.sums = dict.fromkeys(sums, 0.0)
        if self.run and self.world.leads:
            self.run.append_metrics(self.part, row)
        self.progress_bar.update(pace.progress, _describe(row))

    def _watch(self, loss: float) -> None:
        if not self.config.patience:
            return
        if self.best is None or loss < self.best["loss"]:
            source = self.average.model if self.average else self.model
            weights = {name: value.clone() for name, value in source.state_dict().items()}
            self.best = {"loss": loss, "waited": 0, "model": weights}
        else:
            self.best["waited"] += 1
            self.done = self.best["waited"] >= self.config.patience

    def _check_weights(self) -> None:
        """A step can ruin the weights that no later loss would tell of: the last one."""
        for name, parameter in self.model.named_parameters():
            if not bool(torch.isfinite(parameter).all()):
                advice = "try a lower learning rate or clip_norm = 1"
                raise ShoalError(f"the weights {name} are not finite after training ({self.part}): {advice}")

    def _take_result(self) -> None:
        """Leave the weights that the caller wants in the model."""
        if self.best:
            self.model.load_state_dict(self.best["model"])
        elif self.average:
            self.model.load_state_dict(self.average.model.state_dict())
        self.model.eval()

    def _plain_loss(self, model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
        return self.objective(model, inputs, labels)[0]

    def _seconds(self) -> float:
        return self.spent + time.monotonic() - self.began

    def _standing(self) -> str:
        sums = self.sums
        if not sums["steps"]:
            return ""
        return f"loss {sums['loss'] / sums['steps']:.3f}  accuracy {sums['correct'] / sums['rows']:.1%}"

    def _save(self) -> None:
        if not (self.run and self.world.leads):
            return
        state: State = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.model.state_dict() if self.average else None,
            "best": self.best,
            "pace": self.pace.state(),
            "sums": self.sums,
            "rows": self.history.rows,
            "precision": self.precision.name,
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "config": self.config.lasting(),
            "seconds": self._seconds(),
            "done": self.done,
        }
        self.run.save(self.part, self.pace.step, state)
        self.saved_at = time.monotonic()

    def _restore(self, saved: State) -> None:
        mine, theirs = self.config.lasting(), saved["config"]
        if changed := [name for name in mine if mine[name] != theirs.get(name)]:
            name = changed[0]
            raise wrong(
                f"checkpoint of {self.part}",
                expected=f"one of a training with {name} = {mine[name]!r}",
                got=f"{name} = {theirs.get(name)!r}",
                fix="use another run folder or part",
            )
        try:
            self.model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise wrong(f"checkpoint of {self.part}", expected="one of this model", got=reason) from error
        if self.average and saved["average"]:
            self.average.model.load_state_dict(saved["average"])
        self.best, self.sums, self.done = saved["best"], saved["sums"], saved["done"]
        self.pace = Pace.from_state(saved["pace"])
        self.history.rows = saved["rows"]
        self.spent = saved["seconds"]
        torch.set_rng_state(saved["random"])
        if saved["cuda_random"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(saved["cuda_random"], self.device)
        if self.run and self.world.leads:
            self.run.rewrite_metrics(self.part, self.history.rows)
        if not self.done:
            self.progress_bar.say(f"{self.part}: going on from step {self.pace.step} ({self.pace.progress:.0%})")

    def _stop(self, signal_name: str) -> None:
        if self.run:
            raise Interrupted(
                f"stopped by {signal_name} at step {self.pace.step}, saved; run the same command to go on"
            )
        raise Interrupted(f"stopped by {signal_name} at step {self.pace.step}; nothing was saved (no run folder)")


def _describe(row: dict[str, Any]) -> str:
    text = f"loss {row['train_loss']:.3f}  accuracy {row['train_accuracy']:.1%}"
    if "validation_loss" in row:
        text += f"  validation loss {row['validation_loss']:.3f}  accuracy {row['validation_accuracy']:.1%}"
    return text
