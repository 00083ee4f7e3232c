"""Outgoing mail of the desk: format, pictures, signature, conversation id, server, and who gets none."""

from __future__ import annotations

import email
from base64 import b64encode
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import default
from typing import Any, Final

import pytest

from services.operator.trial.dry_run import dry_run
from shared.config.model import (
    CommandPolicy,
    Configuration,
    ConversationId,
    Inbox,
    MailServer,
    MailTemplate,
    Partition,
    Settings,
    Template,
)
from shared.store.documents import Document
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk
from tests.servers.smtp import SmtpServer

JANE: Final = "Jane Doe <jane@example.com>"
PIXEL: Final = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
DATA: Final = f"data:image/png;base64,{b64encode(PIXEL).decode()}"
ANSWERING: Final = CommandPolicy(reply_on_create=True)


@pytest.fixture
def sink() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


def a_server(sink: SmtpServer, name: str = "default", **keys: Any) -> MailServer:
    own = {"tls": "none", "auth": "none", "from_address": "support@example.com", **keys}
    return MailServer(name, host="localhost", port=sink.port, **own)


def a_desk(sink: SmtpServer, *people: Any, inbox: Inbox | None = None, **keys: Any) -> Configuration:
    of_server = {name: keys.pop(name) for name in list(keys) if name in MailServer.__dataclass_fields__}
    inbox = inbox or an_inbox(commands=ANSWERING)
    people = people or (a_person("jane"),)
    return a_configuration(inbox, *people, mail_servers=(a_server(sink, **of_server),), **keys)


def received(sink: SmtpServer) -> list[EmailMessage]:
    """The mails as a mail program reads them."""
    return [email.message_from_bytes(each.content, policy=default) for each in sink.received]


def structure(mail: EmailMessage) -> list[str]:
    return [part.get_content_type() for part in mail.walk()]


