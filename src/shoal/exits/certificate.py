"""What is guaranteed of a policy, in numbers that anyone can check again."""

from dataclasses import dataclass

from shoal.errors import wrong
from shoal.exits.guarantee import p_value


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Why a policy may be trusted.

    With probability `confidence` over the examples that were drawn, it loses at most `max_accuracy_drop` against the
    whole network, on data like these.

    Attributes:
        max_accuracy_drop: as a share, 0.01 for one point.
        confidence: in (0, 1).
        rows: examples of the test, on which nothing was chosen.
        losses: of these, right with the whole network and wrong with the policy.
        gains: the other way round.
        p_value: of the test that the policy was accepted by, see `shoal.exits.guarantee`.
        chosen_on: other examples, with which policies were put into the order of the test.
        left_out: examples that the network was trained on, and that took no part.
        tested: policies that were tested, the first that failed included.
        never_leaves: whether nothing but the whole network passed.
        network: fingerprint of the network that it holds for.
    """

    max_accuracy_drop: float
    confidence: float
    rows: int
    losses: int
    gains: int
    p_value: float
    chosen_on: int
    left_out: int
    tested: int
    never_leaves: bool
    network: str

    def __str__(self) -> str:
        points = f"{100 * self.max_accuracy_drop:g}"
        unit = "point" if points == "1" else "points"
        promise = f"at most {points} {unit} lost with {100 * self.confidence:g} % confidence"
        if self.never_leaves:
            return f"{promise}: by never leaving early; no bolder policy passed the test on {self.rows:,} examples"
        return (
            f"{promise}: of {self.rows:,} examples {self.losses} were lost and {self.gains} won "
            f"(p = {self.p_value:.2g}, {self.tested} policies tested)"
        )

    def check(self) -> None:
        """Test again from the counts.

        Raises:
            InputError: if they do not support what is promised.
        """
        if self.never_leaves:
            return
        found = p_value(self.rows, self.losses, self.gains, self.max_accuracy_drop)
        if found > 1 - self.confidence:
            raise wrong("certificate", expected=f"counts with p <= {1 - self.confidence:.3g}", got=f"p = {found:.3g}")
