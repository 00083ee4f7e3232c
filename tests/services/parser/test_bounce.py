"""Delivery reports in the formats of many mail systems: who, which codes, permanent or temporary."""

from __future__ import annotations

import pytest

from services.parser import bounce, kind, tree
from services.parser.bounces import library, notices, pieces, prose
from shared.contracts.mail import Bounce, BouncedRecipient

DAEMON = "From: MAILER-DAEMON@mx.example.org (Mail Delivery System)\nReturn-Path: <>\nTo: ann@example.org\n"


def read(raw: str) -> Bounce:
    """The report that a raw mail is; fails when it is none."""
    root = tree.parse(raw.encode())
    text = "\n".join(part.text or "" for part in tree.walk(root) if part.content_type == "text/plain")
    verdict = kind.classify(root, subject=root.headers.get("subject") or "", text=text)
    assert verdict.kind == "bounce"
    assert verdict.bounce is not None
    return verdict.bounce


def only(raw: str) -> BouncedRecipient:
    """The one recipient of a report."""
    (recipient,) = read(raw).recipients
    return recipient


def plain(body: str, subject: str = "Returned mail", head: str = DAEMON) -> str:
    """A report that is nothing but text."""
    return f"{head}Subject: {subject}\nContent-Type: text/plain; charset=utf-8\n\n{body}"


def report(
    status: str, text: str = "Your mail was not delivered.", returned: str = "To: bob@example.com\n\nHello\n"
) -> str:
    """A report as RFC 3464 wants it."""
    return (
        f"{DAEMON}Subject: Undelivered Mail Returned to Sender\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        f"--b\nContent-Type: text/plain\n\n{text}\n"
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n{status}\n"
        f"--b\nContent-Type: message/rfc822\n\n{returned}\n--b--\n"
    )


FIELDS = [
    pytest.param(
        (
            "Final-Recipient: rfc822; bob@example.com\nAction: failed\n"
            "Status: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user"
        ),
        ("bob@example.com", "failed", "5.1.1", 550, True, "unknown-user"),
        id="as RFC 3464 shows it",
    ),
    pytest.param(
        (
            "Original-Recipient: rfc822;sales@example.com\nFinal-Recipient: "
            "rfc822;bob@inner.example.com\nAction: failed\nStatus: 5.2.2"
        ),
        ("sales@example.com", "failed", "5.2.2", 552, True, "mailbox-full"),
        id="the address that the sender used comes first",
    ),
    pytest.param(
        (
            "Final-Recipient: rfc822; bob@example.com\nAction: delayed\n"
            "Status: 4.4.1\nWill-Retry-Until: Mon, 5 May 2025 10:00:00 +0000"
        ),
        ("bob@example.com", "delayed", "4.4.1", None, False, "network"),
        id="a delay is not permanent",
    ),
    pytest.param(
        "Final-Recipient: LOCAL;\n <bob@example.com>\nAction: failed (undeliverable)\nStatus: 5.7.1 (policy)\n"
        "Diagnostic-Code: X-Notes; 554 5.7.1\n rejected by policy",
        ("bob@example.com", "failed", "5.7.1", 554, True, "policy"),
        id="folded fields, odd types, comments",
    ),
    pytest.param(
        "Final-Recipient: rfc822; root\nAction: failed\nStatus: 5.1.1",
        ("root", "failed", "5.1.1", 550, True, "unknown-user"),
        id="a user of the reporting host itself",
    ),
    pytest.param(
        "Final-Recipient: <bob@example.com>\nAction: error\nDiagnostic-Code: 550 5.1.1 unknown",
        ("bob@example.com", "failed", "5.1.1", 550, True, "unknown-user"),
        id="no address type, no status, private action",
    ),
    pytest.param(
        "Final-Recipient: rfc822; bob@example.com\nAction: failed\nStatus: 5.0.0\n"
        "Diagnostic-Code: smtp; 550 5.7.26 This message fails DMARC",
        ("bob@example.com", "failed", "5.7.26", 550, True, "authentication"),
        id="the diagnostic is more exact than the status",
    ),
    pytest.param(
        (
            "Final-Recipient: rfc822; bob@example.com\nAction: failed\n"
            "Status: 5.4.4\nDiagnostic-Code: x-postfix; name server: no such host"
        ),
        ("bob@example.com", "failed", "5.4.4", 550, True, "unknown-host"),
        id="a reply code that follows from the status",
    ),
]