def shown(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def only(documents: list[Document]) -> Document:
    (found,) = documents
    return found


@pytest.mark.req("VS-08")
@pytest.mark.parametrize(
    ("of_server", "of_person", "per_person", "html"),
    [
        ("html", None, True, True),
        ("html", "text", True, False),
        ("text", "html", True, True),
        ("text", None, True, False),
        ("html", "text", False, True),
        ("text", "html", False, False),
    ],
)
def test_a_mail_has_the_format_of_the_person_else_of_the_server(
    desk: Desk, sink: SmtpServer, of_server: str, of_person: Any, per_person: bool, html: bool
) -> None:
    settings = Settings(format_per_person=per_person)
    desk.configure(a_desk(sink, a_person("jane"), default_format=of_server, settings=settings))
    desk.store.update("people", {"_id": "jane"}, {"$set": {"format": of_person}})
    raw = a_mail(sender=JANE, subject="<b>Fire</b>")
    trace = dry_run(desk.app, raw).as_json()["trace"]
    desk.receive(raw)
    (mail,) = received(sink)
    text = "Call INC1 has been created.\n\nSubject: <b>Fire</b>"
    if html:
        assert structure(mail) == ["multipart/alternative", "text/plain", "text/html"]
        assert "<p>Call INC1 has been created.</p>\n<p>Subject: &lt;b&gt;Fire&lt;/b&gt;<br>" in shown(mail, "html")
    else:
        assert structure(mail) == ["text/plain"]
    assert shown(mail, "plain").startswith(text)
    assert trace[-1]["why"].endswith(f"from support@example.com through default, as {'html' if html else 'text'}")


HTML: Final = (
    '<table bgcolor="#fff"><tr><td style="color:red">Hello {sender}</td></tr></table>'
    '<p style="color:red;background-color:url(https://x.example/t)">'
    '<img src="cid:logo" alt="Logo"><img src="https://tracker.example/1.png"><script>alert(1)</script>'
    '<a href="javascript:alert(1)" onclick="x()">{subject}</a><img src="cid:none">'
)


@pytest.mark.req("NE-22")
@pytest.mark.parametrize("embedded", ["cid", "inline"])
def test_pictures_of_a_template_are_in_the_mail(desk: Desk, sink: SmtpServer, embedded: Any) -> None:
    template = MailTemplate("created", "s", html=HTML.replace('<img src="cid:none">', ""), images={"logo": DATA})
    desk.configure(a_desk(sink, embedded_images=embedded, mail_templates=(template,)))
    desk.receive(a_mail(sender=JANE, subject="<i>Fire"))
    (mail,) = received(sink)
    html = shown(mail, "html")
    assert '<table bgcolor="#fff"' in html
    assert 'style="color:red"' in html or "style" not in html
    assert ">Hello Jane Doe</td>" in html
    assert "&lt;i&gt;Fire</a>" in html
    for word in ("script", "alert", "onclick", "tracker.example", "x.example"):
        assert word not in html
    assert shown(mail, "plain").startswith("Hello Jane Doe\n")
    if embedded == "inline":
        assert f'<img src="{DATA}" alt="Logo">' in html
        assert structure(mail) == ["multipart/alternative", "text/plain", "text/html"]
        return
    assert structure(mail) == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    picture = list(mail.walk())[-1]
    assert picture.get_content() == PIXEL
    assert picture["Content-Disposition"].content_disposition == "inline"
    assert f'<img src="cid:{str(picture["Content-ID"]).strip("<>")}" alt="Logo">' in html


@pytest.mark.req("NE-22")
@pytest.mark.parametrize("embedded", ["cid", "inline"])
def test_a_picture_within_the_html_of_a_template_is_sent_as_the_server_wants(
    desk: Desk, sink: SmtpServer, embedded: Any
) -> None:
    template = MailTemplate("created", "s", html=f'<img src="{DATA}"><img src="data:text/html;base64,AAAA">')
    desk.configure(a_desk(sink, embedded_images=embedded, mail_templates=(template,)))
    raw = a_mail(sender=JANE)
    assert DATA in dry_run(desk.app, raw).as_json()["notifications"][0]["html"]
    desk.receive(raw)
    (mail,) = received(sink)
    pictures = [part.get_content() for part in mail.walk() if part.get_content_type() == "image/png"]
    assert pictures == ([PIXEL] if embedded == "cid" else [])
    assert (DATA in shown(mail, "html")) == (embedded == "inline")
    assert "text/html;base64" not in shown(mail, "html")


def test_the_same_mail_has_the_same_bytes_when_it_is_sent_again(desk: Desk, sink: SmtpServer) -> None:
    sink.faults.drop = 1
    template = MailTemplate("created", "s", html='<img src="cid:logo">', images={"logo": DATA})
    desk.configure(a_desk(sink, mail_templates=(template,)))
    desk.receive(a_mail(sender=JANE))
    first, second = sink.received
    assert first.content == second.content


@pytest.mark.parametrize("html", [None, "<b>Hi</b>"])
def test_an_inbox_signs_its_mail(desk: Desk, sink: SmtpServer, html: str | None) -> None:
    template = MailTemplate("created", "s", "Hi", html)
    inbox = an_inbox(commands=ANSWERING, signature="{desk}\n<{address}>")
    desk.configure(a_desk(sink, inbox=inbox, mail_templates=(template,), settings=Settings(desk_name="IT & Co")))
    raw = a_mail("Help\n", sender=JANE)
    (told,) = dry_run(desk.app, raw).as_json()["notifications"]
    desk.receive(raw)
    (mail,) = received(sink)
    assert shown(mail, "plain") == "Hi\n\nYou wrote:\n\n> Help\n\n-- \nIT & Co\n<support@example.com>\n"
    assert "<p>-- <br>\nIT &amp; Co<br>\n&lt;support@example.com&gt;</p>" in shown(mail, "html")
    assert told["text"] == shown(mail, "plain")


def conversation(**keys: Any) -> ConversationId:
    return ConversationId(enabled=True, **keys)


@pytest.mark.req("NE-23")
@pytest.mark.parametrize("prefix", [None, "DESK"])
@pytest.mark.parametrize("location", ["subject", "body"])
def test_an_answer_is_found_by_its_conversation_id(
    desk: Desk, sink: SmtpServer, location: Any, prefix: str | None
) -> None:
    settings = conversation(location=location, prefix=prefix)
    desk.configure(a_desk(sink, conversation_id=settings))
    first = a_mail(sender=JANE, subject="Fire")
    (told,) = dry_run(desk.app, first).as_json()["notifications"]
    desk.receive(first)
    (mail,) = received(sink)
    mark = f"[{prefix or 'CONV'}:{desk.record()['_id'][:16]}]"
    subject, text = str(mail["Subject"]), shown(mail, "plain")
    assert (told["subject"], told["text"]) == (subject, text)
    if location == "subject":
        assert subject == f"Re: {mark} [Call - INC1] Fire"
        assert mark not in text
        reply = a_mail("More\n", sender=JANE, subject=f"Re: {mark} burnt down")
    else:
        assert (subject, text.endswith(f"\n\n{mark}\n")) == ("Re: [Call - INC1] Fire", True)
        assert f"<p>{mark}</p>" in shown(mail, "html")
        quoted = "".join(f"> {line}\n" for line in text.splitlines())
        reply = a_mail(f"More\n\nOn Monday the desk wrote:\n{quoted}", sender=JANE, subject="burnt down")
    (outcome,) = desk.receive(reply)
    assert [each["number"] for each in outcome["records"]] == ["INC1"]
    assert "conversation id of INC1" in outcome["reason"]
    assert desk.activities(desk.record())[-1]["text"] == "More" if location == "body" else True


@pytest.mark.req("NE-23", "VF-21")
def test_a_conversation_id_proves_no_sender(desk: Desk, sink: SmtpServer) -> None:
    desk.configure(a_desk(sink, conversation_id=conversation()))
    desk.receive(a_mail(sender=JANE, subject="Fire"))
    subject = str(received(sink)[0]["Subject"]).replace("[Call - INC1] ", "")
    (mail,) = desk.receive(a_mail("evil\n", sender="eve@elsewhere.example", subject=subject))
    assert [each["number"] for each in mail["records"]] == ["INC2"]
    assert list(desk.store.find("links", {})) == []


@pytest.mark.req("NE-23")
@pytest.mark.parametrize("settings", [ConversationId(), conversation(prefix="OTHER")])
def test_only_marks_that_the_desk_writes_count(desk: Desk, sink: SmtpServer, settings: ConversationId) -> None:
    desk.configure(a_desk(sink, conversation_id=settings))
    desk.receive(a_mail(sender=JANE, subject="Fire"))
    mark = f"[DESK:{desk.record()['_id'][:16]}]"
    (mail,) = desk.receive(a_mail("More\n", sender=JANE, subject=f"{mark} [OTHER:0000000000000000] burnt"))
    assert [each["number"] for each in mail["records"]] == ["INC2"]


@pytest.mark.req("TI-40")
def test_mail_under_an_address_that_no_inbox_has_is_not_sent(desk: Desk, sink: SmtpServer) -> None:
    desk.configure(a_desk(sink))
    desk.app.documents.update("mail_servers", {"_id": "default"}, {"$set": {"from_address": "boss@example.com"}})
    desk.app.documents.update("settings", {"_id": "settings"}, {"$inc": {"revision": 1}})
    desk.app.directory.renew()
    raw = a_mail(sender=JANE)
    assert dry_run(desk.app, raw).as_json()["trace"][-1]["decision"] == "failed"
    desk.receive(raw)
    sent = only(desk.outbox())
    assert (sent["state"], sink.received) == ("failed", [])
    assert "boss@example.com is not the address of an inbox" in sent["reason"]


@pytest.mark.req("TI-26")
def test_an_inactive_person_is_heard_and_gets_no_mail(desk: Desk, sink: SmtpServer) -> None:
    desk.configure(a_desk(sink, a_person("jane", active=False)))
    raw = a_mail(sender=JANE)
    assert dry_run(desk.app, raw).as_json()["trace"][-1]["decision"] == "blocked"
    (mail,) = desk.receive(raw)
    sent = only(desk.outbox())
    assert (mail["outcome"], sent["state"], sent["reason"]) == (
        "recorded",
        "blocked",
        "Jane Doe is not active (people: active: false)",
    )
    assert sink.received == []


@pytest.mark.req("PR-02")
def test_mail_to_an_inbox_of_the_desk_is_not_sent(desk: Desk, sink: SmtpServer) -> None:
    tom = a_person("tom", addresses=("sales+x@example.com",), roles=("analyst",))
    inbox = an_inbox(commands=CommandPolicy(notify_handler_on_update=True, reply_on_update=False))
    desk.configure(a_desk(sink, a_person("jane"), tom, an_inbox("sales"), inbox=inbox))
    desk.receive(a_mail(sender=JANE))
    desk.store.update("records", {}, {"$set": {"owner": "tom"}})
    desk.receive(a_mail("More\n", sender=JANE, subject="[Call - INC1]"))
    sent = only(desk.outbox())
    assert (sent["state"], sent["reason"]) == (
        "blocked",
        "sales+x@example.com is an inbox of this desk: the mail would come back",
    )


@pytest.mark.req("VS-07")
@pytest.mark.parametrize(
    ("of_inbox", "partition", "of_template", "server"),
    [
        (None, None, None, "shared"),
        (None, "it", None, "for-it"),
        (None, "it", "hr", "for-hr"),
        ("named", "it", "hr", "named"),
    ],
)
def test_the_inbox_s_server_wins_over_the_partition_s(
    desk: Desk, sink: SmtpServer, of_inbox: str | None, partition: str | None, of_template: str | None, server: str
) -> None:
    template = Template("t", "incident", {"Partition": of_template} if of_template else {"Impact": "Low"})
    inbox = an_inbox(commands=ANSWERING, mail_server=of_inbox, partition=partition, template="t")
    servers = (
        a_server(sink, "named", partition="hr"),
        a_server(sink, "for-it", partition="it"),
        a_server(sink, "for-hr", partition="hr"),
        a_server(sink, "shared"),
    )
    if of_inbox is None:
        servers = servers[1:]
    parts = {"mail_servers": servers, "templates": (template,), "partitions": (Partition("it"), Partition("hr"))}
    desk.configure(a_configuration(inbox, a_person("jane"), **parts))
    desk.receive(a_mail(sender=JANE))
    assert (only(desk.outbox())["server"], len(sink.received)) == (server, 1)


@pytest.mark.req("VF-20")
@pytest.mark.parametrize(
    ("owner", "told"), [("tom", ["tom@example.com"]), (None, ["ann@example.com", "tom@example.com"])]
)
def test_the_analyst_who_has_a_record_is_notified_of_updates_else_the_team(
    desk: Desk, owner: str | None, told: list[str]
) -> None:
    commands = CommandPolicy(notify_handler_on_update=True, reply_on_update=False)
    team = [an_analyst(name, teams=("Service Desk",)) for name in ("ann", "tom", "sue")]
    others = (a_person("jane"), an_analyst("bob", teams=("Network",)))
    inbox = an_inbox(commands=commands, owner_team="Service Desk")
    desk.configure(a_configuration(inbox, *team, *others))
    desk.receive(a_mail(sender=JANE))
    desk.store.update("records", {}, {"$set": {"owner": owner}})
    desk.receive(a_mail("More\n", sender=JANE, subject="[Call - INC1]", Cc="sue@example.com"))
    assert sorted(address for each in desk.outbox() for address in each["to"]) == told
    assert {each["kind"] for each in desk.outbox()} == {"handler"}


@pytest.mark.req("VF-17", "VF-18")
def test_answers_to_commands_take_templates(desk: Desk) -> None:
    templates = (
        MailTemplate("closed", "Done", "{type} {number} is {status}, {sender}"),
        MailTemplate("not-closed", "No", "{number} stays {status}", languages={"de": {"text": "{number} bleibt"}}),
        MailTemplate("command-refused", "No", "{command}: {reason}"),
    )
    people = (a_person("jane"), a_person("max", addresses=("max@example.com",), language="de"))
    desk.configure(a_configuration(an_inbox(), *people, mail_templates=templates))
    desk.receive(a_mail(sender=JANE))
    for number, sender in ((1, "max@example.com"), (1, JANE), (1, JANE)):
        desk.receive(a_mail(sender=sender, subject=f"[CLOSE#{number}]"))
    desk.receive(a_mail(sender=JANE, subject="[CLOSE#1] [CLOSE#2]"))
    answers = [(each["subject"], each["text"].partition("\n")[0]) for each in desk.outbox()]
    assert answers == [
        ("[Call - INC1] No", "INC1 bleibt"),
        ("[Call - INC1] Done", "Call INC1 is Closed, Jane Doe"),
        (
            "Call No INC1 is already closed and has not been updated.",
            "Call No INC1 is already closed and has not been updated.",
        ),
        ("No", "[CLOSE#1]: the mail has another one, [CLOSE#2]; one mail takes one command"),
    ]
