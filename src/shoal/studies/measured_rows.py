"""Measurements as rows that are made once: a run that was stopped goes on with the first row that is missing.

rows = Rows(run_folder)
row = rows.once("error", {"map": "landmark", "features": 64}, measure)     # {"map": ..., **measure()}

Rows are kept in the run folder's metrics.jsonl, where JSON keeps every bit of a float.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from shoal.engine import RunFolder

Row = dict[str, Any]


class Rows:
    """The rows of one study, in the order in which they were asked for.

    Args:
        run: where they are kept; None keeps them in memory.
    """

    def __init__(self, run: RunFolder | None = None):
        self.run = run
        self._known = {_key(row["part"], row["key"]): row for row in (run.metrics() if run else []) if "key" in row}

    def once(self, part: str, key: Row, measure: Callable[[], Row]) -> Row:
        """The row of a part with this key: as measured before, or measured now.

        Args:
            part: of the study.
            key: what tells the row from others: plain values.
            measure: makes the measured values: plain values, no NaN.
        """
        name = _key(part, key)
        if name not in self._known:
            began = time.perf_counter()
            values = measure()
            row = {"key": key, "values": values, "seconds": time.perf_counter() - began}
            if self.run:
                self.run.append_metrics(part, row)
            self._known[name] = {"part": part, **json.loads(json.dumps(row))}  # as it will be read back
        row = self._known[name]
        return {**row["key"], **row["values"]}

    def seconds(self) -> dict[str, float]:
        """Time that the measurements took, by part; that of earlier, interrupted runs included."""
        found: dict[str, float] = {}
        for row in self._known.values():
            found[row["part"]] = found.get(row["part"], 0.0) + row["seconds"]
        return found


def _key(part: str, key: Row) -> str:
    return json.dumps([part, key], sort_keys=True)
