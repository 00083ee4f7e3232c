"""Every screen in a real browser: accessible, narrow and wide, light and dark, without script, and from one origin."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe

from services.console import server
from services.console.endpoints import all_endpoints
from services.console.options import Options
from services.operator.permissions import access
from tests.builders import a_mail
from tests.desk import Desk
from tests.servers.presence import PATIENCE_SECONDS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PASSWORD = "correct horse battery"
SCREENS = sorted(each.path for each in all_endpoints() if each.title)


@pytest.fixture
def address(desk: Desk, served: str) -> str:
    """A console with some mail, and a user Ann."""
    access.add_user(desk.app, "Ann", "administrator", PASSWORD)
    desk.receive(a_mail("a question\n"), a_mail("out\n", subject="Out of office", Auto_Submitted="auto-replied"))
    return served


def signed_in(browser: Browser, address: str, **options: Any) -> Page:
    page = browser.new_context(**options).new_page()
    page.goto(f"{address}sign-in")
    page.fill("[name=name]", "Ann")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(address)
    return page


SCHEMES: Final = {
    "light": {"resultTypes": ["violations"]},
    "dark": {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]},
}
"""What axe looks at. The two schemes are one document with other colours: in the second only what concerns colours."""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_screen_has_a_serious_barrier(chromium: Browser, address: str, scheme: str) -> None:
    page, found = signed_in(chromium, address, color_scheme=scheme), list[str]()
    for path in SCREENS:
        page.goto(address.rstrip("/") + path)
        found += [
            f"{path}: {each['id']}: {each['nodes'][0]['html'][:120]}"
            for each in Axe().run(page, options=SCHEMES[scheme]).response["violations"]
            if each["impact"] in {"serious", "critical"}
        ]
    page.context.close()
    assert found == []


def test_every_screen_fits_a_narrow_window(chromium: Browser, address: str) -> None:
    page, found = signed_in(chromium, address, viewport={"width": 360, "height": 700}), list[str]()
    for path in SCREENS:
        page.goto(address.rstrip("/") + path)
        if (width := page.evaluate("document.documentElement.scrollWidth")) > 360:
            found.append(f"{path} is {width} pixels wide")
    page.context.close()
    assert found == []


def test_every_screen_works_without_script_and_asks_no_other_origin(chromium: Browser, address: str) -> None:
    page, foreign = signed_in(chromium, address, java_script_enabled=False), list[str]()
    page.on("request", lambda request: foreign.append(request.url) if not request.url.startswith(address) else None)
    for path in SCREENS:
        answer = page.goto(address.rstrip("/") + path)
        assert answer is not None
        assert (path, answer.status) == (path, 200)
        assert page.locator("h1").count() == 1
        assert page.locator("header [aria-current=page]").count() == 1
    page.goto(f"{address}access")
    page.click("summary:has-text('Add a user')")
    page.fill("form[action='/access/users'] [name=name]", "Bob")
    page.fill("form[action='/access/users'] [name=password]", PASSWORD)
    page.click("form[action='/access/users'] button")
    assert "Bob may sign in now." in page.inner_text("main")
    page.context.close()
    assert foreign == []


def test_the_first_tab_leads_past_the_navigation(chromium: Browser, address: str) -> None:
    page = signed_in(chromium, address)
    page.goto(f"{address}access")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
    page.context.close()


def test_a_page_shows_what_is_new_until_it_is_paused(desk: Desk, chromium: Browser, address: str) -> None:
    page = signed_in(chromium, address)
    arrivals = page.locator("dl.figures dd").first
    assert arrivals.inner_text() == "2"
    desk.receive(a_mail("another\n"))
    arrivals.filter(has_text="3").wait_for()
    page.click("[data-pause]")
    assert page.get_attribute("[data-pause]", "aria-pressed") == "true"
    page.context.close()


@pytest.fixture
def ending(desk: Desk) -> Iterator[tuple[str, threading.Event]]:
    """A console that a test ends."""
    options, stop = Options(port=0), threading.Event()
    listening = server.bound(options)
    thread = threading.Thread(target=server.serve, args=(desk.app, options, listening, stop))
    thread.start()
    yield server.address(listening), stop
    stop.set()
    thread.join(PATIENCE_SECONDS)


def test_without_a_connection_the_last_data_stay_and_their_time_turns_red(
    desk: Desk, chromium: Browser, ending: tuple[str, threading.Event]
) -> None:
    address, stop = ending
    access.add_user(desk.app, "Ann", "administrator", PASSWORD)
    page = signed_in(chromium, address)
    stop.set()
    page.wait_for_selector(".as-of.stale")
    colour = page.evaluate("getComputedStyle(document.querySelector('.as-of')).color")
    assert re.match(r"rgb\((1[5-9]\d|2\d\d), \d{1,2}, \d{1,2}\)", colour)
    assert page.locator("dl.figures").count() == 1
    page.context.close()
