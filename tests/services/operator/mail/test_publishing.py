"""Publishing mail, the counts of mails, and pages of lists."""

from __future__ import annotations

import pytest

from services.operator.health.counts import SingleRun
from services.operator.mail.publishing import Origin, made_ready, publish, unknown_inbox_warning
from services.operator.paging import Page, PageOf, page_of
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk


@pytest.mark.parametrize("origin", [Origin(), Origin("support"), Origin("support", source_id="crm-7")])
def test_a_receipt_names_the_mail_that_comes_of_it(desk: Desk, origin: Origin) -> None:
    desk.configure(a_configuration(an_inbox()))
    raw = a_mail()
    (given,) = publish(desk.app, [made_ready("one.eml", raw, origin)])
    desk.work()
    (mail,) = desk.mails()
    assert (given.mail_id, given.inbox, given.sha256) == (mail["_id"], mail["inbox"], mail["raw"])
    assert given.size == len(raw)


def test_nothing_to_publish_is_nothing(desk: Desk) -> None:
    assert publish(desk.app, []) == []
    assert SingleRun(desk.app).report().counts["in_flight"] == 0


def test_only_an_unknown_inbox_is_warned_of(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox()))
    assert unknown_inbox_warning(desk.app, None) is None
    assert unknown_inbox_warning(desk.app, "support") is None
    assert (unknown_inbox_warning(desk.app, "suport") or "").startswith("there is no inbox 'suport'")


def test_mails_are_counted_by_outcome(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox()))
    desk.receive(a_mail())
    desk.hand_in(a_mail(subject="Another"))
    counts = SingleRun(desk.app).report().counts
    assert (counts["recorded"], counts["rejected"], counts["in_flight"]) == (1, 0, 1)


@pytest.mark.parametrize(
    ("found", "page", "expected"),
    [
        ("ab", Page(limit=3, skip=0), PageOf(("a", "b"), None)),
        ("abc", Page(limit=3, skip=0), PageOf(("a", "b", "c"), None)),
        ("abcd", Page(limit=3, skip=6), PageOf(("a", "b", "c"), 9)),
        ("", Page(limit=3, skip=6), PageOf((), None)),
    ],
    ids=["short", "exact", "more", "empty"],
)
def test_a_page_knows_whether_there_are_more(found: str, page: Page, expected: PageOf[str]) -> None:
    assert page_of(found, page) == expected


def test_a_page_reads_one_thing_more_than_it_shows() -> None:
    things = iter(range(100))
    page_of(things, Page(limit=10, skip=0))
    assert next(things) == 11
