"""What a real browser does when the guards of the HTML of a mail are taken out, and that its tests notice.

Several guards hold at a time: what the parser cleans, the policy of the frame, its sandbox. A browser misses them when
all are out; each alone is missed by a test without a browser (`test_guards_taken_out.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.services.console import test_mail_browser
from tests.services.console.taken_out import Guard, assert_missed
from tests.services.console.test_guards_taken_out import without_escaping, without_sandbox
from tests.services.console.test_mail_browser import HEADERS, Hostile, browser

__all__ = ["browser"]
pytestmark = pytest.mark.slow
HOSTILE = test_mail_browser.test_hostile_mails_cause_no_request_no_dialog_and_no_script
OUT = {
    "services.parser.html.sanitised": str,
    "services.console.screens.mail.FRAME_POLICY": "",
    "services.console.rendering.render": without_sandbox,
}


def of(shape: str, header: str = "Printer") -> dict[str, Callable[[], Iterator[Hostile]]]:
    """One mail of this shape."""
    return {"kind": lambda: iter([Hostile((shape,), (header,), pages=False)])}


GUARDS = (
    Guard("no picture is loaded", OUT, HOSTILE, "watched.foreign", of("<img src={evil}/p.png>")),
    Guard("no style is loaded", OUT, HOSTILE, "watched.foreign", of("<link rel=stylesheet href={evil}/s.css>")),
    Guard("no script runs", OUT, HOSTILE, "watched.dialogs", of("<script>alert(1)</script>")),
    Guard("no handler runs", OUT, HOSTILE, "watched.dialogs", of("<img src=x onerror=alert(1)>")),
    Guard(
        "text of a mail is text",
        {"services.console.rendering._environment": without_escaping},
        HOSTILE,
        "markup.count() == 0",
        of("x", HEADERS[1]),
    ),
)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_that_is_taken_out_is_missed(guard: Guard, request: pytest.FixtureRequest) -> None:
    assert_missed(guard, request)
