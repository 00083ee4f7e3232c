"""Requirements, section 2: filtering, through the whole pipeline."""

from __future__ import annotations

import pytest

from shared.config.model import PRECONFIGURED_RULES, MailServer, Rule, Settings
from shared.config.reading import load_bytes
from shared.patterns import PatternTime
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk


@pytest.mark.req("TI-21", "PR-01")
@pytest.mark.parametrize(
    "sender",
    [
        "postmaster@mx.example",
        "Mail Delivery Subsystem <x@mx.example>",
        "System Administrator <a@mx.example>",
        "MAILER-DAEMON@mx.example",
    ],
)
def test_preconfigured_sender_rules_reject_and_keep_the_mail(desk: Desk, sender: str) -> None:
    raw = a_mail(sender=sender)
    (mail,) = desk.receive(raw)
    assert (mail["outcome"], mail["rule"], desk.records()) == ("rejected", "barred-sender", [])
    assert desk.store.get_blob(mail["raw"]) == raw


@pytest.mark.req("TI-22", "PR-01")
@pytest.mark.parametrize("subject", PRECONFIGURED_RULES[1].match["subject_begins"])
def test_preconfigured_subject_rules_reject_whatever_the_case(desk: Desk, subject: str) -> None:
    (mail,) = desk.receive(a_mail(subject=f"Fwd: {subject.upper()} - details"))
    assert mail["outcome"] == "rejected"
    assert mail["reason"]


@pytest.mark.req("TI-22")
@pytest.mark.parametrize(
    ("subject", "rejected"),
    [
        ("I am out of office next week, please forward my calls", False),
        ("Our undeliverable mail", False),
        ("Out of officers' mess", False),
        ("Returned mailbox keys", False),
        ("Re: AW: Fwd[2]: out-of-office: back on Monday", True),
        ("WG:Out  of\u2011Office", True),
        ("Non-deliverable mail", True),
        ("Undeliverable : parcel 12", True),
        ("Message status \u2013 undeliverable", True),
        ("[EXTERNAL] Undeliverable: Re: Your order", True),
        ("Re: ***SPAM*** EXT: out of office: back on Monday", True),
        ("[EXTERNAL] Is my undeliverable mail here?", False),
        ("Re: [Call - INC1] Out of office: how do I set it?", False),
    ],
)
def test_a_preconfigured_subject_begins_the_subject(desk: Desk, subject: str, rejected: bool) -> None:
    (mail,) = desk.receive(a_mail(subject=subject))
    assert (mail["outcome"], mail.get("rule")) == (("rejected", "barred-subject") if rejected else ("recorded", None))


@pytest.mark.req("TI-21", "TI-22")
@pytest.mark.parametrize(
    ("rules", "sender", "subject", "rejected"),
    [
        ("[{name: barred-subject, enabled: false}]", "a@b.example", "Out of office", False),
        ("[{name: barred-subject, enabled: false}]", "postmaster@b.example", "x", True),
        ("[{name: barred-subject, match: {subject_begins: [absence]}}]", "a@b.example", "Out of office", False),
        ("[{name: barred-subject, match: {subject_begins: [absence]}}]", "a@b.example", "Re: Absence", True),
        ("[{name: barred-sender, match: {sender: [mailer-daemon]}}]", "postmaster@b.example", "x", False),
        ("[{name: barred-sender, direction: outbound}]", "postmaster@b.example", "x", False),
        ("[{name: barred-sender, applies_to: analysts}]", "postmaster@b.example", "x", False),
        ("[{name: mine, match: {subject: xx}, enabled: false}]", "a@b.example", "xx", False),
    ],
)
def test_preconfigured_rules_are_switched_off_and_changed_like_any_other(
    desk: Desk, rules: str, sender: str, subject: str, rejected: bool
) -> None:
    desk.configure(load_bytes(f"inboxes: [{{name: support, address: support@example.com}}]\nrules: {rules}".encode()))
    (mail,) = desk.receive(a_mail(sender=sender, subject=subject))
    assert (mail["outcome"] == "rejected") is rejected