@pytest.mark.req("VF-02")
@pytest.mark.parametrize(("status", "expected"), FIELDS)
def test_fields_of_a_delivery_report(status: str, expected: tuple[object, ...]) -> None:
    got = only(report(status))
    assert (got.address, got.action, got.status, got.smtp_code, got.permanent, got.reason) == expected


def test_one_entry_for_each_recipient() -> None:
    status = "\n\n".join(f"Final-Recipient: rfc822; {n}@example.com\nAction: failed\nStatus: 5.1.1" for n in "abc")
    assert [r.address for r in read(report(status)).recipients] == ["a@example.com", "b@example.com", "c@example.com"]


def test_blocks_without_a_blank_line_between_them_are_two_recipients() -> None:
    status = (
        "Final-Recipient: rfc822; a@example.com\nAction: failed\nStatus: 5.1.1\n"
        "Final-Recipient: rfc822; b@example.com\nAction: failed\nStatus: 5.2.2"
    )
    assert [(r.address, r.status) for r in read(report(status)).recipients] == [
        ("a@example.com", "5.1.1"),
        ("b@example.com", "5.2.2"),
    ]


def test_those_who_got_the_mail_are_left_out() -> None:
    status = (
        "Final-Recipient: rfc822; a@example.com\nAction: relayed\nStatus: 2.0.0\n\n"
        "Final-Recipient: rfc822; b@example.com\nAction: failed\nStatus: 5.1.1"
    )
    assert only(report(status)).address == "b@example.com"


def test_the_prose_fills_what_the_fields_leave_open() -> None:
    text = (
        "<bob@example.com>: host mx.example.com[192.0.2.1] said: 452 4.2.2 mailbox full (in reply to RCPT TO command)"
    )
    got = only(report("Final-Recipient: rfc822; bob@example.com\nAction: delayed", text))
    assert (got.status, got.smtp_code, got.permanent) == ("4.2.2", 452, False)


def test_nothing_in_the_returned_mail_is_evidence() -> None:
    returned = (
        "To: bob@example.com\nSubject: why 421 4.7.0?\n\nFinal-Recipient: rfc822; "
        "eve@example.net\nAction: failed\n550 5.1.1\n"
    )
    got = only(report("Final-Recipient: rfc822; bob@example.com\nAction: failed\nStatus: 5.0.0", returned=returned))
    assert (got.address, got.status, got.smtp_code) == ("bob@example.com", "5.0.0", None)


