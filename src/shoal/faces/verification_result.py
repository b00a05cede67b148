"""What a verification measured, for people, tables and notebooks."""

from dataclasses import dataclass
from html import escape

from shoal.errors import wrong
from shoal.faces.roc import Roc


@dataclass(frozen=True)
class ValAtFar:
    """Validation rate at a false-accept rate.

    Attributes:
        far: the rate that was asked for.
        val: share of matched pairs that are accepted, mean over the parts.
        standard_error: of `val`.
        far_measured: share of mismatched pairs that were accepted, mean over the parts.
        far_standard_error: of `far_measured`.
        thresholds: of each part, chosen on the others.
        resolved: whether the other parts' mismatched pairs are enough for even one to be accepted at this rate;
            if not, the thresholds accept none of them, and the rate asked for was not reached.
    """

    far: float
    val: float
    standard_error: float
    far_measured: float
    far_standard_error: float
    thresholds: tuple[float, ...]
    resolved: bool

    def __str__(self) -> str:
        text = f"VAL {100 * self.val:.1f} ± {100 * self.standard_error:.1f} % at FAR {self.far:g}"
        return text if self.resolved else f"{text} (too few mismatched pairs to measure so small a rate)"


@dataclass(frozen=True, eq=False)
class Verification:
    """What `verification` measured.

    Attributes:
        accuracy: mean over the parts, in [0, 1].
        standard_error: of the accuracy.
        fold_accuracy: of each part.
        thresholds: of each part, chosen on the others; squared Euclidean distances.
        val: VAL at each false-accept rate that was asked for.
        roc: all thresholds, over all pairs.
        matched: pairs of one person.
        mismatched: pairs of two.
    """

    accuracy: float
    standard_error: float
    fold_accuracy: tuple[float, ...]
    thresholds: tuple[float, ...]
    val: tuple[ValAtFar, ...]
    roc: Roc
    matched: int
    mismatched: int

    @property
    def auc(self) -> float:
        """Area under the ROC."""
        return self.roc.auc

    def at(self, far: float) -> ValAtFar:
        """VAL at one of the rates that were asked for.

        Raises:
            InputError: if it was not.
        """
        found = next((row for row in self.val if row.far == far), None)
        if found is None:
            raise wrong("far", expected=f"one of {', '.join(f'{row.far:g}' for row in self.val)}", got=far)
        return found

    def __str__(self) -> str:
        accuracy = f"{100 * self.accuracy:.2f} ± {100 * self.standard_error:.2f} %"
        parts = (f"accuracy {accuracy} over {len(self.fold_accuracy)} folds", f"AUC {self.auc:.4f}")
        return "; ".join((*parts, *map(str, self.val)))

    def _repr_html_(self) -> str:
        rows = [
            ("pairs", f"{self.matched:,} matched, {self.mismatched:,} mismatched"),
            ("accuracy", f"{100 * self.accuracy:.2f} ± {100 * self.standard_error:.2f} %"),
            ("threshold", f"{min(self.thresholds):.3f} to {max(self.thresholds):.3f} (squared distance)"),
            ("area under the ROC", f"{self.auc:.4f}"),
            *((f"FAR {row.far:g}", str(row)) for row in self.val),
        ]
        cells = "".join(f"<tr><td>{escape(title)}</td><td>{escape(text)}</td></tr>" for title, text in rows)
        return f"<table>{cells}</table>"
