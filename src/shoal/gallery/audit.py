"""An append-only log of who did what when, each line sealed by a hash over itself and the line before.

    hash_n = SHA-256(canonical JSON of [seq, time, who, what, detail, hash_{n−1}])

A line that is changed, removed or moved breaks the chain at that place. Cutting lines off the end does not break it:
write `AuditLog.head` down elsewhere, and give it to `read_log` later. The log holds numbers of people and faces, never
names, photos or vectors, so that forgetting somebody leaves it whole.

Source: Schneier & Kelsey 1999, "Secure audit logs to support computer forensics", ACM TISSEC 2(2), section 3.
"""

import hashlib
import json
from typing import Any

from shoal.gallery.database import Rows, now, one, plain
from shoal.gallery.values import AuditLog, Entry

FIRST = "0" * 64


def write_entry(rows: Rows, who: str, what: str, **detail: Any) -> None:
    """Add a line, in the transaction of what it tells of.

    Args:
        rows: of that transaction.
        who: whoever did it.
        what: they did.
        detail: numbers, and nothing that tells of a face.
    """
    last = one(rows, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
    seq, previous = (int(last[0]) + 1, str(last[1])) if last else (1, FIRST)
    line = (seq, now(), who, what, plain(detail), previous)
    rows.run(
        "INSERT INTO audit (seq, time, who, what, detail, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
        *line,
        _seal(line),
    )


def read_log(rows: Rows, head: str = "") -> AuditLog:
    """Read the log and check every seal.

    Args:
        rows: of a transaction.
        head: the seal of a line that was the last one once; its absence is a fault.
    """
    found = rows.all("SELECT seq, time, who, what, detail, previous, hash FROM audit ORDER BY seq")
    entries, faults, previous = [], [], FIRST
    for number, (*line, seal) in enumerate(found, start=1):
        if line[0] != number:
            faults.append(f"line {number} is missing")
        elif line[5] != previous or _seal(tuple(line)) != seal:
            faults.append(f"line {number} is not what was written")
        previous = seal
        entries.append(Entry(line[0], line[1], line[2], line[3], _detail(line[4]), seal))
        if line[0] != number:
            break
    if head and all(entry.hash != head for entry in entries):
        faults.append("the line that was the last one is missing")
    return AuditLog(tuple(entries), tuple(faults))


def _detail(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {"unreadable": text}
    return value if isinstance(value, dict) else {"unreadable": text}


def _seal(line: tuple[Any, ...]) -> str:
    return hashlib.sha256(plain(list(line)).encode()).hexdigest()
