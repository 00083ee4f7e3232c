"""The list of mails: every filter has an index, and counting ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.operator.mail import mail_list
from services.operator.mail.mail_list import MailSearch, find_mails, rejected_groups
from services.operator.paging import Page
from shared.store.mails import MAILS, MailQuery, _where
from shared.store.search_words import searched_words, words_of
from tests.builders import a_mail
from tests.desk import NOW, Desk
from tests.servers.documents import uses_index

QUERIES = {
    "all": MailQuery(),
    "outcome": MailQuery(outcome="rejected"),
    "in flight": MailQuery(outcome="in-flight"),
    "inbox": MailQuery("support"),
    "inbox and outcome": MailQuery("support", "dead"),
    "some inboxes": MailQuery(inboxes=("support", "sales")),
    "rule": MailQuery(rule="rate"),
    "time": MailQuery(since=NOW - timedelta(days=1), before=NOW),
    "word": MailQuery(word="print"),
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_every_filter_is_answered_by_an_index(desk: Desk, query: MailQuery) -> None:
    where = _where(query)
    sort = (("received_at", -1),)
    assert uses_index(desk.store, MAILS, where, sort) or not where
    assert uses_index(desk.store, MAILS, where or {"received_at": {"$gte": NOW}}, sort)


def test_counting_ends_at_the_cap(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.receive(*(a_mail(str(number)) for number in range(4)))
    monkeypatch.setattr(mail_list, "MAX_COUNTED", 3)
    assert str(find_mails(desk.app, MailSearch(), Page(2, 0)).count) == "3+"
    monkeypatch.setattr(mail_list, "MAX_COUNTED", 4)
    assert str(find_mails(desk.app, MailSearch(), Page(2, 0)).count) == "4"


def test_rejected_mail_is_grouped_by_rule_the_largest_first(desk: Desk) -> None:
    desk.receive(
        a_mail(subject="Out of office"),
        a_mail("b", subject="Out of office"),
        a_mail("c", sender="mailer-daemon@x.example"),
    )
    groups = rejected_groups(desk.app)
    assert [(each.rule, each.count.number) for each in groups] == [("barred-subject", 2), ("barred-sender", 1)]
    assert groups[0].first.received_at < groups[0].last.received_at


@pytest.mark.parametrize(
    ("subject", "search"),
    [
        ("打印机坏了，请帮忙", "坏了"),
        ("プリンターが壊れました", "壊れ"),
        ("เครื่องพิมพ์เสีย", "เสีย"),
        ("VPN连接问题 2024", "连接"),
        ("请检查𠮷野家的网络", "野家"),
    ],
)
def test_a_word_is_found_where_a_script_has_no_blanks(desk: Desk, subject: str, search: str) -> None:
    desk.receive(a_mail(subject=subject), a_mail("b", subject="坏人 Kaputter Drucker"))
    found = find_mails(desk.app, MailSearch(text=search), Page(10, 0))
    assert [mail.subject for mail in found.page.things] == [subject]


def test_long_subjects_without_blanks_have_a_bounded_number_of_words() -> None:
    assert len(words_of("打" * 900)) <= 24 + 60
    assert len(words_of("".join(map(chr, range(0x4E00, 0x4E00 + 900))))) <= 24 + 60
    assert words_of("Grüße aus Köln") == ("grüsse", "aus", "köln")


def test_words_of_a_mail_are_its_sender_and_subject() -> None:
    found = words_of("Anna.Becker@Customer.example", "Anna Bécker", "Re: Drucker [INC12] brennt, STRASSE straße")
    assert found[0] == "anna.becker@customer.example"
    assert {"anna", "bécker", "drucker", "inc12", "strasse"} <= set(found)
    assert len(words_of("x " * 5000, " ".join(map(str, range(100))))) <= 24
    assert searched_words("<anna@customer.example>, Printer!") == ("anna@customer.example", "printer")
