"""What a run of the circuits study keeps for later: learned heads that were proved, read without running anything.

load_kept_circuits("runs/circuits")["same & not_self"]        # heads that are right on every input
"""

import json
from pathlib import Path
from typing import Any

from shoal.circuits import Head
from shoal.errors import ShoalError
from shoal.studies.circuits import ON_THE_PAGE
from shoal.studies.circuits_heads import from_rows
from shoal.studies.circuits_measurements import LEARN, PROVE
from shoal.studies.circuits_tasks import short_tasks


def load_kept_circuits(folder: str | Path, most: int = ON_THE_PAGE) -> dict[str, list[Head]]:
    """Learned heads of a run, by the rule as it is written after parsing; all see up to 4 tokens of A, B and C.

    The folder is not locked: lines are read as they stand.

    Args:
        folder: of a run.
        most: heads of each rule; the first that hold on every input.

    Raises:
        ShoalError: if its metrics.jsonl is missing or of another form.
    """
    file = Path(folder) / "metrics.jsonl"
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        values = {(row["part"], json.dumps(row.get("key"))): row.get("values") for row in rows}
        return {str(task.parsed): _good(values, task.name, task.by_hand(), most) for task in short_tasks()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ShoalError(f"{file}: expected rows of the circuits study, got: {error}; make a new run") from None


def _good(values: dict[tuple[str, str], Any], task: str, hand: Head, most: int) -> list[Head]:
    key = json.dumps({"task": task})
    learned, proofs = values.get((LEARN, key)), values.get((PROVE, key))
    if not learned or not proofs:
        return []
    heads = from_rows(learned["weights"], hand.layout)
    return [head for head, proof in zip(heads, proofs["heads"], strict=True) if proof["holds"]][:most]
