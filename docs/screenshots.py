# ruff: noqa: INP001 - a script beside the pages that it makes pictures for
"""Make the pictures of the console in `docs/images`: `python docs/screenshots.py`. Needs Debian's Chromium.

Starts `postroom demo --serve` on a folder of its own, makes the first user as a person would, and looks at each screen.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT: Final = Path(__file__).resolve().parents[1]
IMAGES: Final = ROOT / "docs" / "images"
PASSWORD: Final = "a password for pictures"  # noqa: S105 - of a desk that is removed at once
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SCREENS: Final = {
    "overview": "/",
    "mails": "/mails",
    "rejected": "/rejected",
    "queues": "/queues",
    "records": "/records",
}
"""Name of the picture → path. A screen that does not exist has no picture."""
CHANGED: Final = """rules:
- {name: printers, match: {subject: [printer]}, action: reject, reason: printers have their own desk}
inboxes:
- {name: problems, address: problems@example.com, processor: problem, field_separator: ':', owner_team: Analysts}
"""
"""What the back-test tries."""


@contextmanager
def served() -> Iterator[str]:
    """The address of a demo's console, with the token for its first user."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "services.cli.main", "demo", "--serve", "--port", "0", "--data", f"{folder}/d")
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            assert process.stderr is not None
            said = next(line for line in process.stderr if "The console is at" in line)
            found = re.search(r"http://\S+?(?=;)", said)
            assert found, said
            yield found[0]
        finally:
            process.terminate()
            process.communicate(timeout=60)


def sign_up(page: Page, address: str) -> str:
    """Make the first user; return the address of the console."""
    page.goto(address)
    page.fill("input[name=name]", "olga")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for_load_state()
    return address.partition("/set-up")[0]


def take(page: Page, base: str, folder: Path, suffix: str = "") -> None:
    """A picture of every screen that exists, and of the first mail."""
    paths = dict(SCREENS)
    page.goto(f"{base}/mails")
    if first := page.query_selector("main td a[href^='/mails/'], main th a[href^='/mails/']"):
        paths["mail"] = first.get_attribute("href") or "/mails"
    for name, path in paths.items():
        answer = page.goto(base + path)
        if answer is not None and answer.ok:
            page.screenshot(path=folder / f"console-{name}{suffix}.png")


def compare(page: Page, base: str) -> None:
    """A picture of a back-test at its end."""
    page.goto(f"{base}/try/backtest")
    page.fill("textarea", CHANGED)
    page.click("text=Compare")
    page.wait_for_url("**/try/backtest/*")
    while page.query_selector("progress"):
        page.reload()
    page.screenshot(path=IMAGES / "console-backtest-result.png")


def main() -> None:
    """Take wide pictures in light colours, and the first screen in dark ones and narrow."""
    from playwright.sync_api import sync_playwright

    IMAGES.mkdir(exist_ok=True)
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=WIDE, color_scheme="light")
        base = sign_up(page, address)
        take(page, base, IMAGES)
        compare(page, base)
        page.emulate_media(color_scheme="dark")
        page.goto(base)
        page.screenshot(path=IMAGES / "console-overview-dark.png")
        page.set_viewport_size(NARROW)
        page.screenshot(path=IMAGES / "console-overview-narrow.png")
        browser.close()


if __name__ == "__main__":
    main()
