"""Early exits on any network: attach heads to layers by name, and stop computing a row when its answer is good.

    net = EarlyExit(backbone, at=["layer1", "layer2", "layer3"], num_classes=10)
    logits = net(x)                                   # a list, shallow to deep, for training
    result = net.predict(x, Confidence([0.9, 0.9, 0.9]))

The backbone is not changed and not copied: exits listen with forward hooks, and in `predict` the hook hands only
the rows that go on to the layers that follow. Finished rows are not in the batch any more and cost nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shoal.errors import wrong
from shoal.exits.attach import check_bypass, check_names, try_layers
from shoal.exits.content import Watch, fingerprint
from shoal.exits.heads import create_head
from shoal.exits.placing import MOST_EXITS, place_exits
from shoal.exits.policies import Policy
from shoal.exits.probe import guess_example
from shoal.exits.taps import tapped
from shoal.measure import MacCounter
from shoal.measure.logits import logits_of
from shoal.measure.modes import in_mode


@dataclass(frozen=True)
class ExitResult:
    """What `predict` found, a row per example.

    Attributes:
        logits: [n, classes], of the exit that the row took.
        exit_index: [n], 0 for the first exit, the number of exits for the end of the network.
        macs: [n], multiply–accumulates spent on the row, heads included (also of exits at which no row can leave,
            which are not run).
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
            comes after it must depend on it alone. They are sorted into the order in which they run. Or "auto": up to
            six, at even shares of the arithmetic; or a number: up to so many.
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

    def __init__(
        self, backbone: nn.Module, at: Sequence[str] | int, num_classes: int, *, example: Tensor | None = None
    ):
        super().__init__()
        self.backbone = backbone
        self.num_classes = num_classes
        self._frozen: list[nn.Parameter] = []  # parameters that `freeze_backbone` switched off
        self.backbone_is_frozen = False
        if not isinstance(at, int) and at != "auto":
            check_names(backbone, at)
        device, dtype = next(((p.device, p.dtype) for p in backbone.parameters()), (torch.device("cpu"), None))
        example = guess_example(backbone) if example is None else _two_rows(example, device)
        if at == "auto":
            at = MOST_EXITS
        names = place_exits(backbone, example, at) if isinstance(at, int) else at
        outputs = try_layers(backbone, tuple(names), num_classes, example)
        self.at = tuple(outputs)  # in the order in which they run
        heads = [create_head(outputs[name], num_classes, name) for name in self.at]
        self.heads = nn.ModuleList(heads).to(device, dtype)
        check_bypass(backbone, self.at, example)
        self.trained_on = torch.empty(0, dtype=torch.long)  # digests of examples, see `shoal.exits.content`
        self._fingerprint: tuple[Watch, str] | None = None
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

        with tapped(self.backbone, self.at, keep):
            final = logits_of(self.backbone(x), "backbone")
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
            InputError: if the policy is for another number of exits, or was calibrated for another network.
        """
        if not isinstance(policy, Policy):
            raise wrong("policy", expected="a policy such as Confidence([0.9, ...])", got=type(policy).__name__)
        policy.check(len(self.at))
        if policy.certificate is not None and policy.certificate.network not in ("", self.fingerprint()):
            got = f"one for {policy.certificate.network}"
            fix = "calibrate one for this network, or drop the guarantee with policy.with_thresholds(policy.thresholds)"
            raise wrong("policy", expected=f"one calibrated for this network ({self.fingerprint()})", got=got, fix=fix)
        with in_mode(self, training=False):
            alone = len(x) == 1 and not policy.remembers
            return self._predict_alone(x, policy) if alone else self._predict(x, policy)

    def _predict_alone(self, x: Tensor, policy: Policy) -> ExitResult:
        """One row: nothing to select, and every step that is left out is seen on the clock."""
        asked = [index for index in range(len(self.at)) if policy.lets_leave(index)]
        heads = [_quick_call(self.heads[index]) for index in asked]
        found: list[tuple[Tensor, int]] = []

        def leave(place: int, output: Tensor) -> None:
            answer = heads[place](output)  # [1, C]
            if policy.leaves_alone(answer, asked[place]):
                found.append((answer, asked[place]))
                raise _AllDone

        try:
            with tapped(self.backbone, [self.at[index] for index in asked], leave):
                found.append((logits_of(self.backbone(x), "backbone"), len(self.at)))
        except _AllDone:
            pass
        logits, index = found[0]
        macs = self.exit_costs(x)[index : index + 1].to(x.device)
        return ExitResult(logits.float(), torch.tensor([index], device=x.device), macs)

    def _predict(self, x: Tensor, policy: Policy) -> ExitResult:
        rows = torch.arange(len(x), device=x.device)  # the rows that are still in the batch
        memory = policy.start(len(x), x.device)  # what the policy remembers of them
        exit_index = torch.full_like(rows, len(self.at))
        logits = x.new_zeros(len(x), self.num_classes, dtype=torch.float32)
        # without memory, heads at which no row can leave are asked nothing
        asked = [index for index in range(len(self.at)) if memory is not None or policy.lets_leave(index)]
        heads = [_quick_call(self.heads[index]) for index in asked]

        def leave(place: int, output: Tensor) -> Tensor | None:
            nonlocal rows, memory
            index = asked[place]
            answer = heads[place](output)  # [rows, C]
            done, memory = policy.decide(answer, index, memory)  # [rows]
            leaving = int(done.sum())
            if leaving == 0:
                return None
            if leaving == len(rows):
                logits[rows], exit_index[rows] = answer.float(), index
                raise _AllDone
            logits[rows[done]] = answer[done].float()
            exit_index[rows[done]] = index
            going = (~done).nonzero().squeeze(1)
            rows = rows[going]
            memory = None if memory is None else memory[going]
            return select_rows(output, going)

        if len(x):
            try:
                with tapped(self.backbone, [self.at[index] for index in asked], leave):
                    final = logits_of(self.backbone(x), "backbone")
                logits[rows] = final.float()
            except _AllDone:
                pass
        macs = self.exit_costs(x[:1]).to(x.device)[exit_index] if len(x) else torch.zeros_like(exit_index)
        return ExitResult(logits, exit_index, macs)

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
            with in_mode(self, training=False), MacCounter() as counter:

                def count(index: int, output: Tensor) -> None:
                    self.heads[index](output)
                    totals.append(counter.total)

                with tapped(self.backbone, self.at, count):
                    self.backbone(example)
                totals.append(counter.total)
            self._costs[key] = torch.tensor(totals)
        return self._costs[key]

    def fingerprint(self) -> str:
        """What tells this network from others: of its layers and values, 16 hexadecimal digits."""
        if self._fingerprint is None or self._fingerprint[0].changed():
            self._fingerprint = Watch(self), fingerprint(self)
        return self._fingerprint[1]

    def _apply(self, fn: Any, recurse: bool = True) -> "EarlyExit":
        self._fingerprint = None  # parameters may be replaced: another device or dtype
        return super()._apply(fn, recurse)

    def freeze_backbone(self) -> "EarlyExit":
        """Train only the heads from now on: no gradient for the backbone, and its normalisation stays as it is."""
        self._frozen += [parameter for parameter in self.backbone.parameters() if parameter.requires_grad]
        self.backbone.requires_grad_(False)
        self.backbone_is_frozen = True
        return self.train(self.training)

    def unfreeze_backbone(self) -> "EarlyExit":
        """Undo `freeze_backbone`: what it switched off is trained again."""
        for parameter in self._frozen:
            parameter.requires_grad_(True)
        self._frozen, self.backbone_is_frozen = [], False
        return self.train(self.training)

    def train(self, mode: bool = True) -> "EarlyExit":
        """Switch to training mode; a frozen backbone stays in evaluation mode."""
        super().train(mode)
        if self.backbone_is_frozen:
            self.backbone.eval()
        return self


def _quick_call(head: nn.Module) -> Callable[[Tensor], Tensor]:
    """What runs a head: its forward, without the machinery of hooks where it has none."""
    return head if head._forward_hooks or head._forward_pre_hooks else head.forward


def _two_rows(example: Tensor, device: torch.device) -> Tensor:
    """Two rows of the caller's example: with one alone, a row that is dropped could not be missed."""
    if not isinstance(example, Tensor) or not example.ndim or not len(example):
        got = list(example.shape) if isinstance(example, Tensor) else type(example).__name__
        raise wrong("example", expected="a batch of at least one row", got=got)
    return (example[:2] if len(example) > 1 else torch.cat([example, example])).to(device)


def select_rows(output: Tensor, rows: Int[Tensor, "k"]) -> Tensor:
    """Take rows of a batch and keep its memory format, which index_select would lose."""
    taken = output.index_select(0, rows)
    if output.ndim == 4 and output.is_contiguous(memory_format=torch.channels_last):
        return taken.contiguous(memory_format=torch.channels_last)
    return taken
