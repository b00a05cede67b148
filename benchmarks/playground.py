"""The playground in a real browser: how fast it starts, how large its pages are, how soon what one moves is answered.

    python -m benchmarks.playground [--runs runs/demo] [--times 15] [--starts 5]

An interaction is timed within the page: from the event of the control (a slider, a key) to the first frame after its
answer was put in place, the pause that waits for the next event included. Rooms whose runs are missing are left out
and named. Needs Chromium and Playwright. Writes benchmarks/records/playground.json.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.parts import say
from shoal.engine import describe_environment
from shoal.files import write_json

RECORD = Path(__file__).parent / "records" / "playground.json"
SCREENS = {"phone": (390, 844), "desktop": (1280, 900)}
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
MOVE = """
async ([selector, value]) => {
    const control = document.querySelector(selector);
    const answered = new Promise((done) => document.addEventListener("htmx:after:swap", done, { once: true }));
    const began = performance.now();
    control.value = value;
    control.dispatchEvent(new Event("input", { bubbles: true }));
    control.dispatchEvent(new Event("change", { bubbles: true }));
    await answered;
    await new Promise(requestAnimationFrame);
    return performance.now() - began;
}
"""


@dataclass(frozen=True)
class Interaction:
    """A control that is moved, again and again.

    Attributes:
        name: for the record.
        path: page that it is on.
        control: selector; the page lacks it where there is no run.
        values: that it is set to in turn.
    """

    name: str
    path: str
    control: str
    values: Sequence[str]


INTERACTIONS = (
    *(
        Interaction(f"attention, features of {name}", f"/attention?map={name}", "[name=features]", ("72", "64"))
        for name in ("positive", "landmark", "taylor")
    ),
    Interaction("attention, 1,024 tokens", "/attention?map=positive&length=960", "[name=length]", ("1024", "960")),
    Interaction("circuits, typing a rule", "/circuits", "[name=rule]", ("same & not_self", "first | previous")),
    Interaction("difficulty, threshold", "/difficulty", "[name=threshold]", ("0.6", "0.9")),
    Interaction("faces, false-accept rate", "/faces", "[name=far]", ("0.01", "0.1")),
)


@contextmanager
def serving(runs: Path) -> Iterator[tuple[str, float]]:
    """A server: its address, and the seconds until its first page was there."""
    command = [sys.executable, "-m", "shoal", "serve", "--port", "0", "--runs", str(runs)]
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, env=dict(os.environ))
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip().rstrip("/")
            with urllib.request.urlopen(address + "/", timeout=60):
                yield address, time.perf_counter() - began
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=60)


def starts(runs: Path, count: int) -> dict[str, Any]:
    """Seconds from the command to the first page."""
    taken = []
    for _ in range(count):
        with serving(runs) as (_, seconds):
            taken.append(seconds)
    return summary("seconds", taken)


def measure_pages(browser: Any, address: str, paths: Sequence[str]) -> list[dict[str, Any]]:
    """Bytes of every page with all that it loads, and how wide it is on screens."""
    rows = []
    for path in paths:
        for screen, (width, height) in SCREENS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, base_url=address)
            answers: list[Any] = []
            keep = answers.append
            page.on("response", lambda answer, keep=keep: keep(answer))  # Playwright marks what it is given
            page.goto(path, wait_until="networkidle")
            sizes = [len(answer.body()) for answer in answers]
            over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            rows.append({"path": path, "screen": screen, "bytes": sum(sizes), "requests": len(sizes), "too_wide": over})
            page.close()
    return rows


def measure_interactions(browser: Any, address: str, times: int) -> list[dict[str, Any]]:
    """Milliseconds of every interaction; what cannot be moved is named."""
    rows = []
    for asked in INTERACTIONS:
        page = browser.new_page(base_url=address)
        page.goto(asked.path, wait_until="networkidle")
        if not page.query_selector(asked.control):
            rows.append({"name": asked.name, "left_out": "no run of the study that it needs"})
        else:
            values = [asked.values[i % len(asked.values)] for i in range(times + 2)]
            taken = [page.evaluate(MOVE, [asked.control, value]) for value in values][2:]  # two to warm up
            rows.append({"name": asked.name, **summary("milliseconds", taken)})
            say(f"{asked.name}: {rows[-1]['median']:.0f} ms")
        page.close()
    return rows


def summary(unit: str, taken: Sequence[float]) -> dict[str, Any]:
    """Median and spread."""
    return {"unit": unit, "n": len(taken), "median": statistics.median(taken), "low": min(taken), "high": max(taken)}


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("google-chrome")
    found: dict[str, Any] = {"environment": describe_environment(seed=0, device="cpu", why="pages are computed there")}
    found["start"] = starts(options.runs, options.starts)
    say(f"start: {found['start']['median']:.2f} s")
    with serving(options.runs) as (address, _), sync_playwright() as playwright:
        while not json.load(urllib.request.urlopen(address + "/health"))["warm"]:
            time.sleep(0.1)
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        paths = ["/", *sorted({asked.path.partition("?")[0] for asked in INTERACTIONS}), "/summarize", "/gallery"]
        found["pages"] = measure_pages(browser, address, paths)
        found["interactions"] = measure_interactions(browser, address, options.times)
        browser.close()
    write_json(RECORD, found)
    say(f"written: {RECORD.name}")


if __name__ == "__main__":
    main()