PROSE = [
    pytest.param(
        """\
Hi. This is the qmail-send program at mx.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<bob@example.com>:
192.0.2.7 does not like recipient.
Remote host said: 550 5.1.1 unknown user
Giving up on 192.0.2.7.

--- Below this line is a copy of the message.

Return-Path: <ann@example.org>
To: bob@example.com

421 4.0.0 eve@example.net
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="qmail",
    ),
    pytest.param(
        """\
<bob@example.com>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Enclosed is a copy of the message.
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="qmail without an introduction",
    ),
    pytest.param(
        """\
This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  bob@example.com
    SMTP error from remote mail server after RCPT TO:<bob@example.com>:
    host mx.example.com [192.0.2.7]: 553 5.3.0 no such user

------ This is a copy of the message, including all the headers. ------

To: eve@example.net
""",
        ("bob@example.com", "5.3.0", 553, True),
        id="Exim",
    ),
    pytest.param(
        """\
A message that you sent could not be delivered. The following address failed:

  bob@example.com
    (generated from sales@example.org)
    retry timeout exceeded
""",
        ("bob@example.com", None, None, True),
        id="Exim through an alias",
    ),
    pytest.param(
        """\
This message was created automatically by mail delivery software.
A message that you sent has not yet been delivered to one or more of its
recipients after more than 24 hours on the queue on mx.example.org.

The address to which the message has not yet been delivered is:

  bob@example.com
    Delay reason: Connection timed out

No action is required on your part.
""",
        ("bob@example.com", None, None, False),
        id="Exim, delayed",
    ),
    pytest.param(
        """\
   ----- The following addresses had permanent fatal errors -----
<bob@example.com>
    (reason: 550 5.2.1 account disabled)

   ----- Transcript of session follows -----
... while talking to mx.example.com.:
>>> DATA
<<< 550 5.2.1 account disabled
550 5.1.1 <bob@example.com>... User unknown
<<< 503 5.0.0 Need RCPT (recipient)
""",
        ("bob@example.com", "5.2.1", 550, True),
        id="sendmail 8",
    ),
    pytest.param(
        """\
   ----- Transcript of session follows -----
While talking to mx.example.com:
>>> RCPT To:<bob@example.com>
<<< 550 <bob@example.com>... User unknown
550 <bob@example.com>... User unknown

   ----- Unsent message follows -----
From: ann@example.org
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="sendmail 5",
    ),
    pytest.param(
        """\
This is the mail system at host mx.example.org.

I'm sorry to have to inform you that your message could not
be delivered.

<bob@example.com>: host mx.example.com[192.0.2.7] said: 554 5.7.1
    <bob@example.com>: Relay access denied (in reply to RCPT TO command)
""",
        ("bob@example.com", "5.7.1", 554, True),
        id="Postfix",
    ),
    pytest.param(
        """\
Your message

  To:      bob@example.com
  Subject: tools
  Sent:    Thu, 29 Apr 2010 00:00:00 -0000

did not reach the following recipient(s):

bob@example.com on Thu, 29 Apr 2010 00:00:00 -0000
    The recipient name is not recognized
    MSEXCH:IMS:NNN:CAT 0 (000C05A6)
""",
        ("bob@example.com", None, None, True),
        id="Exchange 5.5",
    ),
    pytest.param(
        """\
Delivery has failed to these recipients or distribution lists:

Bob<mailto:bob@example.com>
The recipient's e-mail address was not found.

Diagnostic information for administrators:

Generating server: ex.example.org

bob@example.com
#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##

Original message headers:

Received: from a by b
To: eve@example.net
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="Exchange 2007",
    ),
    pytest.param(
        """\
Your message to bob@example.com couldn't be delivered.
bob wasn't found at example.com.

More Info for Email Admins
Status code: 550 5.1.10
""",
        ("bob@example.com", "5.1.10", 550, True),
        id="Exchange Online, text only",
    ),
    pytest.param(
        """\
The message that you sent was undeliverable to the following:
	bob@example.com (user not found)

Possibly truncated original message follows:
""",
        ("bob@example.com", None, None, True),
        id="GroupWise",
    ),
    pytest.param(
        """\
Your message

  Subject: tools

was not delivered to:

  bob@example.com

because:

  User bob (bob@example.com) not listed in Domino Directory
""",
        ("bob@example.com", None, None, True),
        id="Domino",
    ),
    pytest.param(
        """\
This is an automatically generated Delivery Status Notification.

Delivery to the following recipients failed.

       bob@example.com
""",
        ("bob@example.com", None, None, True),
        id="Microsoft SMTP service",
    ),
    pytest.param(
        """\
Sorry, we were unable to deliver your message to the following address.

<bob@example.com>:
Remote host said: 552 5.2.2 over quota

--- Below this line is a copy of the message.
""",
        ("bob@example.com", "5.2.2", 552, True),
        id="Yahoo",
    ),
    pytest.param(
        """\
The user(s) account is disabled.

<bob@example.com>: 550 user unknown (in reply to RCPT TO command)
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="a Japanese carrier",
    ),
    pytest.param(
        """\
This message was created automatically by mail delivery software.
A message that you sent could not be delivered to one or more of its recipients. This is a permanent error.

bob@example.com Invalid Address, ERROR_CODE :550, ERROR_CODE :5.1.1 User Unknown
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="Zoho",
    ),
    pytest.param(
        """\
Unable to deliver message to <bob@example.com>.

Sent >>> RCPT TO:<bob@example.com>
Received <<< 550 5.1.1 no such user

************************     End of message     **********************
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="a virus scanner with a transcript",
    ),
    pytest.param(
        """\
Your message:
   From:    ann@example.org
   Subject: tools

Could not be delivered because of

550 5.1.1 User unknown

The following recipients were affected:
    bob@example.com
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="MailMarshal",
    ),
    pytest.param(
        """\
Message could not be delivered to mobile.
Error: No valid recipients for this MM

Message details:
  From: ann@example.org
  To: bob@example.com
""",
        ("bob@example.com", None, None, True),
        id="a gateway to phones",
    ),
    pytest.param(
        """\
      This is an automatically generated Delivery Status Notification.

Delivery to the following recipients failed permanently:

   * bob@example.com

   reason: SMTP:RCPT host mx.example.com: 553 5.3.0 <bob@example.com>... No such user here
""",
        ("bob@example.com", "5.3.0", 553, True),
        id="bulleted recipients",
    ),
    pytest.param(
        """\
We had trouble delivering your message. Full details follow:

Subject: 'tools'
1 error(s):

SMTP Server <mx.example.com> rejected recipient <bob@example.com>
  (Error following RCPT command). It responded as follows: [550 5.1.1 unknown]
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="a sentence about the recipient",
    ),
    pytest.param(
        """\
   ----- The following addresses had delivery problems -----

bob@example.com: mailbox is full

   ----- Non-delivered information -----
""",
        ("bob@example.com", None, None, True),
        id="a provider's list of problems",
    ),
    pytest.param(
        """\
  >>> bob@example.com <<<

550 sorry, no mailbox here by that name (#5.1.1 - chkusr)
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="an address between arrows",
    ),
    pytest.param(
        """\
The message WAS NOT relayed to:
  <bob@example.com>:
   550 5.7.1 Message content rejected, id=1-02
""",
        ("bob@example.com", "5.7.1", 550, True),
        id="a content filter",
    ),
    pytest.param(
        """\
Delivery to the following recipient failed permanently:

     bob@example.com

Technical details of permanent failure:
The error that the other server returned was:
550 5.1.1 <bob@example.com>: Recipient address rejected

----- Original message -----

To: eve@example.net
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="Gmail",
    ),
    pytest.param(
        """\
** Address not found **

Your message wasn't delivered to bob@example.com because the address couldn't be found, or is unable to
receive mail.

The response from the remote server was:
550 5.1.1 unknown
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="Gmail, newer",
    ),
    pytest.param(
        """\
"bob@example.com":
SMTP error from remote server after RCPT command:
host: mx.example.com
5.2.1 <bob@example.com>... User Unknown

--- The header of the original message is following. ---

To: eve@example.net
""",
        ("bob@example.com", "5.2.1", 550, True),
        id="GMX",
    ),
    pytest.param(
        """\
This is the DragonFly Mail Agent v0.13 at mx.example.org.

There was an error delivering your mail to <bob@example.com>.

mx.example.com did not like our RCPT TO:
525 5.7.13 User suspended

Message headers follow.

To: <eve@example.net>
""",
        ("bob@example.com", "5.7.13", 525, True),
        id="DragonFly",
    ),
    pytest.param(
        """\
    Hi!

    This is the MAILER-DAEMON, please DO NOT REPLY to this e-mail.

    An error has occurred while attempting to deliver a message for
    the following list of recipients:

bob@example.com: 550 5.1.1 no such user

    Below is a copy of the original message:

To: eve@example.net
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="OpenSMTPD",
    ),
    pytest.param(
        """\
An email that you attempted to send to the following address could not be delivered:
-- bob@example.com

The problem appears to be :
-- Recipient email address is possibly incorrect

Additional information follows :
-- 5.4.1 Recipient address rejected
""",
        ("bob@example.com", "5.4.1", None, True),
        id="Mimecast",
    ),
    pytest.param(
        """\
Ваше сообщение не доставлено.

  bob@example.com
    почтовый ящик переполнен (552 5.2.2)
""",
        ("bob@example.com", "5.2.2", 552, True),
        id="in Russian",
    ),
    pytest.param(
        """\
Ihre Nachricht konnte nicht zugestellt werden.

Empfänger: bob@example.com
Grund: 550 5.1.1 unbekannt
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="in German, labelled",
    ),
    pytest.param(
        """\
Message could not be delivered to some recipients.

Failed recipient(s):
bob@example.com

Error message:
550 5.1.1 user unknown
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="a Java mail server",
    ),
    pytest.param(
        """\
This is a delivery failure notification.
Final-Recipient: rfc822; bob@example.com
Action: failed
Status: 5.1.1
""",
        ("bob@example.com", "5.1.1", 550, True),
        id="fields in plain text",
    ),
    pytest.param(
        """\
Your mail could not be delivered. Nothing else is known.

----- Original message -----

From: ann@example.org
To: Bob <bob@example.com>

Hello
""",
        ("bob@example.com", None, None, True),
        id="only the returned mail names the recipient",
    ),
]


@pytest.mark.parametrize(("body", "expected"), PROSE)
def test_private_formats(body: str, expected: tuple[object, ...]) -> None:
    got = only(plain(body))
    assert (got.address, got.status, got.smtp_code, got.permanent) == expected


def test_each_recipient_keeps_its_own_codes() -> None:
    body = (
        "The following addresses failed:\n\n<a@example.com>:\n192.0.2.1 said: 550 5.1.1 unknown user\n\n"
        "<b@example.com>:\n192.0.2.1 said: 452 4.2.2 mailbox full\n"
    )
    assert [(r.address, r.status, r.smtp_code) for r in read(plain(body)).recipients] == [
        ("a@example.com", "5.1.1", 550),
        ("b@example.com", "4.2.2", 452),
    ]


def test_recipients_in_one_line_are_several() -> None:
    found = read(plain("Your message could not be delivered to:\n\na@example.com, <b@example.com>; c@example.com\n"))
    assert [r.address for r in found.recipients] == ["a@example.com", "b@example.com", "c@example.com"]


def test_the_author_that_a_report_names_did_not_bounce() -> None:
    body = (
        "A message sent by\n\n  <carl@example.org>\n\ncould not be delivered. The following address failed:\n\n"
        "  bob@example.com\n    550 Bad SPF records\n"
    )
    assert [one.address for one in read(plain(body)).recipients] == ["bob@example.com"]


def test_an_address_in_the_middle_of_a_line_that_ends_in_a_reply_is_read() -> None:
    body = (
        "Your message was not delivered.\n\nbob:000:<bob@example.com> : mx:[192.0.2.1] : 550 5.1.1 unknown in RCPT TO\n"
    )
    one = only(plain(body))
    assert (one.address, one.status, one.smtp_code) == ("bob@example.com", "5.1.1", 550)


def test_the_first_reply_counts_when_a_later_one_says_nothing_more() -> None:
    body = (
        "   ----- The following addresses had permanent fatal errors -----\n<bob@example.com>\n"
        "    (reason: 550 : User unknown)\n\n   ----- Transcript of session follows -----\n"
        "554 5.0.0 Service unavailable\n"
    )
    one = only(plain(body))
    assert (one.smtp_code, one.reason) == (550, "unknown-user")


def test_who_wrote_to_himself_is_the_one_who_did_not_get_it() -> None:
    body = "<ann@example.org>: host mx.example.org said: 452 4.3.2 Connection rate limit exceeded\n"
    assert only(plain(body)).address == "ann@example.org"


def test_the_header_of_failed_recipients_names_them() -> None:
    head = f"{DAEMON}X-Failed-Recipients: a@example.com,\n b@example.com\n"
    found = read(plain("Delivery failed, see eve@example.net", head=head))
    assert [r.address for r in found.recipients] == ["a@example.com", "b@example.com"]


def test_a_report_inside_a_scanners_mail_is_read() -> None:
    inner = report("Final-Recipient: rfc822; bob@example.com\nAction: failed\nStatus: 5.1.1")
    outer = (
        f'{DAEMON}Subject: Undelivered\nContent-Type: multipart/mixed; boundary="o"\n\n'
        f"--o\nContent-Type: message/rfc822\n\n{inner}\n--o--\n"
    )
    assert only(outer).address == "bob@example.com"


def test_a_report_inside_a_gateways_multipart_is_read() -> None:
    inner = report("Final-Recipient: rfc822; bob@example.com\nAction: failed\nStatus: 5.1.1").partition("Subject:")[2]
    outer = (
        "From: notices@example.org\nTo: ann@example.org\nSubject: Notice\n"
        'Content-Type: multipart/mixed; boundary="o"\n\n'
        f"--o\nSubject:{inner}\n--o\nContent-Type: text/plain\n\nChecked by the gateway.\n--o--\n"
    )
    assert only(outer).address == "bob@example.com"


def test_a_report_that_came_back_itself_is_the_returned_mail() -> None:
    inner = report("Final-Recipient: rfc822; bob@example.com\nAction: failed\nStatus: 5.1.1")
    outer = (
        f'{DAEMON}Subject: Returned mail\nContent-Type: multipart/mixed; boundary="o"\n\n'
        "--o\nContent-Type: text/plain\n\n"
        f"Your mail was not delivered:\n\n<carl@example.net>: 550 5.1.1 unknown\n"
        f"--o\nContent-Type: message/rfc822\n\n{inner.replace('To: ann@example.org', 'To: carl@example.net')}\n--o--\n"
    )
    assert only(outer).address == "carl@example.net"


@pytest.mark.parametrize("path", ["rfc822;/var/spool/boxes/bob", 'rfc822;"|/usr/bin/filter -d"', "x400; /S=Lind/C=NO/"])
def test_the_status_of_a_path_belongs_to_the_mailbox_that_the_text_names(path: str) -> None:
    got = only(report(f"Final-Recipient: {path}\nAction: failed\nStatus: 5.2.2", "<bob@example.com>: not delivered"))
    assert (got.address, got.status, got.action) == ("bob@example.com", "5.2.2", "failed")


def test_a_path_stands_for_itself_when_the_report_names_nobody() -> None:
    status = "Final-Recipient: rfc822;/var/spool/boxes/bob\nAction: failed\nStatus: 5.2.2"
    got = only(report(status, returned="Hello\n"))
    assert (got.address, got.status) == ("/var/spool/boxes/bob", "5.2.2")


def test_the_receiver_of_a_report_is_not_a_failed_recipient_beside_another_one() -> None:
    fields = "Final-Recipient: rfc822; {}\nAction: failed\nStatus: 5.1.1\n\n"
    both = fields.format("ann@example.org") + fields.format("bob@example.com")
    assert only(report(both)).address == "bob@example.com"


QUOTED = [
    ("5.1.0 - Unknown address error 550-'5.1.1 <bob@example.com>: unknown'", (550, "5.1.1")),
    ('554 5.3.0 The server of the recipient said: "552 5.2.2 mailbox full"', (552, "5.2.2")),
    ("550 5.4.300 Message expired -> 451 4.7.500 Server busy", (451, "4.7.500")),
    ("550 5.0.350 Remote server returned an error [LED=550 5.1.10 not found]", (550, "5.1.10")),
    ("550 5.1.1 unknown, see the answer 5.0.0", (550, "5.1.1")),
    ("550 5.7.1 blocked; the other server said: 554 5.0.0 failed", (550, "5.7.1")),
]


@pytest.mark.parametrize(("diagnostic", "expected"), QUOTED)
def test_the_quoted_reply_of_a_server_counts_before_the_words_around_it(
    diagnostic: str, expected: tuple[int, str]
) -> None:
    got = only(report(f"Final-Recipient: rfc822; bob@example.com\nAction: failed\nDiagnostic-Code: smtp; {diagnostic}"))
    assert (got.smtp_code, got.status) == expected


def test_the_reply_above_a_protocol_error_is_that_of_the_server() -> None:
    body = "<<< 501 not from you\n554 <bob@example.com>... Remote protocol error\n"
    assert only(plain(body, "Returned mail: User unknown")).smtp_code == 501


def test_a_json_notice_of_a_sending_service_is_read() -> None:
    body = (
        '{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bouncedRecipients":[{"emailAddress":'
        '"bob@example.com","action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 unknown"}]}}'
    )
    got = only(plain(body, head="From: no-reply@example.com\nx-amz-sns-message-id: 1\n"))
    assert (got.address, got.status, got.smtp_code, got.permanent) == ("bob@example.com", "5.1.1", 550, True)


@pytest.mark.parametrize(
    "body",
    [
        '{"notificationType":"Bounce","bounce":{"bouncedRecipients":[{"emailAddress":"nobody"},{"emailAddress":5}]}}',
        '{"notificationType":"Bounce","bounce":' + "[" * 5_000,
        '{"notificationType":"Bounce","bounce":' + "9" * 5_000 + "}",
        '{"Message":"{\\"notificationType\\":\\"Bounce\\"}","notificationType":3}',
    ],
    ids=["no addresses", "deep", "a long number", "nothing in it"],
)
def test_a_broken_notice_names_nobody(body: str) -> None:
    posted = notices.read(body)
    assert posted is None or bounce.read_notice(posted) == Bounce(())


def test_half_a_character_in_a_notice_is_replaced() -> None:
    entry = '{"emailAddress":"bob@example.com","diagnosticCode":"smtp; 550 \\ud800"}'
    posted = notices.read('{"notificationType":"Bounce","bounce":{"bouncedRecipients":[' + entry + "]}}")
    assert posted is not None
    assert [r.diagnostic for r in bounce.read_notice(posted).recipients] == ["550 ?"]


def test_a_status_is_not_read_out_of_an_address_or_a_version() -> None:
    got = only(plain("<bob@example.com>: host mx[5.1.2.3] running MTA version 5.7.1 refused to talk to me\n"))
    assert (got.status, got.smtp_code) == (None, None)


HOSTILE = {
    "brackets": "<" * 200_000,
    "ats": "a@" * 100_000,
    "codes": "550 5.1.1 " * 20_000,
    "locals": ("x" * 120 + "@ ") * 2_000,
    "dialogue": "RCPT TO: " * 30_000,
    "words": "user " * 40_000,
    "fields": "Final-Recipient: rfc822; a@b.example\nAction: failed\n" * 5_000,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_read_within_bounds(body: str) -> None:
    root = tree.parse(plain(body).encode())
    assert len(bounce.read(root, pieces.of(root, body)).recipients) <= bounce.MAX_RECIPIENTS


@pytest.mark.parametrize(
    ("line", "tame"),
    [
        ("to <a@b.example> and <c@d.example", "to <a@b.example> and  c@d.example"),
        ("no bracket", "no bracket"),
        ("<<<<", "    "),
        ("x" * 2500, "\n".join(("x" * 1000, "x" * 1000, "x" * 500))),
        ("a\n\nb", "a\n\nb"),
    ],
)
def test_the_library_gets_lines_that_its_patterns_get_through(line: str, tame: str) -> None:
    assert library.fast_to_match(line) == tame


def test_recipients_beyond_the_cap_are_noted() -> None:
    fields = "".join(
        f"Final-Recipient: rfc822; a{n}@b.example\nAction: failed\nStatus: 5.1.1\n\n" for n in range(1_001)
    )
    root = tree.parse(f"{DAEMON}Subject: Undelivered mail\n\n{fields}".encode())
    verdict = kind.classify(root, subject="Undelivered mail", text=fields)
    assert verdict.bounce is not None
    assert len(verdict.bounce.recipients) == bounce.MAX_RECIPIENTS
    assert "bounce-recipients-capped" in root.defects


def test_each_of_many_recipients_gets_the_words_around_its_name() -> None:
    lines = "".join(f"<a{n}@b.example>: {550 if n % 2 else 452} reason {n}\n\n" for n in range(100))
    found = read(plain(lines)).recipients
    assert [one.smtp_code for one in found] == [452, 550] * 50
    assert [one.diagnostic for one in found[:2]] == ["452 reason 0", "550 reason 1"]


def test_the_lines_that_name_an_address_are_found_once_each_and_cut_at_the_bound() -> None:
    mentions = prose.Mentions("Zero\nto ANN@b.example, ann@b.example\none\ntwo\nthree\n<ann@b.example>\nfour")
    assert mentions.of("Ann@b.example", 1_000) == ("to ANN@b.example, ann@b.example\none\ntwo\n<ann@b.example>\nfour")
    assert mentions.of("Ann@b.example", 9) == "to ANN@b."
    assert mentions.of("bob@b.example", 1_000) == ""


@pytest.mark.parametrize("line", ["\n", "a" * 60 + "\n", " " * 5_000 + "\n"])
def test_the_library_sees_a_bounded_amount_of_text_over_all_parts(line: str) -> None:
    part = "--b\n\n" + line * (90_000 // len(line))
    raw = DAEMON + "Content-Type: multipart/mixed; boundary=b\n\n" + part * 10 + "--b--\n"
    parts = [str(each.get_payload()) for each in library.as_message(tree.parse(raw.encode())).walk()][1:]
    assert sum(map(len, parts)) < 1.1 * library.MAX_CHARS
    assert sum(text.count("\n") for text in parts) <= library.MAX_CHARS // library.MIN_LINE
