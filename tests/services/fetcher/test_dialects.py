"""Servers that differ from the standard: they are read, or named as failing, and no mail gets into logs or states."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from services.fetcher import imap_answers
from services.fetcher.imap_answers import UnreadableAnswer
from shared.embedded.documents import EmbeddedDocuments
from shared.store.ledger import LedgerEntries
from tests.servers.fake_imap import Answer, FakeImap
from tests.services.fetcher.conftest import GOOD, Desk, an_inbox, poll

RAW = GOOD[1]


@pytest.fixture
def desk(server: FakeImap, documents: EmbeddedDocuments) -> Desk:
    return Desk(documents, an_inbox(server.port), patience=timedelta(seconds=10))


def in_small_letters(said: bytes) -> bytes:
    """Names of answers in lower case; an untagged line of numbers and a tag stay as they are."""
    return re.sub(rb"(?m)^(\* (?:\d+ )?|[A-P]+\d+ )([A-Z]+)|\[[A-Z]+|UID|BODY|SIZE", lambda it: it[0].lower(), said)


NEWS = b"* 4 EXISTS\r\n* 0 RECENT\r\n* 9 EXPUNGE\r\n"
DIALECTS: dict[str, Callable[[bytes], bytes]] = {
    "small letters": in_small_letters,
    "blank lines": lambda said: said.replace(b"\r\n", b"\r\n\r\n") if not said.endswith(b"}\r\n") else said,
    "line feeds alone": lambda said: said.replace(b"\r\n", b"\n"),
    "blanks at the ends of lines": lambda said: said.replace(b"\r\n", b"  \r\n"),
    "two blanks after the star": lambda said: said.replace(b"* ", b"*  "),
    "no words after OK": lambda said: said.replace(b" OK done", b" OK"),
    "other mail arrives and goes": lambda said: (
        b"* 4 EXISTS\r\n* 0 RECENT\r\n* 9 EXPUNGE\r\n" * (said[:1] != b")") + said
    ),
    "flags of other mail": lambda said: b"* 3 FETCH (FLAGS (\\Seen))\r\n" * (said[:1] not in b")*") + said,
    "words that look like a literal": lambda said: said.replace(b"] ok", b"] ok {5}"),
}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_dialect_is_read(server: FakeImap, desk: Desk, dialect: Callable[[bytes], bytes]) -> None:
    if dialect is not DIALECTS["other mail arrives and goes"]:
        server.dialect = dialect
    else:  # the greeting comes before any folder
        server.dialect = lambda said: said if said.startswith(b"* OK ready") else dialect(said)
    assert (poll(desk).failures, desk.raw, server.archived) == ([], GOOD, GOOD)


BODIES: dict[str, bytes] = {
    "literal8": b"(UID 2 BODY[] ~{%d}\r\n%s)" % (len(RAW), RAW),
    "literal with a plus": b"(UID 2 BODY[] {%d+}\r\n%s)" % (len(RAW), RAW),
    "UID behind the content": b"(BODY[] {%d}\r\n%s UID 2)" % (len(RAW), RAW),
    "small letters": b"(uid 2 body[] {%d}\r\n%s)" % (len(RAW), RAW),
    "no UID": b"(BODY[] {%d}\r\n%s)" % (len(RAW), RAW),
    "under its old name": b"(UID 2 RFC822 {%d}\r\n%s)" % (len(RAW), RAW),
    "with a beginning": b"(UID 2 BODY[]<0> {%d}\r\n%s)" % (len(RAW), RAW),
    "blank line before the parenthesis": b"(UID 2 BODY[] {%d}\r\n%s\r\n)" % (len(RAW), RAW),
    "blank lines behind": b"(UID 2 BODY[] {%d}\r\n%s)\r\n\r\n\r\n" % (len(RAW), RAW),
    "in two answers": b"(UID 2 FLAGS ())\r\n* 2 FETCH (UID 2 BODY[] {%d}\r\n%s)" % (len(RAW), RAW),
    "other answers between": b"(FLAGS ())\r\n%s* OK hm\r\n* 2 FETCH (UID 2 BODY[] {%d}\r\n%s)" % (NEWS, len(RAW), RAW),
    "nested lists beside it": b'(UID 2 BODYSTRUCTURE (("TEXT" "A)" NIL) "MIXED") BODY[] {%d}\r\n%s)' % (len(RAW), RAW),
    "a parenthesis too many": b"(UID 2 BODY[] {%d}\r\n%s))" % (len(RAW), RAW),
    "UID as a string": b'(UID "2" BODY[] {%d}\r\n%s)' % (len(RAW), RAW),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_content_is_read_in_any_of_its_forms(server: FakeImap, desk: Desk, body: bytes) -> None:
    server.bodies[2] = body
    assert (poll(desk).failures, desk.raw) == ([], GOOD)


def test_content_as_a_quoted_string_is_read(server: FakeImap, desk: Desk) -> None:
    server.mails[2].raw = b'Subject: a "b" \\ (c {5}'
    server.bodies[2] = b'(UID 2 BODY[] "Subject: a \\"b\\" \\\\ (c {5}")'
    assert (poll(desk).failures, desk.raw[1]) == ([], server.archived[1])


SEARCHES = {
    "several lines": b"* SEARCH 1\r\n* SEARCH 2 3\r\n",
    "a line for each mail": b"* SEARCH 3\r\n* 3 EXISTS\r\n* SEARCH 1\r\n* SEARCH\r\n* SEARCH 2\r\n",
    "extended": b'* ESEARCH (TAG "A1") UID ALL 1:3\r\n',
    "extended with counts": b'* ESEARCH (TAG "A1") UID COUNT 3 MIN 1 ALL 1,2:3 MAX 3\r\n',
    "a range": b"* SEARCH 1:3\r\n",
    "with a sequence of changes": b"* SEARCH 1 2 3 (MODSEQ 917)\r\n",
    "unreadable": b"* SEARCH 1 x 3\r\n",
    "nothing": b"",
    "something else": b"* 3 EXISTS\r\n* SORT 1\r\n",
}


@pytest.mark.parametrize("answer", SEARCHES.values(), ids=SEARCHES)
def test_every_answer_to_search_finds_the_mails(server: FakeImap, desk: Desk, answer: bytes) -> None:
    server.answers["UID SEARCH"] = answer
    assert (poll(desk).failures, desk.raw) == ([], GOOD)


def test_mails_found_by_their_flags_are_neither_deleted_nor_read(server: FakeImap, desk: Desk) -> None:
    server.answers["UID SEARCH"] = b""
    server.mails[1].flags = {rb"\Deleted"}
    server.mails[2].flags = {rb"\SEEN"}
    desk.inbox = an_inbox(server.port, after="mark_read")
    assert (poll(desk).failures, desk.raw) == ([], [GOOD[2]])


@pytest.mark.parametrize(
    "answer", [b"", b'* ESEARCH (TAG "A1") UID\r\n', b"* SEARCH\r\n"], ids=["none", "ESEARCH", "SEARCH"]
)
def test_an_empty_folder_is_not_a_failure(server: FakeImap, desk: Desk, answer: bytes) -> None:
    server.mails.clear()
    server.answers["UID SEARCH"] = answer
    assert (poll(desk).failures, desk.source.states.get("support").error) == ([], None)


def test_a_server_that_counts_mails_and_lists_none_is_failing(server: FakeImap, desk: Desk) -> None:
    server.answers |= {"UID SEARCH": b"", "UID FETCH": b""}
    poll(desk)
    error = desk.source.states.get("support").error
    assert error == "cannot look into the folder: the server says that the folder holds 3 mails, and lists none"


def test_a_folder_that_was_emptied_meanwhile_is_not_a_failure(server: FakeImap, desk: Desk) -> None:
    server.answers |= {"UID SEARCH": b"* 3 EXPUNGE\r\n* 2 EXPUNGE\r\n* 1 EXPUNGE\r\n", "UID FETCH": b""}
    assert (poll(desk).failures, desk.source.states.get("support").error) == ([], None)


SECRET = b"From: jane@example.com\r\nSubject: salary\r\n\r\nTwo thousand\r\n"
LEAKING: dict[str, Answer] = {
    "parenthesis too many": b"(UID 2 BODY[] {%d}\r\n%s)) salary" % (len(SECRET), SECRET),
    "literal announced too short": b"(UID 2 BODY[] {5}\r\n%s)" % SECRET,
    "literal cut in a line": b"(UID 2 BODY[] {40}\r\n%s)" % SECRET,
    "quoted string over lines": b'(UID 2 BODY[] "%s")' % SECRET,
    "content without a string": b"(UID 2 BODY[] salary)",
    "a list as content": b"(UID 2 BODY[] (jane@example.com salary))",
    "no list": b"From: jane@example.com salary",
    "NIL in small letters": b"(UID 2 BODY[] nil)",
    "no content though a size": b'(UID 2 BODY[] "")',
    "no value": b"(UID 2 ENVELOPE (salary jane@example.com) BODY[])",
    "number too long": b"(UID 99999999999999999999999 X-SALARY jane@example.com) salary",
    "tagged line from a mail": b"(UID 2 BODY[] {5}\r\nFrom:\r\nsalary OK jane@example.com Two thousand",
    "the end in a line": lambda connection: connection.sendall(b"* 2 FETCH (UID 2 BODY[] jane@example.com salary"),
    "farewell": b"\r\n* BYE out of order",
}


@pytest.mark.parametrize("answer", LEAKING.values(), ids=LEAKING)
def test_an_answer_that_cannot_be_read_fails_one_mail_and_is_quoted_nowhere(
    server: FakeImap, desk: Desk, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.bodies[2] = answer
    polled = poll(desk)
    (trouble,) = LedgerEntries(desk.documents).not_taken("support")
    assert (trouble.state, desk.raw) == ("failed", [GOOD[0], GOOD[2]])
    said = [caplog.text, *(str(vars(each)) for each in caplog.records), *polled.failures, trouble.reason]
    said.append(str(desk.source.states.get("support").error))
    assert not re.search("jane|salary|thousand", " ".join(said), re.IGNORECASE)


@pytest.mark.parametrize("command", ["SELECT", "CAPABILITY", "UID SEARCH", "UID MOVE", "LIST", "LOGIN"])
@pytest.mark.parametrize(
    "said", [b"From: jane@example.com salary\r\n", b"* 2 FETCH (UID 2 salary jane@example.com\r\n"]
)
def test_a_mail_in_the_place_of_any_answer_is_quoted_nowhere(
    server: FakeImap, desk: Desk, command: str, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers[command] = said
    polled = poll(desk)
    said_of = [caplog.text, *(str(vars(each)) for each in caplog.records), *polled.failures]
    said_of.append(str(desk.source.states.get("support").error))
    assert not re.search("jane|salary", " ".join(said_of), re.IGNORECASE)


def test_a_password_that_the_server_repeats_is_not_kept(server: FakeImap, desk: Desk) -> None:
    server.tagged["LOGIN"] = b"NO cannot log in bob with secret"
    poll(desk)
    kept = str(desk.source.states.get("support").error)
    assert "cannot log in bob with" in kept
    assert "secret" not in kept


def test_a_server_without_uidvalidity_is_named_as_failing(server: FakeImap, desk: Desk) -> None:
    server.answers["SELECT"] = b"* 3 EXISTS\r\n* OK [UIDNEXT] next\r\n"
    assert "names no UIDVALIDITY" in poll(desk).failures[0]


@pytest.mark.parametrize("after", ["mark_read", "delete"])
def test_a_server_that_forgets_flags_gives_each_mail_once(server: FakeImap, desk: Desk, after: str) -> None:
    server.answers["UID STORE"] = b""
    desk.inbox = an_inbox(server.port, after=after)
    for _ in range(3):
        assert poll(desk).failures == []
    assert desk.raw == GOOD


def with_a_new_uidvalidity_at_each_login(server: FakeImap) -> None:
    honest = server._select

    def select(command: bytes) -> bytes:
        server.validity += 1
        return honest(command)

    server._select = select  # type: ignore[method-assign]


def test_a_uidvalidity_that_changes_at_each_login_skips_and_doubles_nothing(server: FakeImap, desk: Desk) -> None:
    with_a_new_uidvalidity_at_each_login(server)
    for _ in range(3):
        assert poll(desk).failures == []
    assert (desk.raw, server.archived, server.mails) == (GOOD, GOOD, {})


def test_a_uidvalidity_that_changes_in_the_middle_of_a_visit_archives_no_other_mail(
    server: FakeImap, desk: Desk
) -> None:
    with_a_new_uidvalidity_at_each_login(server)
    server.bodies[2] = lambda connection: connection.close()  # a new login follows, and with it other UIDs
    poll(desk)
    assert (desk.raw, server.archived) == (GOOD[:1], [])
    server.bodies.clear()
    assert poll(desk).failures == []
    assert (len(desk.distinct), server.archived) == (3, GOOD)


@pytest.mark.parametrize("count", [b"0", b"1", b"2"])
def test_a_folder_whose_count_shrinks_meanwhile_keeps_no_mail_back(server: FakeImap, desk: Desk, count: bytes) -> None:
    shrunk = b"* %s EXISTS\r\n" % count
    server.dialect = lambda said: shrunk + said if b" OK done" in said else said
    assert (poll(desk).failures, desk.raw, server.archived) == ([], GOOD, GOOD)


@pytest.mark.parametrize("uids", [b"1:4294967295", b"1,2:99999999"])
def test_a_range_of_uids_is_limited(uids: bytes) -> None:
    with pytest.raises(UnreadableAnswer, match="more than"):
        imap_answers.found_uids([uids], [])
