"""The baseline for comparing two generations of embeddings: one linear map from the new space into the old.

    translation = fit_translation(new, old)         # rows of both are the same images
    distances = (translation(query) - gallery).square().sum(1)

Nothing is trained again, and no image is needed beside those that were embedded twice. Harmonic training
(`shoal.faces.harmonic`) has to do better than this to be worth its time.

Source of the shortcut that leaves every row out at once: Allen 1974, "The relationship between variable
    selection and data augmentation and a method for prediction", Technometrics 16.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from shoal.errors import ShoalError, wrong
from shoal.files import atomic_file

KIND = "shoal translation of embeddings"
STEPS = 25  # ridges that are tried, evenly spaced in their logarithm,
TRIED = (-8, 1)  # between these powers of ten, as shares of the mean variance of the new embeddings
LOOKED_AT = 20_000  # rows that a ridge is judged by; all of them are fitted


@dataclass(frozen=True, eq=False, kw_only=True)
class Translation:
    """A linear map from new embeddings to old ones, scaled to unit length afterwards.

    Attributes:
        weight: float32.
        bias: float32.
        ridge: the penalty, as `fit_translation` takes it.
        error: mean squared distance, in [0, 4], between a row's old embedding and its translation by a map that was
            fitted without that row; NaN where rows are too few to leave one out, which a ridge above 0 prevents.
        rows: that it was fitted on.
    """

    weight: Float[Tensor, "old_dim new_dim"]
    bias: Float[Tensor, "old_dim"]
    ridge: float
    error: float
    rows: int

    def __call__(self, new: Float[Tensor, "n new_dim"]) -> Float[Tensor, "n old_dim"]:
        """Translate embeddings.

        Args:
            new: on any device, in any float dtype.

        Returns:
            Rows of unit length, float32; a row that is translated to nothing stays zero.
        """
        if new.ndim != 2 or new.shape[1] != self.weight.shape[1]:
            raise wrong("embeddings", expected=f"[n, {self.weight.shape[1]}]", got=list(new.shape))
        weight, bias = self.weight.to(new.device), self.bias.to(new.device)
        return F.normalize(F.linear(new.float(), weight, bias))

    def save(self, path: str | Path) -> Path:
        """Write a .safetensors file.

        Raises:
            ShoalError: if it cannot be written.
        """
        path = Path(path)
        numbers = {"ridge": repr(self.ridge), "error": repr(self.error), "rows": str(self.rows)}
        tensors = {"weight": self.weight.contiguous(), "bias": self.bias.contiguous()}
        with atomic_file(path) as file:
            file.write(to_bytes(tensors, metadata={"kind": KIND, **numbers}))
        return path

    @staticmethod
    def load(path: str | Path) -> "Translation":
        """Read what `save` wrote, onto the CPU.

        Raises:
            InputError: if there is no such file.
            ShoalError: if it is something else, or damaged.
        """
        path = Path(path)
        if not path.is_file():
            raise wrong(str(path), expected="a translation that was saved", got="no such file")
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata() or {}
                if about.get("kind") != KIND:
                    raise ValueError(f"a file of another kind ({about.get('kind', 'not said')})")
                return Translation(
                    weight=file.get_tensor("weight"),
                    bias=file.get_tensor("bias"),
                    ridge=float(about["ridge"]),
                    error=float(about["error"]),
                    rows=int(about["rows"]),
                )
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            raise ShoalError(f"{path}: expected a saved translation, got: {error}; fit it again") from None


def fit_translation(
    new: Float[Tensor, "n new_dim"], old: Float[Tensor, "m old_dim"], *, ridge: float | None = None
) -> Translation:
    """Fit the map by ridge regression: least mean squared error + ridge · ‖weight‖², the bias free.

    Unless given, the ridge is the one whose maps, fitted without a row, bring that row closest to its old
    embedding; all rows are left out in turn, by a formula that costs one fit.

    Args:
        new: embeddings of the new network, of unit length; at least two rows.
        old: embeddings of the same images by the old one; its dimension may be another.
        ridge: >= 0, added to the variances of the new embeddings, which for unit vectors sum to at most 1.

    Returns:
        The map; solved in float64.

    Raises:
        InputError: if the lengths differ, there are fewer than two rows, something is not finite, or the ridge is
            negative.

    Example:
        >>> old = F.normalize(torch.randn(100, 8, generator=torch.Generator().manual_seed(0)))
        >>> turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1)))[0]
        >>> translation = fit_translation(old @ turn, old)
        >>> bool((translation(old @ turn) - old).abs().max() < 1e-4)
        True
    """
    _check(new, old, ridge)
    problem = _Problem(new.detach().cpu().double(), old.detach().cpu().double())
    chosen = _best_ridge(problem) if ridge is None else float(ridge)
    weight, bias = problem.solution(chosen)
    error = problem.left_out_error(chosen)
    return Translation(weight=weight.float(), bias=bias.float(), ridge=chosen, error=error, rows=len(new))


def _best_ridge(problem: "_Problem") -> float:
    scale = float(problem.variances.sum()) / problem.mean_x.numel()
    tried = scale * torch.logspace(*TRIED, STEPS, dtype=torch.float64)
    return min(tried.tolist(), key=problem.left_out_error)


class _Problem:
    """Ridge regression in the basis in which the new embeddings are uncorrelated."""

    def __init__(self, x: Float64[Tensor, "n new_dim"], y: Float64[Tensor, "n old_dim"]):
        self.n, self.mean_x, self.mean_y, self.old = len(x), x.mean(0), y.mean(0), y
        x, y = x - self.mean_x, y - self.mean_y
        if self.n < x.shape[1]:  # fewer rows than numbers: there are as many directions as rows
            _, lengths, turn = torch.linalg.svd(x, full_matrices=False)
            variances, self.basis = lengths.square() / self.n, turn.T  # (k,), (new_dim, k)
        else:
            variances, self.basis = torch.linalg.eigh(x.T @ x / self.n)
        # what rounding leaves of a direction without variance must not be divided by
        floor = float(variances.max().clamp_min(0)) * len(variances) * torch.finfo(torch.float64).eps
        self.variances = torch.where(variances > floor, variances, 0.0)
        self.target = self.basis.T @ (x.T @ y) / self.n  # (k, old_dim)
        every = -(-self.n // LOOKED_AT)
        self.looked_at = slice(None, None, every)
        self.turned = x[self.looked_at] @ self.basis  # (rows, k)

    def coefficients(self, ridge: float) -> Float64[Tensor, "k old_dim"]:
        return self._inverse(ridge)[:, None] * self.target

    def solution(self, ridge: float) -> tuple[Float64[Tensor, "old_dim new_dim"], Float64[Tensor, "old_dim"]]:
        weight = (self.basis @ self.coefficients(ridge)).T
        return weight, self.mean_y - weight @ self.mean_x

    def left_out_error(self, ridge: float) -> float:
        """Mean squared distance of unit vectors between the old rows and what is said of them without them."""
        old = self.old[self.looked_at]
        residual = old - self.mean_y - self.turned @ self.coefficients(ridge)  # (rows, old_dim)
        leverage = 1 / self.n + self.turned.square() @ self._inverse(ridge) / self.n  # (rows,), in (0, 1]
        if float(leverage.max()) > 1 - 1e-12:
            return math.nan
        said = F.normalize(old - residual / (1 - leverage)[:, None])
        return float((F.normalize(old) - said).square().sum(1).mean())

    def _inverse(self, ridge: float) -> Float64[Tensor, "k"]:
        total = self.variances + ridge
        return torch.where((total > 0) & (self.variances > 0), 1 / total, 0.0)


def _check(new: Tensor, old: Tensor, ridge: float | None) -> None:
    if len(new) != len(old):
        raise wrong("embeddings", expected="new and old ones of the same images", got=f"{len(new)} and {len(old)} rows")
    if len(new) < 2:
        raise wrong("embeddings", expected="at least 2 rows", got=len(new))
    for name, rows in (("new", new), ("old", old)):
        if not bool(torch.isfinite(rows).all()):
            raise wrong(f"{name} embeddings", expected="finite numbers", got="NaN or infinity")
    if ridge is not None and not 0 <= ridge < math.inf:
        raise wrong("ridge", expected="a number >= 0", got=ridge)
