"""Early exits on any network: attach heads to layers by name, and stop computing a row when its answer is good.

    net = EarlyExit(backbone, at=["layer1", "layer2", "layer3"], num_classes=10)
    logits = net(x)                                   # a list, shallow to deep, for training
    result = net.predict(x, Confidence([0.9, 0.9, 0.9]))

The backbone is not changed and not copied: exits listen with forward hooks, and in `predict` the hook hands only
the rows that go on to the layers that follow. Finished rows are not in the batch any more and cost nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shoal.errors import InputError, unknown_name, wrong
from shoal.exits.heads import create_head
from shoal.exits.policies import Policy
from shoal.exits.probe import guess_example, logits_of
from shoal.measure import MacCounter

Tap = Callable[[int, Tensor], Tensor | None]  # (exit index, layer's output) -> what the next layer gets, or None


@dataclass(frozen=True)
class ExitResult:
    """What `predict` found, a row per example.

    Attributes:
        logits: [n, classes], of the exit that the row took.
        exit_index: [n], 0 for the first exit, the number of exits for the end of the network.
        macs: [n], multiply–accumulates spent on the row, heads included.
    """

    logits: Float[Tensor, "n classes"]
    exit_index: Int[Tensor, "n"]
    macs: Int[Tensor, "n"]

    @property
    def labels(self) -> Int[Tensor, "n"]:
        """The predicted classes."""
        return self.logits.argmax(1)


class _AllDone(Exception):  # noqa: N818 - leaves a forward pass that nobody waits for any more
    pass


class EarlyExit(nn.Module):
    """A backbone with exits.

    Args:
        backbone: any module whose forward takes one batch and returns logits [b, classes] (or a tuple that begins
            with them, or an object with `.logits`).
        at: names of layers, as in `backbone.named_modules()`; each must run once per forward pass, and whatever
            comes after it must depend on it alone. They are sorted into the order in which they run.
        num_classes: classes of the backbone's logits.
        example: a batch [b, ...] to find the layers' shapes with; guessed from the first layer unless given.

    Raises:
        InputError: if a layer is unknown, does not run exactly once, has an output that no head fits, or is
            bypassed by a connection; if the backbone gives another number of classes.

    Example:
        >>> from shoal.nets import create_model
        >>> net = EarlyExit(create_model("cifar_resnet18", width=8), at=["layer2", "layer1"], num_classes=10)
        >>> net.at
        ('layer1', 'layer2')
        >>> [tuple(logits.shape) for logits in net(torch.zeros(4, 3, 32, 32))]
        [(4, 10), (4, 10), (4, 10)]

    Source: Teerapittayanon et al. 2016, "BranchyNet" (arXiv 1709.01686).
    """

    def __init__(self, backbone: nn.Module, at: Sequence[str], num_classes: int, *, example: Tensor | None = None):
        super().__init__()
        self.backbone = backbone
        self.num_classes = num_classes
        self.backbone_is_frozen = False
        self.at = _check_names(backbone, at)
        example = guess_example(backbone) if example is None else example[:2]
        self.at, outputs = self._try(example)
        device = next((p.device for p in backbone.parameters()), torch.device("cpu"))
        heads = [create_head(outputs[name], num_classes, name) for name in self.at]
        self.heads = nn.ModuleList(heads).to(device)
        self._check_bypass(example)
        self._costs: dict[tuple[int, ...], Int[Tensor, "exits"]] = {}

    def forward(self, x: Tensor) -> list[Tensor]:
        """Logits of every exit and of the end, shallow to deep.

        Args:
            x: a batch, as the backbone takes it.

        Returns:
            One tensor [b, classes] per exit, then the backbone's own, which is bit-equal to the bare backbone's.
        """
        found: dict[int, Tensor] = {}

        def keep(index: int, output: Tensor) -> None:
            found[index] = self.heads[index](output)

        with self._tapped(keep):
            final = logits_of(self.backbone(x))
        return [*(found[index] for index in range(len(self.at))), final]

    @torch.no_grad()
    def predict(self, x: Tensor, policy: Policy) -> ExitResult:
        """Answer every row at the first exit that satisfies the policy; the row is computed no further.

        Args:
            x: a batch [n, ...]; n may be 0.
            policy: one threshold per exit.

        Returns:
            Logits, exit and MACs of every row, in the order of x. The network is run in evaluation mode.

        Raises:
            InputError: if the policy is for another number of exits.
        """
        policy.check(len(self.at))
        was_training = self.training
        if was_training:
            self.eval()
        try:
            return self._predict(x, policy)
        finally:
            if was_training:
                self.train()

    def _predict(self, x: Tensor, policy: Policy) -> ExitResult:
        rows = torch.arange(len(x), device=x.device)  # the rows that are still in the batch
        exit_index = torch.full_like(rows, len(self.at))
        logits = x.new_zeros(len(x), self.num_classes, dtype=torch.float32)

        def leave(index: int, output: Tensor) -> Tensor | None:
            nonlocal rows
            answer = self.heads[index](output)  # [rows, C]
            done = policy.leaves(answer, index)  # [rows]
            if not done.any():
                return None
            logits[rows[done]] = answer[done].float()
            exit_index[rows[done]] = index
            going = (~done).nonzero().squeeze(1)
            rows = rows[going]
            if not len(rows):
                raise _AllDone
            return select_rows(output, going)

        if len(x):
            try:
                with self._tapped(leave):
                    final = logits_of(self.backbone(x))
                logits[rows] = final.float()
            except _AllDone:
                pass
        costs = self.exit_costs(x[:1]).to(x.device) if len(x) else torch.zeros(len(self.at) + 1, dtype=torch.long)
        return ExitResult(logits, exit_index, costs[exit_index])

    @torch.no_grad()
    def exit_costs(self, example: Tensor) -> Int[Tensor, "exits"]:
        """MACs of one row that leaves at each exit, and of one that runs to the end; heads on the way included.

        Args:
            example: one row [1, ...]; costs are remembered by its shape. A backbone whose path depends on the
                data is counted for the path of this row.

        Returns:
            [exits + 1], rising.
        """
        key = tuple(example.shape)
        if key not in self._costs:
            totals: list[int] = []
            with self._evaluating(), MacCounter() as counter:

                def count(index: int, output: Tensor) -> None:
                    self.heads[index](output)
                    totals.append(counter.total)

                with self._tapped(count):
                    self.backbone(example)
                totals.append(counter.total)
            self._costs[key] = torch.tensor(totals)
        return self._costs[key]

    def freeze_backbone(self) -> "EarlyExit":
        """Train only the heads from now on: no gradient for the backbone, and its normalisation stays as it is."""
        self.backbone.requires_grad_(False)
        self.backbone_is_frozen = True
        return self.train(self.training)

    def train(self, mode: bool = True) -> "EarlyExit":
        """Switch to training mode; a frozen backbone stays in evaluation mode."""
        super().train(mode)
        if self.backbone_is_frozen:
            self.backbone.eval()
        return self

    @contextmanager
    def _tapped(self, tap: Tap) -> Iterator[None]:
        """Call `tap` with the output of every exit's layer while open."""

        def listen(index: int) -> Callable[[nn.Module, Any, Any], Any]:
            def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
                if isinstance(output, tuple):  # a layer that returns (features, something): the features count
                    changed = tap(index, output[0])
                    return None if changed is None else (changed, *output[1:])
                return tap(index, output)

            return hook

        handles = [
            self.backbone.get_submodule(name).register_forward_hook(listen(index)) for index, name in enumerate(self.at)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        was_training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(was_training)

    @torch.no_grad()
    def _try(self, example: Tensor) -> tuple[tuple[str, ...], dict[str, Tensor]]:
        """Run the backbone once: the order in which the layers run, and their outputs."""
        outputs: dict[str, Tensor] = {}

        def note(index: int, output: Tensor) -> None:
            name = self.at[index]
            if name in outputs:
                raise wrong(f"exit at {name}", expected="a layer that runs once", got="it runs more than once")
            if not isinstance(output, Tensor):
                raise wrong(f"exit at {name}", expected="a layer that returns a tensor", got=type(output).__name__)
            outputs[name] = output

        with _mode(self.backbone, training=False), self._tapped(note):
            final = logits_of(self.backbone(example))
        for name in self.at:
            if name not in outputs:
                raise wrong(f"exit at {name}", expected="a layer that always runs", got="it did not run")
        if final.ndim != 2 or final.shape[1] != self.num_classes:
            raise wrong("backbone", expected=f"logits [batch, {self.num_classes}]", got=list(final.shape))
        return tuple(outputs), outputs

    @torch.no_grad()
    def _check_bypass(self, example: Tensor) -> None:
        """Refuse layers that something bypasses: dropping rows there would not drop them elsewhere."""
        with _mode(self.backbone, training=False):
            full = logits_of(self.backbone(example))
            for index, name in enumerate(self.at):

                def drop(at: int, output: Tensor, index: int = index) -> Tensor | None:
                    return output[:1] if at == index else None

                try:
                    with self._tapped(drop):
                        found = logits_of(self.backbone(example))
                    agrees = found.shape == full[:1].shape and torch.allclose(found, full[:1], rtol=1e-2, atol=1e-3)
                except (RuntimeError, ValueError, IndexError):
                    agrees = False
                if not agrees:
                    raise InputError(
                        f"exit at {name}: expected a layer that everything after it depends on alone, got one that a "
                        "connection bypasses; choose the block that holds it"
                    )


def select_rows(output: Tensor, rows: Int[Tensor, "k"]) -> Tensor:
    """Take rows of a batch and keep its memory format, which index_select would lose."""
    taken = output.index_select(0, rows)
    if output.ndim == 4 and output.is_contiguous(memory_format=torch.channels_last):
        return taken.contiguous(memory_format=torch.channels_last)
    return taken


def _check_names(backbone: nn.Module, at: Sequence[str]) -> tuple[str, ...]:
    names = dict(backbone.named_modules())
    if isinstance(at, str) or not at:
        raise wrong("at", expected="a list of at least one layer name", got=repr(at))
    for name in at:
        if name not in names or not name:
            raise unknown_name("layer", name, [n for n in names if n])
    if len(set(at)) != len(at):
        raise wrong("at", expected="each layer once", got=list(at))
    return tuple(at)


@contextmanager
def _mode(module: nn.Module, *, training: bool) -> Iterator[None]:
    """Put a module into a mode, and every part of it back into its own."""
    before = {part: part.training for part in module.modules()}
    module.train(training)
    try:
        yield
    finally:
        for part, was in before.items():
            part.training = was
