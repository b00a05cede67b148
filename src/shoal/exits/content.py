"""What a network and an example are, by content: to know a network again, and the examples that it was trained on."""

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor, nn

from shoal.engine import Data, in_order
from shoal.errors import wrong

if TYPE_CHECKING:
    from shoal.exits.network import EarlyExit

FEW = 0.01  # share of known examples that may be left out: real data hold the same image more than once


def fingerprint(net: nn.Module) -> str:
    """SHA-256 of a network's layers, their names, shapes and values as float32; 16 hexadecimal digits.

    Memory format, device and mode do not matter; a network in another precision is another network.
    """
    digest = hashlib.sha256(" ".join(getattr(net, "at", ())).encode())
    for name, value in sorted(net.state_dict().items()):
        if name.endswith("num_batches_tracked"):  # no value of the network in evaluation mode
            continue
        digest.update(f"{name} {list(value.shape)}\n".encode())
        digest.update(value.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


class Watch:
    """Notices when a value of a network was changed; much sooner than by looking at all of them.

    Args:
        net: the network; parameters that take the place of others are noticed only where torch tells of it.
    """

    def __init__(self, net: nn.Module):
        self.tensors = [*net.parameters(), *net.buffers()]
        self.seen = self._now()

    def changed(self) -> bool:
        """Whether something may have changed since then."""
        return self.seen is None or self.seen != self._now()

    def _now(self) -> list[tuple[int, int]] | None:
        try:
            return [(tensor.data_ptr(), tensor._version) for tensor in self.tensors]
        except RuntimeError:  # of tensors made in inference mode torch keeps no count
            return None


def digests(inputs: Shaped[Tensor, "n ..."]) -> Int[Tensor, "n"]:
    """64 bits for every row, equal for equal rows of the same dtype and shape."""
    rows = inputs.detach().cpu().contiguous()
    if not rows.numel():
        return torch.zeros(len(rows), dtype=torch.long)
    kind = f"{rows.dtype} {list(rows.shape[1:])}".encode()
    found = [
        int.from_bytes(hashlib.blake2b(row, digest_size=8, key=kind[:64]).digest(), "little", signed=True)
        for row in rows.reshape(len(rows), -1).view(torch.uint8).numpy()
    ]
    return torch.tensor(found, dtype=torch.long)


def remember(net: "EarlyExit", train: Data, *, batch_size: int = 4096) -> None:
    """Let a network know what it is trained on, beside what it was trained on before.

    Args:
        net: the network.
        train: (inputs [n, ...], labels [n]), or a loader; what a loader changes at random is not recognised later.
        batch_size: rows at a time, of a pair.
    """
    seen = [digests(inputs) for inputs, _ in in_order(train, batch_size=batch_size)]
    net.trained_on = torch.cat([net.trained_on.cpu(), *seen]).unique()  # sorted


class Unseen:
    """Data without the examples that a network was trained on.

    Args:
        net: the network.
        data: (inputs [n, ...], labels [n]), or a loader of such pairs.
        batch_size: rows at a time, of a pair.

    Attributes:
        rows: examples that were left, after a pass.
        left_out: examples that were not.

    Raises:
        InputError: at the end of a pass, if more than a hundredth of the examples is known.
    """

    def __init__(self, net: "EarlyExit", data: Data, *, batch_size: int = 512):
        self.known, self.data, self.batch_size = net.trained_on, data, batch_size
        self.rows = self.left_out = 0

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self.rows = self.left_out = 0
        for inputs, labels in in_order(self.data, batch_size=self.batch_size):
            new = ~self._is_known(inputs)
            self.left_out += int((~new).sum())
            self.rows += int(new.sum())
            if new.all():
                yield inputs, labels
            elif new.any():
                yield inputs[new.to(inputs.device)], labels[new.to(labels.device)]
        self._check()

    def _check(self) -> None:
        every = self.rows + self.left_out
        if self.left_out > FEW * every:
            got = f"{self.left_out:,} of {every:,} that it was trained on"
            fix = "calibrate on examples that were held out"
            raise wrong("data", expected="examples that the network has not seen", got=got, fix=fix)

    def _is_known(self, inputs: Tensor) -> Bool[Tensor, "n"]:
        if not len(self.known):
            return torch.zeros(len(inputs), dtype=torch.bool)
        return torch.isin(digests(inputs), self.known, assume_unique=False)
