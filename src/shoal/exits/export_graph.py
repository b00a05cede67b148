"""A network with exits as one graph that skips what a row no longer needs, at any batch size.

The network is traced once, with a cut behind every exit at which a row can leave: the layers behind a cut get an input
of their own, with a number of rows of its own. What is traced falls apart into stages, each from one exit to the next.
They are put together again as

    answers, going, state = first stage(x)              # logits of all rows, which go on, and with what
    for each further stage:
        if any row goes on:                             # torch.cond, in ONNX an If
            answers[those], going, state = stage(state[those])

so a stage runs on the rows that need it and on no other, and where none does it does not run at all.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram

from shoal.errors import ShoalError, wrong
from shoal.exits.network import EarlyExit, select_rows
from shoal.exits.policies import Policy
from shoal.exits.taps import tapped
from shoal.measure.logits import logits_of
from shoal.measure.modes import in_mode

State = tuple[Tensor, ...]  # of some rows: what the next layer gets and, if anything, the policy's memory


@torch.no_grad()
def skipping_program(net: EarlyExit, policy: Policy, example: Tensor) -> ExportedProgram:
    """Export what `net.predict` does.

    Args:
        net: left as it is.
        policy: for its exits.
        example: a batch of at least two rows, where the network is.

    Returns:
        A program from x [n, ...], n >= 1, to logits [n, classes] in float32 and exit_index [n].

    Raises:
        InputError: if the backbone does not take the example.
    """
    leaving = [index for index in range(len(net.at)) if policy.lets_leave(index)]
    start = policy.start(1, example.device)
    with in_mode(net, training=False):
        states = _states(net, leaving, example, start)
        stages = _trace_stages(_Cut(net, policy, leaving), states)
    whole = _Skipping(stages, [*leaving, len(net.at)], states, start)
    # zeros: the example's rows would be kept in the file
    inputs, sizes = (torch.zeros_like(example),), ({0: Dim("batch", min=1)},)
    return torch.export.export(whole, inputs, dynamic_shapes=sizes, strict=False)


def _states(net: EarlyExit, leaving: Sequence[int], example: Tensor, start: Tensor | None) -> list[State]:
    """What arrives at every stage."""
    arriving = [example]
    try:
        with tapped(net.backbone, [net.at[index] for index in leaving], lambda _, output: arriving.append(output)):
            net.backbone(example)
    except (ShoalError, RuntimeError, IndexError, TypeError) as error:
        got = f"{list(example.shape)}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        raise wrong("example", expected="a batch that the backbone takes", got=got) from error
    # a clone each: of inputs that are one tensor, a trace knows only the last
    return [(rows.clone(), *_memory_of(rows, start)) for rows in arriving]


class _Cut(nn.Module):
    """All stages side by side: the layers behind an exit go on with another input than what that exit saw.

    Args:
        net: the network.
        policy: for its exits.
        leaving: exits at which a row can leave.
    """

    def __init__(self, net: EarlyExit, policy: Policy, leaving: Sequence[int]):
        super().__init__()
        self.backbone, self.heads, self.at = net.backbone, net.heads, net.at
        self.policy, self.leaving = policy, leaving

    def forward(self, states: Sequence[State]) -> list[list[Tensor]]:
        """Of every stage the answers at its end [n, classes], which rows go on [n], and their state."""
        found: list[list[Tensor]] = []
        (hidden, *memory) = states[0]

        def cut(index: int, output: Tensor) -> Tensor | None:
            nonlocal memory
            answers = self.heads[index](output)
            done, remembered = self.policy.decide(answers, index, memory[0] if memory else None)
            memory = [] if remembered is None else [remembered]
            if index not in self.leaving:
                return None
            found.append([answers.float(), ~done, output, *memory])
            (hidden, *memory) = states[len(found)]
            return hidden

        with tapped(self.backbone, self.at, cut):
            last = logits_of(self.backbone(hidden), "backbone")
        return [*found, [last.float()]]


def _trace_stages(cut: _Cut, states: list[State]) -> list[fx.GraphModule]:
    sizes = [tuple({0: Dim(f"rows{stage}", min=1)} for _ in state) for stage, state in enumerate(states)]
    flat = torch.export.export(cut, (states,), dynamic_shapes=(sizes,), strict=False).module(check_guards=False)
    assert isinstance(flat, fx.GraphModule)
    given = flat.graph.find_nodes(op="placeholder")
    (found,) = flat.graph.output_node().args
    assert isinstance(found, Sequence)
    wide = len(states[0])  # tensors of a state; two more come out of a stage
    return [
        _part(flat, given[wide * stage :][:wide], found[(2 + wide) * stage :][: 2 + wide])
        for stage in range(len(states))
    ]


def _part(flat: fx.GraphModule, inputs: Sequence[fx.Node], outputs: Sequence[Any]) -> fx.GraphModule:
    """What leads from some inputs of a graph to some of its outputs, with the weights on the way."""
    needed, waiting = set(inputs), list(outputs)
    while waiting:
        node = waiting.pop()
        if node not in needed:
            needed.add(node)
            waiting += node.all_input_nodes
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in flat.graph.nodes:
        if node in needed:
            copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output(tuple(copies[node] for node in outputs))
    part = fx.GraphModule(flat, graph)
    for module in part.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(_whole(weight), requires_grad=False))
        for name, value in list(module.named_buffers(recurse=False)):
            setattr(module, name, _whole(value))
    return part


def _whole(weight: Tensor) -> Tensor:
    """The weight where it alone fills its memory in order, else a copy that does: torch saves memory, not views."""
    fills = weight.is_contiguous() and weight.untyped_storage().nbytes() == weight.nbytes
    return weight.detach() if fills else weight.detach().clone(memory_format=torch.contiguous_format)


class _Skipping(nn.Module):
    """The stages, one after the other, each on the rows that the exits before have left.

    Args:
        stages: from `_trace_stages`.
        exits: the exit at the end of each.
        states: examples of what arrives at each.
        start: what the policy remembers of a row at first, [1, ...].
    """

    def __init__(
        self, stages: Sequence[fx.GraphModule], exits: Sequence[int], states: Sequence[State], start: Tensor | None
    ):
        super().__init__()
        self.stages, self.exits = nn.ModuleList(stages), exits
        self.start = None if start is None else nn.Buffer(start)
        self.forms = [[(part.shape[1:], part.dtype) for part in state] for state in [*states[1:], ()]]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [n, classes] and exits [n]."""
        logits, *state = self.stages[0](x, *_memory_of(x, self.start))  # then which rows go on, and their state
        exit_index = torch.full_like(logits[:, 0], self.exits[0], dtype=torch.long)
        rows = torch.arange(x.shape[0], device=x.device)  # where the rows of the state belong
        for stage in range(1, len(self.stages)):
            logits, exit_index, rows, *state = self._go_on(stage, logits, exit_index, rows, state)
        return logits, exit_index

    def _go_on(
        self, stage: int, logits: Tensor, exit_index: Tensor, rows: Tensor, state: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Run a stage on the rows that go on, if there are any."""
        module, wide = self.stages[stage], len(state)
        weights = dict([*module.named_parameters(), *module.named_buffers()])

        def run(logits: Tensor, exit_index: Tensor, rows: Tensor, going: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
            chosen = going.nonzero().squeeze(1)  # [k]
            torch._check(chosen.shape[0] >= 1)  # else we were not here; not every operation is defined for no rows
            arriving = tuple(select_rows(part, chosen) for part in rest[: wide - 1])
            own = dict(zip(weights, rest[wide - 1 :], strict=True))
            answers, *after = torch.func.functional_call(module, own, arriving)
            rows = rows.index_select(0, chosen)
            exit_index = exit_index.index_fill(0, rows, self.exits[stage])
            return logits.index_copy(0, rows, answers), exit_index, rows, *after

        def stop(logits: Tensor, exit_index: Tensor, rows: Tensor, going: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
            nothing = [rest[0].new_empty((0, *shape), dtype=dtype) for shape, dtype in self.forms[stage]]
            after = [going.new_empty(0), *nothing] if nothing else []
            return logits.clone(), exit_index.clone(), rows.new_empty(0), *after

        # The operator itself, to which weights are arguments, and not torch.cond, which would first compile both
        # branches. A sum, as ONNX knows no largest of no rows.
        cond: Any = torch.ops.higher_order.cond
        return cond(state[0].sum() > 0, run, stop, (logits, exit_index, rows, *state, *weights.values()))


def _memory_of(rows: Tensor, start: Tensor | None) -> list[Tensor]:
    return [] if start is None else [start.expand(rows.shape[0], *start.shape[1:]).clone()]