@pytest.mark.req("TI-20")
@pytest.mark.parametrize(
    ("match", "sender"),
    [
        ({"sender": ("münchen.example",)}, "y@xn--mnchen-3ya.example"),
        ({"sender": ("MU\u0308NCHEN.example",)}, "y@xn--mnchen-3ya.example"),
        ({"sender": ("@XN--MNCHEN-3YA.example",)}, "y@münchen.example"),
        ({"sender": ("y@münchen",)}, "Y@XN--MNCHEN-3YA.EXAMPLE"),
        ({"regex": {"sender": r"@münchen\.example>$"}}, "y@xn--mnchen-3ya.example"),
        ({"regex": {"any": r"@xn--mnchen-3ya\.example"}}, "y@MÜNCHEN.example"),
    ],
)
def test_a_rule_finds_an_international_domain_in_any_spelling(
    desk: Desk, match: dict[str, object], sender: str
) -> None:
    desk.configure(a_configuration(rules=(Rule("mine", match),)))
    (mail,) = desk.receive(f"From: {sender}\nTo: support@example.com\nSubject: x\n\ny\n".encode())
    assert (mail["outcome"], mail["rule"]) == ("rejected", "mine")


@pytest.mark.req("TI-20")
@pytest.mark.parametrize(
    ("match", "sender", "subject", "rejected"),
    [
        ({"sender": "newsletter@"}, "Newsletter@shop.example", "x", True),
        ({"sender": "shop.example"}, "a@shop.example", "x", True),
        ({"sender": "a@one.example, B@two.example"}, "b@two.example", "x", True),
        ({"sender": "buy now"}, "Buy Now! <a@shop.example>", "x", True),
        ({"sender": "buy now"}, '"Buy  Now!" <a@shop.example>', "x", True),
        ({"subject": "win 500"}, "a@b.example", "Win\u00a0500", True),
        ({"subject": "lottery"}, "a@b.example", "The LOTTERY result", True),
        ({"sender": "shop.example", "subject": "offer"}, "a@shop.example", "hello", False),
        ({"sender": "corp.com"}, "a@other.example", "x", False),
        ({"regex": {"subject": r"win\s+\d+"}}, "a@b.example", "WIN  500 now", True),
        ({"header": {"X-Campaign": "spring"}}, "a@b.example", "x", False),
        ({"size": 100}, "a@b.example", "x", True),
    ],
)
def test_a_rule_of_the_administrator(
    desk: Desk, match: dict[str, object], sender: str, subject: str, rejected: bool
) -> None:
    desk.configure(a_configuration(rules=(Rule("mine", match, reason="not here"),)))
    (mail,) = desk.receive(a_mail(sender=sender, subject=subject))
    assert (mail["outcome"], mail.get("rule")) == (("rejected", "mine") if rejected else ("recorded", None))


@pytest.mark.req("TI-20")
def test_a_rule_on_a_header_reads_the_raw_mail(desk: Desk) -> None:
    desk.configure(a_configuration(rules=(Rule("campaign", {"header": {"x-campaign": "SPRING"}}, reason="ads"),)))
    (mail,) = desk.receive(a_mail(X_Campaign="spring sale"))
    assert (mail["outcome"], mail["reason"]) == ("rejected", "ads")


@pytest.mark.req("TI-23")
@pytest.mark.parametrize(
    ("applies_to", "sender", "rejected"),
    [
        ("analysts", "ann@example.com", True),
        ("analysts", "jdoe@example.com", False),
        ("requestors", "ann@example.com", False),
        ("requestors", "jdoe@example.com", True),
        ("requestors", "nobody@else.example", True),
        ("both", "ann@example.com", True),
    ],
)
def test_a_rule_may_concern_analysts_or_requestors_only(
    desk: Desk, applies_to: str, sender: str, rejected: bool
) -> None:
    rule = Rule("mine", {"subject": "lunch"}, applies_to=applies_to)  # type: ignore[arg-type]
    desk.configure(a_configuration(a_person(), an_analyst(), rules=(rule,)))
    (mail,) = desk.receive(a_mail(sender=sender, subject="Lunch?"))
    assert (mail["outcome"] == "rejected") is rejected


@pytest.mark.req("TI-23")
def test_an_outbound_rule_does_not_keep_mail_out(desk: Desk) -> None:
    desk.configure(a_configuration(rules=(Rule("out", {"sender": "anna@"}, direction="outbound"),)))
    (mail,) = desk.receive(a_mail())
    assert mail["outcome"] == "recorded"


