"""A real browser for tests: Chromium without a window.

Debian builds it twice. `chromium-headless-shell` has the same engine without the program around it, and takes less than
half of the processor time for a page; where it is missing, `chromium` itself is started.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tests.servers.presence import PATIENCE_SECONDS, missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, BrowserContext

PROGRAMS: Final = ("chromium-headless-shell", "chromium")
PATIENCE_MILLISECONDS: Final = 1000 * PATIENCE_SECONDS


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser, whose pages may be as slow as the machine. As long as it is there, its thread can run no event
    loop."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        missing(PROGRAMS[0])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"], timeout=PATIENCE_MILLISECONDS
        )
        browser.new_context = partial(_patient_context, browser.new_context)  # type: ignore[method-assign]
        try:
            yield browser
        finally:
            browser.close()


def _patient_context(new_context: Callable[..., BrowserContext], **options: Any) -> BrowserContext:
    context = new_context(**options)
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    return context
