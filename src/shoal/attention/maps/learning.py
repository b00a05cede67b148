"""Training of the `learned` map: all heads at once, a batch of query rows of one calibration block a step.

The loss of a row is the squared error of its output, over the mean squared size of outputs, plus the cross entropy
of its attention weights. Rows are drawn by the size of their output, and weighed back. With a window, weights inside it
are exact and in absolute scale, as `windowed_linear_attention` puts them.
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from shoal.attention.maps.calibration import MOST_BLOCKS, centres, draw, energies, in_blocks, pick
from shoal.errors import wrong

if TYPE_CHECKING:
    from shoal.attention.maps.learned import Learned

ROWS = 128  # a step
RATE = 0.02
BETAS = (0.9, 0.95)
WARM_UP = 20  # steps
CENTRE_TOKENS = 4096
SHARPNESS = {False: 2.0, True: 1.0}  # of the first cells, without and with a window
TINY = 1e-30
ROOM = 60.0  # a query's features may exceed its largest exact weight by exp(60) while it learns


def learn(
    phi: "Learned",
    q: Tensor,
    k: Tensor,
    v: Tensor | None,
    scale: float,
    *,
    window: int | None,
    is_causal: bool,
    steps: int,
) -> None:
    """Set the parameters of `phi` from a calibration batch; arguments as in `FeatureMap.fit`.

    Raises:
        InputError: if steps or window are out of range.
    """
    for name, value, least in (("steps", steps, 0), ("window", 1 if window is None else window, 1)):
        if not isinstance(value, int) or value < least:
            raise wrong(name, expected=f"a whole number >= {least}", got=value)
    with torch.no_grad():
        batch = Batch(phi, q, k, v, scale, window, is_causal)
        _start(phi, batch, sharpness=SHARPNESS[window is not None])
    generator = torch.Generator().manual_seed(phi.seed)
    parameters = list(phi.parameters())
    optimizer = torch.optim.Adam(parameters, lr=RATE, betas=BETAS, eps=1e-12, foreach=True)
    order: list[int] = []
    with torch.enable_grad():
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))
            order = order or torch.randperm(batch.blocks, generator=generator).tolist()
            loss = batch.loss(phi, order.pop(), generator)
            gradients = torch.autograd.grad(loss, parameters)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient.nan_to_num(0.0, 0.0, 0.0)  # a head without a finite loss stays as it is
            optimizer.step()
    for parameter in parameters:
        parameter.grad = None


def _start(phi: "Learned", batch: "Batch", sharpness: float) -> None:
    """Cells around k-means centres of the keys; the part that is not linear starts silent."""
    heads, features = batch.x.shape[0], phi.num_features
    _, by_column = energies(batch.x, batch.y, batch.offset)
    keys = pick(batch.y, draw(by_column, CENTRE_TOKENS, energy_share=0.5, seed=phi.seed))
    points = centres(keys, features, seed=phi.seed)  # (H, R, D)
    generator = torch.Generator().manual_seed(phi.seed)
    values = {name: p.new_zeros(heads, *p.shape[1:]) for name, p in phi.named_parameters()}
    for name in ("query_in", "key_in"):
        values[name] = torch.randn(values[name].shape, generator=generator) / phi.dim**0.5
    values["query_weight"] = points.mT
    values["key_weight"] = sharpness * points.mT
    values["key_bias"] = -0.5 * sharpness * points.square().sum(-1)[:, None]
    for name, value in values.items():
        setattr(phi, name, nn.Parameter(value.to(batch.x.device).contiguous()))


class Batch:
    """Calibration blocks in the map's coordinates, (H, blocks, n, ·), and how large the outputs of their rows are."""

    def __init__(
        self, phi: "Learned", q: Tensor, k: Tensor, v: Tensor | None, scale: float, window: int | None, is_causal: bool
    ):
        x, _ = phi._coordinates(q.float(), "query", scale)
        y, offset = phi._coordinates(k.float(), "key", scale)
        generator = torch.Generator().manual_seed(phi.seed + 1)
        v = torch.randn(y.shape, generator=generator).to(y.device) if v is None else v.float()
        offset = y.new_zeros(*y.shape[:3], 1) if offset is None else offset
        found = in_blocks(x, phi.groups, y, v, offset)
        self.x, self.y, self.v, self.offset = (blocks[:, :MOST_BLOCKS] for blocks in found)
        self.blocks, self.length = self.x.shape[1:3]
        if (window is not None or is_causal) and self.length != self.y.shape[2]:
            raise wrong("calibration batch", expected="as many queries as keys", got=f"{q.shape[2]} and {k.shape[2]}")
        self.window, self.is_causal = window, is_causal
        self.product = product_dtype(self.x.device)
        sizes = torch.stack([self.exact(block, None)[1].square().sum(-1) for block in range(self.blocks)], 1)
        self.mean_size = sizes.mean((1, 2)).clamp_min(TINY)  # (H,)
        self.drawn = 0.5 / self.length + 0.5 * sizes / sizes.sum(-1, keepdim=True).clamp_min(TINY)  # (H, blocks, n)

    def exact(self, block: int, rows: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Exact attention of rows (H, r) of a block, or of all of them.

        Returns:
            Weights P (H, r, n); outputs (H, r, m); weights over their row's largest (H, r, n); its logit (H, r, 1).
        """
        x = self.x[:, block] if rows is None else _rows(self.x[:, block], rows)
        logits = x @ self.y[:, block].mT + self.offset[:, block].mT  # (H, r, n)
        if self.is_causal:
            logits = logits.masked_fill(~self._seen(rows), -torch.inf)
        top = logits.amax(-1, keepdim=True)
        weights = (logits - top).exp()
        p = weights / weights.sum(-1, keepdim=True)
        return p, p @ self.v[:, block], weights, top

    def loss(self, phi: "Learned", block: int, generator: torch.Generator) -> Tensor:
        """The sum of the heads' losses on rows that are drawn from a block."""
        with torch.no_grad():
            chances = self.drawn[:, block].cpu()
            rows = torch.multinomial(chances, min(ROWS, self.length), replacement=True, generator=generator)
            weighed_back = 1 / (chances.gather(1, rows) * self.length).to(self.x.device)  # (H, r)
            rows = rows.to(self.x.device)
            p, out, exact, top = self.exact(block, rows)
        phi_q = phi.features(_rows(self.x[:, block], rows), "query", 1.0)
        phi_k = phi.features(self.y[:, block], "key", 1.0)
        assert phi_q.log is not None
        assert phi_k.log is not None
        assert phi_k.row is not None
        log_k = phi_k.log + phi_k.row + self.offset[:, block]
        most = log_k.detach().amax((1, 2), keepdim=True)
        left, right = (phi_q.log + (most - top)).clamp_max(ROOM).exp(), (log_k - most).exp()
        kernel = (left.to(self.product) @ right.to(self.product).mT).float()
        kernel = self._as_used(kernel, exact, rows)
        found = kernel / (kernel.sum(-1, keepdim=True) + TINY)
        error = (found @ self.v[:, block] - out).square().sum(-1)  # (H, r)
        entropy = -(p * (found + 1e-12).log()).sum(-1).mean()
        return ((weighed_back * error).mean(-1) / self.mean_size).sum() + entropy * len(p)

    def _as_used(self, kernel: Tensor, exact: Tensor, rows: Tensor) -> Tensor:
        """The kernel as attention will use it: exact within the window, nothing in the future."""
        if self.window is not None:
            away = (rows[..., None] - torch.arange(self.y.shape[2], device=rows.device)).abs()  # (H, r, n)
            kernel = torch.where(away < self.window, exact, kernel)
        return kernel.masked_fill(~self._seen(rows), 0.0) if self.is_causal else kernel

    def _seen(self, rows: Tensor | None) -> Tensor:
        at = torch.arange(self.y.shape[2], device=self.x.device)
        return at <= (at[None, :, None] if rows is None else rows[..., None])


def product_dtype(device: torch.device) -> torch.dtype:
    """What the kernel's largest product is made in: bfloat16, which takes less time for the same error in the end.

    A processor that has to emulate it takes thirty times as long; there, float32.
    """
    if device.type != "cpu":
        return torch.bfloat16
    return torch.bfloat16 if torch.cpu.get_capabilities().get("avx512_bf16", False) else torch.float32


def _rows(block: Tensor, rows: Tensor) -> Tensor:
    """Rows (H, r) of a block (H, n, D)."""
    return block.gather(1, rows[..., None].expand(-1, -1, block.shape[-1]))