@pytest.mark.req("TI-24", "TI-26")
@pytest.mark.parametrize(
    ("accept_only", "accepted"),
    [
        ("anyone", {"user", "analyst", "stranger"}),
        ("requestors", {"user"}),
        ("technicians", {"analyst"}),
        ("both", {"user", "analyst"}),
    ],
)
def test_an_inbox_may_take_mail_of_existing_people_only(desk: Desk, accept_only: str, accepted: set[str]) -> None:
    inbox = an_inbox(accept_only=accept_only)
    desk.configure(a_configuration(inbox, a_person("user", active=False), an_analyst("analyst")))
    senders = ("user", "analyst", "stranger")
    mails = desk.receive(*(a_mail(f"from {name}\n", sender=f"{name}@example.com") for name in senders))
    assert {name for name, mail in zip(senders, mails, strict=True) if mail["outcome"] == "recorded"} == accepted


@pytest.mark.req("TI-25")
@pytest.mark.parametrize(("length", "outcome"), [(400, "recorded"), (401, "rejected")])
def test_a_subject_of_more_than_four_hundred_decoded_characters_is_not_taken(
    desk: Desk, length: int, outcome: str
) -> None:
    (mail,) = desk.receive(a_mail(subject="ü" * length))
    assert mail["outcome"] == outcome


@pytest.mark.req("TI-25")
def test_the_subject_limit_is_settable(desk: Desk) -> None:
    desk.configure(a_configuration(settings=Settings(max_subject_length=10)))
    (mail,) = desk.receive(a_mail(subject="x" * 11))
    assert (mail["outcome"], mail["rule"]) == ("rejected", "subject-length")


@pytest.mark.req("PR-02", "TI-12")
@pytest.mark.parametrize(
    ("headers", "rule"),
    [
        ({"Auto_Submitted": "auto-replied"}, "kind"),
        ({"Return_Path": "<>", "Precedence": "bulk"}, "null-return-path"),
        ({"X_Postroom_Loop": "support"}, "own-loop-header"),
    ],
    ids=["auto-reply", "null path", "own mark"],
)
def test_robots_and_loops_are_rejected(desk: Desk, headers: dict[str, str], rule: str) -> None:
    (mail,) = desk.receive(a_mail(**headers))
    assert (mail["outcome"], mail["rule"]) == ("rejected", rule)


@pytest.mark.req("PR-02")
def test_mail_that_an_inbox_of_ours_sent_is_a_loop(desk: Desk) -> None:
    (mail,) = desk.receive(a_mail(sender="Support <SUPPORT@example.com>"))
    assert (mail["outcome"], mail["rule"]) == ("rejected", "own-address")


@pytest.mark.req("IV-06", "PR-02", "TI-20")
@pytest.mark.parametrize(("sender", "rule"), [("support", "own-address"), ("spammer", "mine")])
def test_rules_see_an_address_with_its_default_domain(desk: Desk, sender: str, rule: str) -> None:
    rules = (Rule("mine", {"sender": "spammer@example.com"}),)
    desk.configure(a_configuration(an_inbox(default_domain="example.com"), rules=rules))
    (mail,) = desk.receive(b"From: " + sender.encode() + b"\nTo: support@example.com\nSubject: x\n\ny\n")
    assert (mail["outcome"], mail["rule"]) == ("rejected", rule)


@pytest.mark.req("PR-02")
@pytest.mark.parametrize("keys", [{"Return_Path": "<>"}, {}], ids=["header", "envelope"])
def test_an_empty_return_path_alone_stops_answers_and_no_record(desk: Desk, keys: dict[str, str]) -> None:
    desk.receive(a_mail())
    (mail,) = desk.receive(a_mail("more\n", subject="Incident#1", **keys), envelope_from=None if keys else "")
    assert (mail["outcome"], len(desk.activities(desk.record())), desk.outbox()) == ("recorded", 2, [])


@pytest.mark.req("PR-02")
@pytest.mark.parametrize(
    "headers", [{"List_Id": "<l.example>"}, {"Precedence": "bulk"}, {"Auto_Submitted": "auto-generated"}]
)
def test_mail_through_a_group_becomes_a_record_but_is_not_answered(desk: Desk, headers: dict[str, str]) -> None:
    desk.receive(a_mail())
    (mail,) = desk.receive(a_mail("news\n", subject="Incident#1", **headers))
    assert mail["outcome"] == "recorded"
    assert desk.outbox() == []


