"""A newcomer with nothing but the console: from the first start to a mailbox that is read, in a real browser.

`POSTROOM_PICTURES=DIR` keeps a picture of each step there, in light and dark colours and 360 pixels wide.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from services.operator.health.stages import pause_stage
from services.operator.mail.dead_letter_causes import causes
from services.operator.permissions import access
from shared.config.model import CommandPolicy
from shared.config.values import Secret
from shared.runtime.broker import Message
from tests.builders import a_configuration, a_mail, an_inbox
from tests.conformance.lanes import eventually
from tests.desk import NOW, Desk
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.presence import PATIENCE_SECONDS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZE: Any = {"width": 1280, "height": 800}
PERSON, SECRET = "Ann", "correct horse battery"


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Dovecot]:
    with Dovecot() as running:
        yield running


class RunningDesk:
    """`postroom up` on a folder of its own, with its console."""

    def __init__(self, folder: Path) -> None:
        self.environment = {**os.environ, "POSTROOM_DATA": str(folder / "data"), "POSTROOM_CONSOLE_PORT": "0"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "services.cli.main", "up", "--processes", "1"],
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self.address = self._address()
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def _address(self) -> str:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if found := re.search(r"http://\S+", line):
                return found[0]
        raise AssertionError("the console did not start")

    def _drain(self) -> None:
        assert self._process.stderr is not None
        self.said.extend(self._process.stderr)

    def wait_for_line(self, *words: str) -> None:
        """Wait until its log has a line with these words."""
        eventually(lambda: any(all(word in line for word in words) for line in tuple(self.said)))

    def publish(self, folder: Path) -> None:
        """Hand in every mail of a folder."""
        command = [sys.executable, "-m", "services.cli.main", "publish", str(folder)]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=300)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        assert self._process.stderr is not None
        self._process.stderr.close()


@pytest.fixture
def desk_with_console(tmp_path: Path) -> Iterator[RunningDesk]:
    made = RunningDesk(tmp_path)
    yield made
    made.close()


class Pictures:
    """Takes a picture of each step, when they are asked for."""

    def __init__(self, page: Page) -> None:
        self._page, self._number = page, 0
        self._folder = Path(found) if (found := os.environ.get("POSTROOM_PICTURES")) else None

    def take(self, name: str) -> None:
        """Light, dark and narrow."""
        self._number += 1
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for colours in ("light", "dark"):
            self._page.emulate_media(color_scheme=colours)  # type: ignore[arg-type]
            self._page.screenshot(path=self._folder / f"{self._number:02}-{name}-{colours}.png")
        self._page.emulate_media(color_scheme="light")
        size = self._page.viewport_size
        self._page.set_viewport_size({"width": 360, "height": 740})
        self._page.screenshot(path=self._folder / f"{self._number:02}-{name}-narrow.png")
        assert size is not None
        self._page.set_viewport_size(size)


def seconds_later(page: Page, path: str, words: str) -> None:
    """Load a page again until it has these words: JavaScript is off."""
    load_until(page, path, lambda: words in page.inner_text("main"))


def visited(page: Page, inbox: str) -> None:
    """Load the page of an inbox again until it was visited: a visit that runs while it is stopped takes new mail."""
    load_until(page, inbox, lambda: "ago" in page.locator("dt:has-text('last success') + dd").inner_text())


def load_until(page: Page, path: str, holds: Callable[[], bool]) -> None:
    """Load a page again until something holds on it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (page.goto(path) and holds()):
        assert time.monotonic() < deadline, page.inner_text("main")
        page.wait_for_timeout(250)


def first_user(page: Page, desk: RunningDesk, pictures: Pictures) -> str:
    """Make the first user by the one-time address; the address without it."""
    page.goto(desk.address)
    pictures.take("first-user")
    page.get_by_label("Name").fill(PERSON)
    page.get_by_label("Password").fill(SECRET)
    page.get_by_role("button", name="Make this user").click()
    pictures.take("overview")
    return desk.address.split("/set-up")[0].rstrip("/")


