"""The screens of mails in a real browser: hostile mails, the keyboard alone, without JavaScript, narrow, accessible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Final

import pytest

from services.operator.mail import jobs
from services.operator.mail.job_source import JobSource
from services.operator.permissions import access
from tests.builders import a_mail
from tests.desk import Desk
from tests.services.console.test_browser import SCHEMES

EVIL: Final = "https://evil.example"
SHAPES: Final = (
    "<script>alert(1);document.title='pwned'</script>",
    "<ScRiPt src={evil}/x.js></ScRiPt>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<img src={evil}/p.png>",
    "<img src=x onerror=alert(1)>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=alert(1)&gt;'>",
    "<img srcset='{evil}/a.png 1x, {evil}/b.png 2x'>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<svg><image href={evil}/i.png /><use href={evil}/u.svg#x /></svg>",
    "<meta http-equiv=refresh content='0;url={evil}/r'>",
    "<form action={evil}/f><input name=q autofocus onfocus=alert(1)><button formaction={evil}/g>x</button></form>",
    "<base href={evil}/><a href=x>x</a><img src=y.png>",
    "<link rel=stylesheet href={evil}/s.css><link rel=prefetch href={evil}/q>",
    "<object data={evil}/o></object><embed src={evil}/e><applet code=x></applet>",
    "<style>@import '{evil}/i.css';body{{background:url({evil}/b.png)}}</style>",
    "<div style=\"background:url('{evil}/d.png');position:fixed;inset:0\">x</div>",
    "<body onload=alert(1) background={evil}/bg.png><table background={evil}/t.png><tr><td>x",
    "<iframe src={evil}/></iframe><iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "<video src={evil}/v poster={evil}/w autoplay></video><audio src={evil}/a autoplay></audio>",
    "<input type=image src={evil}/in.png><isindex action={evil}/>",
    "<a href='javascript:alert(1)' id=go>x</a><a href='{evil}/click' target=_top>y</a><a ping={evil}/p href=#>z</a>",
    "<details open ontoggle=alert(1)><summary>x</summary></details><marquee onstart=alert(1)>x</marquee>",
    "<a name=body><a id=location><form name=document><img name=cookie src=cid:none>",
    "<xss style=animation-name:x onanimationstart=alert(1)></xss><style>@keyframes x{{}}</style>",
)
HEADERS: Final = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{{{ 7*7 }}}} {{% raw %}}",
    "javascript:alert(1)",
    "</title><script>alert(1)</script>",
    "' onmouseover=alert(1) x='",
    "\u202egnp.exe <img src={evil}/s.png>",
    "</textarea></pre><img src={evil}/t.png>",
)
FULL: Final = 200
TOGETHER: Final = 3
"""Shapes of one mail in every run; those that may hide what comes behind them are every third."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """What one mail holds. `pages`: whether every page of it is seen, and not only its HTML."""

    shapes: Sequence[str]
    headers: Sequence[str]
    pages: bool

    def mail(self, number: int) -> bytes:
        """The mail."""
        body, (text, *more) = "".join(self.shapes).format(evil=EVIL), [each.format(evil=EVIL) for each in self.headers]
        subject = f"{'Out of office ' if number % 2 else ''}{number} {' '.join((text, *more))}"
        names = [f"{number}{each[:20]}.html".replace("/", "_") for each in (text, *more)]
        return a_mail(
            f"{text}\n{body}\n",
            subject=subject,
            sender=None,
            html=f"<p>mail {number}</p>{body}",
            files=tuple((name, "text/html", body.encode()) for name in names),
            From=f'"{number} x" <a{number}@customer.example>',
        )


def one_by_one() -> Iterator[Hostile]:
    """Mails of one shape and one header each, again and again."""
    for number, pair in enumerate(islice(zip(cycle(SHAPES), cycle(HEADERS), strict=False), FULL)):
        yield Hostile(pair[:1], pair[1:], pages=number % len(SHAPES) < len(HEADERS))


def together() -> Iterator[Hostile]:
    """Each shape in few mails; the first mail has all headers and is seen on every page, each other one has two."""
    for number, start in enumerate(range(0, len(SHAPES), TOGETHER)):
        pair = number // 2 * 2 % len(HEADERS)
        headers = HEADERS[pair : pair + 2] if number else HEADERS
        yield Hostile(SHAPES[start : start + TOGETHER], headers, pages=number == 0)


class Watched:
    """A page of a browser whose requests and dialogs are kept."""

    def __init__(self, chromium: Any, origin: str, secret: str, **how: Any) -> None:
        self.origin = origin.rstrip("/")
        self._context = chromium.new_context(**how)
        self._context.add_cookies([{"name": "postroom", "value": secret, "url": self.origin}])
        self.page = self._context.new_page()
        self.requests, self.dialogs = list[str](), list[str]()
        self._context.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", self._dialog)

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def open(self, path: str) -> Any:
        """Open a path of the console."""
        self.page.goto(f"{self.origin}{path}", wait_until="load")
        return self.page

    @property
    def foreign(self) -> list[str]:
        """Requests that left the origin."""
        return [each for each in self.requests if not each.startswith((f"{self.origin}/", "data:", "about:"))]

    def close(self) -> None:
        """Close it."""
        self._context.close()


Browser = Callable[..., Watched]


@pytest.fixture
def browser(desk: Desk, served: str, chromium: Any) -> Iterator[Browser]:
    """Makes pages on which an operator is signed in."""
    made = list[Watched]()

    def opened(**how: Any) -> Watched:
        user = access.add_user(desk.app, f"kim {len(made)}", "operator")
        made.append(Watched(chromium, served, access.sign_in(desk.app, user, "test"), **how))
        return made[-1]

    yield opened
    for each in made:
        each.close()


@pytest.mark.parametrize(
    "kind", [together, pytest.param(one_by_one, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_hostile_mails_cause_no_request_no_dialog_and_no_script(
    desk: Desk, browser: Browser, kind: Callable[[], Iterator[Hostile]]
) -> None:
    hostile = list(kind())
    desk.receive(*(each.mail(number) for number, each in enumerate(hostile)))
    mails = sorted(desk.mails(), key=lambda mail: mail["received_at"])
    assert len(mails) == len(hostile)
    watched = browser()
    for path in (*(f"/mails?skip={skip}" for skip in range(0, len(mails), 50)), "/rejected"):
        assert watched.open(path).title().startswith(("Mails", "Rejected"))
        _nothing_of_the_mail_is_markup(watched.page)
    for number, mail in enumerate(mails):
        page = watched.open(f"/mails/{mail['_id']}?tab=html")
        if page.locator("iframe").count():
            assert f"mail {number}" in page.frames[1].content()
        _nothing_of_the_mail_is_markup(page)
        if hostile[number].pages:
            for path in ("?tab=text", "?tab=headers", "?tab=parts", "?tab=source", "/edit"):
                _nothing_of_the_mail_is_markup(watched.open(f"/mails/{mail['_id']}{path}"))
            _nothing_of_the_mail_is_markup(watched.open(f"/try?mail={mail['_id']}"))
    assert (watched.foreign, watched.dialogs) == ([], [])


def _nothing_of_the_mail_is_markup(page: Any) -> None:
    assert page.title() != "pwned"
    markup = page.locator("main :is(script, img, svg, style, object, [onload], [onerror], form[action^=http])")
    assert markup.count() == 0


def test_a_link_of_a_mail_leads_nowhere(desk: Desk, browser: Browser) -> None:
    (mail,) = desk.receive(a_mail(html=f'<a href="{EVIL}/click">click</a>'))
    watched = browser()
    page = watched.open(f"/mails/{mail['_id']}?tab=html")
    page.frame_locator("iframe").locator("a").click()
    page.wait_for_load_state("networkidle")
    assert watched.foreign == []
    assert page.url.startswith(watched.origin)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_mail_is_released_by_keyboard_alone(desk: Desk, browser: Browser, javascript: bool) -> None:
    (mail,) = desk.receive(a_mail(subject="Out of office"))
    page = browser(java_script_enabled=javascript).open("/rejected")
    _tab_to(page, "Release Out of office")
    page.keyboard.press("Enter")
    page.wait_for_url("**/rejected")
    page.get_by_text("The mail is released").wait_for()
    desk.work()
    assert desk.app.mails.get(mail["_id"]).outcome == "recorded"


def _tab_to(page: Any, name: str) -> None:
    button = page.get_by_role("button", name=name, exact=True)
    for _ in range(60):
        page.keyboard.press("Tab")
        if button.evaluate("each => each === document.activeElement"):
            return
    raise AssertionError(f"{name} is not reached by Tab")


def test_all_that_match_are_released_without_javascript(desk: Desk, browser: Browser) -> None:
    desk.receive(*(a_mail(str(number), subject=f"Out of office {number}") for number in range(3)))
    page = browser(java_script_enabled=False).open("/mails?outcome=rejected")
    page.get_by_role("button", name="All that match").click()
    page.get_by_label("Reason").fill("back")
    page.get_by_role("button", name="Release 3 mails").click()
    page.get_by_role("heading", name="Release 3 mails").wait_for()
    JobSource(desk.app).once()
    page.get_by_role("link", name="Look again").click()
    assert "finished: released 3 of 3 mails" in page.locator("main").inner_text()


@pytest.fixture
def paths(desk: Desk) -> list[str]:
    """The screens, with something on each."""
    (mail,) = desk.receive(
        a_mail(
            subject="Out of office " + "long " * 30 + "x" * 200, html="<p>x</p>", files=(("a.txt", "text/plain", b"x"),)
        )
    )
    desk.receive(a_mail(), inbox="nobody")
    desk.receive(a_mail())
    every = jobs.Chosen(ids=tuple(each["_id"] for each in desk.mails() if each["outcome"] != "rejected"))
    job = jobs.make_job(desk.app, jobs.NewJob(verb="release", chosen=every, by="kim", token="t"))
    JobSource(desk.app).once()
    one = f"/mails/{mail['_id']}"
    tabs = [f"{one}?tab={tab}" for tab in ("text", "html", "headers", "parts", "source")]
    acts = ["/mails/act?verb=release&scope=all&outcome=rejected", f"{one}/edit", f"{one}/allow"]
    return ["/mails", "/rejected", "/jobs", f"/jobs/{job.id}", "/try", f"/try?mail={mail['_id']}", *tabs, *acts]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_screens_are_accessible_and_fit_a_narrow_window(browser: Browser, paths: list[str], scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    watched = browser(color_scheme=scheme, viewport={"width": 360, "height": 720}, bypass_csp=True)
    for path in paths if scheme == "light" else paths[:6]:
        page = watched.open(path)
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, path
        found = Axe().run(page, options=SCHEMES[scheme]).response["violations"]
        serious = [
            (each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in {"serious", "critical"}
        ]
        assert serious == [], path


@pytest.mark.parametrize("subject", ["x" * 1500, "word " * 300], ids=["one-word", "many-words"])
def test_a_very_long_subject_leaves_room_for_everything_else(desk: Desk, browser: Browser, subject: str) -> None:
    desk.receive(a_mail(subject=subject, sender="Anna Becker-Thompson <anna.becker@a.long.customer.example>"))
    watched = browser(viewport={"width": 1280, "height": 800})
    page = watched.open("/mails")
    assert page.locator("td.from").bounding_box()["width"] >= 160
    assert page.locator("tbody tr").bounding_box()["height"] <= 160
    page.click("td.subject a")
    page.wait_for_load_state()
    assert page.locator("h1").bounding_box()["height"] <= 160
    page = watched.open("/records/incident/INC1")
    assert page.locator("h1").bounding_box()["height"] <= 160
