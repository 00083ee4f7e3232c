"""A real browser for tests: Chromium without a window.

Debian builds it twice. `chromium-headless-shell` has the same engine without the program around it, and takes less than
half of the processor time for a page; where it is missing, `chromium` itself is started.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.servers.presence import missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PROGRAMS: Final = ("chromium-headless-shell", "chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser. As long as it is there, its thread can run no event loop."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        missing(PROGRAMS[0])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