def add_inbox(page: Page, mailbox: Dovecot, pictures: Pictures) -> None:
    """Choose a method, fill in the form; a wrong password and a wrong host are said in the documented sentences."""
    page.get_by_role("link", name="Inboxes", exact=True).click()
    page.get_by_role("link", name="New inbox").click()
    pictures.take("methods")
    page.get_by_role("link", name="IMAP").click()
    page.get_by_label("name needed").fill("helpdesk")
    page.get_by_role("button", name="Save").click()
    assert "missing, and it is needed" in page.inner_text("[role=alert]")
    pictures.take("missing")
    page.get_by_label("address needed").fill("helpdesk@example.com")
    page.get_by_label("host").fill("localhost")
    page.get_by_label("port").fill(str(mailbox.tls_port))
    page.get_by_label("verify certificate").uncheck()
    page.get_by_label("username").fill("bob")
    page.locator("[name=password]").fill("wrong")
    page.get_by_label("reason").fill("our first mailbox")
    pictures.take("form")
    page.get_by_role("button", name="Save").click()
    assert "The credentials (user name or password) are invalid. Verify the credentials." in page.inner_text("main")
    pictures.take("wrong-password")
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("host").fill("no-such-host.invalid")
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Save").click()
    assert "The remote name could not be resolved: 'no-such-host.invalid'" in page.inner_text("main")
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("host").fill("localhost")
    page.get_by_role("button", name="Save").click()
    assert "The connection works." in page.inner_text("main")
    pictures.take("connection-works")


@pytest.mark.req("VS-02", "IV-08", "TI-06", "IV-43")
def test_a_newcomer_adds_a_mailbox_without_javascript_and_sees_its_mail_arrive(
    desk_with_console: RunningDesk, mailbox: Dovecot, chromium: Browser
) -> None:
    mailbox.clear("bob")
    context = chromium.new_context(
        java_script_enabled=False, reduced_motion="reduce", viewport={"width": 1280, "height": 800}
    )
    page = context.new_page()
    pictures = Pictures(page)
    address = first_user(page, desk_with_console, pictures)
    add_inbox(page, mailbox, pictures)
    inbox = f"{address}/inboxes/helpdesk"
    visited(page, inbox)
    page.get_by_role("button", name="Stop", exact=True).first.click()
    page.get_by_role("button", name="Start", exact=True).first.wait_for()
    mailbox.deliver("bob", a_mail(subject="The printer burns"))
    page.get_by_role("link", name="Waiting mail").click()
    assert "The printer burns" in page.inner_text("main")
    assert "Anna Becker <anna@customer.example>" in page.inner_text("main")
    pictures.take("waiting-mail")
    page.goto(f"{inbox}/sample")
    assert "To: helpdesk@example.com" in page.inner_text("main")
    page.goto(inbox)
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Fetch now").click()
    seconds_later(page, inbox, "recorded")
    page.locator("summary", has_text="The printer burns").click()
    assert "record-writer" in page.inner_text("main")
    pictures.take("mail-arrived")
    page.goto(f"{address}/inboxes")
    pictures.take("inboxes")
    seconds_later(page, f"{address}/records", "The printer burns")
    pictures.take("records")
    page.locator("tbody a").first.click()
    assert "The printer on floor 3 is on fire." in page.inner_text("main")
    pictures.take("record")
    mailbox.deliver("bob", a_mail(subject="Out of office: the invoice"))
    page.goto(inbox)
    page.get_by_role("button", name="Fetch now").click()
    seconds_later(page, f"{address}/rejected", "Out of office: the invoice")
    pictures.take("rejected")
    page.get_by_role("button", name="Release Out of office: the invoice").click()
    pictures.take("released")
    seconds_later(page, f"{address}/records", "Out of office: the invoice")
    pictures.take("record-of-the-released-mail")
    context.close()


def test_a_newcomer_watches_a_queue_fill_while_a_stage_is_paused(
    desk_with_console: RunningDesk, chromium: Browser, tmp_path: Path
) -> None:
    watch(desk_with_console, chromium, tmp_path, 20)


@pytest.mark.slow
def test_a_newcomer_watches_two_thousand_mails(
    desk_with_console: RunningDesk, chromium: Browser, tmp_path: Path
) -> None:
    watch(desk_with_console, chromium, tmp_path, 2000)


def watch(desk: RunningDesk, chromium: Browser, folder: Path, count: int) -> None:
    """Pause a stage, hand mails in, watch them wait, resume; with JavaScript, without loading the page again."""
    mails = folder / "mails"
    mails.mkdir()
    for number in range(count):
        (mails / f"{number:05}.eml").write_bytes(a_mail(subject=f"Mail {number}", sender=f"u{number}@example.org"))
    context = chromium.new_context(reduced_motion="reduce", viewport=SIZE)
    page = context.new_page()
    pictures = Pictures(page)
    address = first_user(page, desk, pictures)
    page.goto(f"{address}/queues")
    page.get_by_label("Pause record-writer").click()
    row = page.locator("tr", has=page.get_by_role("rowheader", name="record-writer", exact=True))
    row.get_by_label("Reason").fill("a look at what waits")
    row.get_by_role("button", name="Pause record-writer").click()
    assert "paused by Ann: a look at what waits" in page.inner_text("main")
    desk.wait_for_line("worker_paused", "record-writer")
    desk.publish(mails)
    row.get_by_text(f"{count:,}", exact=True).first.wait_for()
    pictures.take("queue-waits")
    page.get_by_label("Resume record-writer").click()
    page.wait_for_timeout(0)
    pictures.take("queue-drains")
    row.locator("[data-label=ready]", has_text=re.compile("^0$")).wait_for(timeout=300_000)
    page.goto(f"{address}/records")
    assert "Mail" in page.inner_text("main")
    context.close()