@pytest.mark.req("PR-02")
def test_a_robot_that_repeats_itself_is_stopped(desk: Desk) -> None:
    mails = desk.receive(*(a_mail(f"alarm {n}\n", subject="Disk alarm", Precedence="bulk") for n in range(70)))
    outcomes = [mail["outcome"] for mail in mails]
    assert (outcomes.count("recorded"), outcomes.count("rejected")) == (60, 10)


@pytest.mark.req("VF-02")
def test_a_bounce_is_rejected_and_a_person_who_mentions_550_is_not(desk: Desk) -> None:
    bounce = (
        b"From: MTA <mta@mx.example>\r\nTo: support@example.com\r\nSubject: your mail\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n"
        b"--x\r\nContent-Type: text/plain\r\n\r\nNo.\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; bob@nowhere.example\r\nAction: failed\r\n"
        b"Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n--x--\r\n"
    )
    rejected, recorded = desk.receive(bounce, a_mail("I get error 550 5.1.1 when I write to Bob.\n", subject="550"))
    assert (rejected["outcome"], recorded["outcome"]) == ("rejected", "recorded")
    assert "550" in rejected["reason"]


@pytest.mark.req("IV-05")
@pytest.mark.parametrize(("last", "outcome"), [("support@example.com", "recorded"), ("bob@example.com", "rejected")])
def test_the_last_of_more_recipients_than_are_listed_counts(desk: Desk, last: str, outcome: str) -> None:
    desk.configure(a_configuration(an_inbox(ignore_cc=True)))
    others = ", ".join(f"p{number}@customer.example" for number in range(1200))
    (mail,) = desk.receive(a_mail(to=f"{others}, {last}"))
    assert (mail["outcome"], mail["defects"]) == (outcome, ["addresses-capped"])


@pytest.mark.req("IV-05")
@pytest.mark.parametrize(
    ("to", "cc", "outcome"),
    [("support@example.com", "x@y.example", "recorded"), ("x@y.example", "support@example.com", "rejected")],
)
def test_mail_that_reaches_the_inbox_by_copy_only_is_ignored_when_so_set(
    desk: Desk, to: str, cc: str, outcome: str
) -> None:
    desk.configure(a_configuration(an_inbox(ignore_cc=True)))
    (mail,) = desk.receive(a_mail(to=to, Cc=cc))
    assert mail["outcome"] == outcome


@pytest.mark.req("PR-01")
def test_an_empty_mail_is_rejected_with_a_reason(desk: Desk) -> None:
    (mail,) = desk.receive(b"")
    assert (mail["outcome"], mail["rule"]) == ("rejected", "empty")


@pytest.mark.req("IV-05")
@pytest.mark.parametrize(("setting", "outcome"), [("ignore", "recorded"), ("keep", "rejected")])
def test_a_plus_address_of_the_inbox_is_the_inbox_by_setting(desk: Desk, setting: str, outcome: str) -> None:
    settings = Settings(plus_addressing=setting)  # type: ignore[arg-type]
    desk.configure(a_configuration(an_inbox(ignore_cc=True), settings=settings))
    (mail,) = desk.receive(a_mail(to="Support+printers@example.com"))
    assert mail["outcome"] == outcome


@pytest.mark.req("TI-20")
def test_a_mail_that_patterns_have_no_time_for_is_a_dead_letter_and_not_let_through(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.filter.stage.PatternTime", lambda: PatternTime(0.0))
    rule = Rule("slow", {"regex": {"body": "(a|aa)+$"}})
    desk.configure(a_configuration(rules=(Rule("quick", {"subject": ("nothing",)}), rule)))
    (mail,) = desk.receive(a_mail())
    assert (mail["outcome"], len(desk.dead_letters())) == ("dead", 1)
    assert "patterns took more than 0 s on this mail" in desk.dead_letters()[0]["reason"]


@pytest.mark.req("TI-20")
def test_an_answer_that_patterns_have_no_time_for_is_kept_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.notifier.permission.PatternTime", lambda: PatternTime(0.0))
    rule = Rule("slow", {"regex": {"subject": "(a|aa)+$"}}, direction="outbound")
    server = MailServer("default", host="localhost", from_address="support@example.com")
    desk.configure(a_configuration(rules=(rule,), mail_servers=(server,)))
    desk.receive(a_mail())
    desk.receive(a_mail(subject="Incident#1"))
    (out,) = desk.outbox()
    assert (out["state"], "was not tried" in out["reason"]) == ("blocked", True)
