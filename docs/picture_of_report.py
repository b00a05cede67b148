"""The README's picture of a report: its first page on a desktop, without the images of any data set.

    .venv/bin/python docs/picture_of_report.py runs/report.html

Needs the extra shoal[test] and Chromium; writes docs/images/report.png.
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

TARGET = Path(__file__).parent / "images" / "report.png"
WIDTH, HEIGHT = 1280, 800


def main() -> None:
    """Photograph the page."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(Path(sys.argv[1]).resolve().as_uri())
        page.evaluate("document.querySelectorAll('.gallery').forEach(e => e.remove())")
        shot = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
    TARGET.parent.mkdir(exist_ok=True)
    shot.convert("RGB").quantize(128).save(TARGET, optimize=True)
    print(f"{TARGET}: {TARGET.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