def serious(page: Page, **options: Any) -> list[tuple[str, list[str]]]:
    """What axe finds serious on a page: the rule, and the elements."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options=options).response["violations"]
    wrong = [each for each in found if each["impact"] in {"serious", "critical"}]
    return [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in wrong]


@pytest.mark.slow  # the lists are covered by `test_browser.py`
def test_screens_are_accessible_and_fit_360_pixels(desk: Desk, served: str, chromium: Browser) -> None:
    """Each with rows: axe finds nothing serious, in light and in dark, and nothing is wider than the screen."""
    paths = filled(desk)
    secret = access.sign_in(desk.app, access.add_user(desk.app, "Ann", "administrator"), "test")
    context = chromium.new_context(reduced_motion="reduce", viewport=SIZE)
    context.add_cookies([{"name": "postroom", "value": secret, "url": served}])
    page = context.new_page()
    found, wide = dict[str, object](), list[str]()
    for path in paths:
        page.goto(served.rstrip("/") + path)
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        wrong = serious(page)
        page.emulate_media(color_scheme="dark")
        if wrong := [*wrong, *serious(page, runOnly=["color-contrast"])]:
            found[path] = wrong
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 360, "height": 740})
        if page.evaluate("document.documentElement.scrollWidth") > 360:
            wide.append(path)
        page.set_viewport_size(SIZE)
    assert (found, wide) == ({}, [])
    context.close()


def filled(desk: Desk) -> list[str]:
    """A desk with something on every screen; the paths of the screens."""
    long = "x" * 300
    sales = an_inbox("sales", protocol="imap", host="127.0.0.1", port=9, password=Secret("${NOT_SET_HERE}"))
    desk.configure(a_configuration(an_inbox(commands=CommandPolicy(reply_on_create=True)), sales))
    desk.receive(a_mail(subject=f"Printer {long}"))
    headers = {"reason": f"a mistake {long}", "stage": "filter", "queue": "filter"}
    desk.app.dead_letters.keep(Message("m", "filter", b"{}", headers=headers), mail_id=None, inbox="sales", at=NOW)
    pause_stage(desk.app, "notifier", by="anna", reason=long)
    cause = causes(desk.app).causes[0]
    record, letter = desk.record(), cause.example.id
    return [
        *("/inboxes", "/inboxes/support", "/inboxes/sales", "/inboxes/sales/settings", "/inboxes/new"),
        *("/inboxes/sales/sample", "/inboxes/sales/waiting", "/inboxes/sales/delete"),
        *("/queues", "/dead-letters", f"/dead-letters/causes/{cause.id}", f"/dead-letters/{letter}"),
        *("/outbox", f"/outbox/{desk.outbox()[0]['_id']}", "/records", f"/records/incident/{record['number']}"),
        *("/people", f"/people/{record['customer']}"),
    ]


def test_an_inbox_is_stopped_and_a_mail_is_held_by_keyboard_alone(desk: Desk, served: str, chromium: Browser) -> None:
    filled(desk)
    secret = access.sign_in(desk.app, access.add_user(desk.app, "Ann", "operator"), "test")
    context = chromium.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "postroom", "value": secret, "url": served}])
    page = context.new_page()
    page.goto(f"{served}inboxes/sales")
    press_until(page, lambda text: text == "Stop", "Enter")
    assert "sales is stopped." in page.inner_text("main")
    page.goto(f"{served}outbox")
    press_until(page, lambda text: text.startswith("Call"), "Enter")
    press_until(page, lambda text: text == "Hold", "Enter")
    assert "It is held until somebody sends it." in page.inner_text("main")
    context.close()


def press_until(page: Page, reached: Callable[[str], bool], then: str) -> None:
    """Press the tabulator key until the focus is there, then another key, which leads to a page."""
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        seen.append(focused.inner_text() if focused.count() else "")
        if focused.count() and reached(focused.inner_text().strip()):
            with page.expect_navigation():
                page.keyboard.press(then)
            return
    raise AssertionError(f"the keyboard does not get there: {seen}")
