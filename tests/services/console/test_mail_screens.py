"""Mails, one mail, rejected mail, trying one: what they show, to whom, and what they do without JavaScript."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from services.operator.mail import jobs
from services.operator.mail.job_source import JobSource
from shared.store.mails import MailQuery
from tests.builders import a_mail
from tests.desk import Desk
from tests.services.console.conftest import Clients
from tests.services.operator.health.test_conservation import run


def an_absence(number: int = 0) -> bytes:
    """A mail that a rule rejects."""
    return a_mail(f"I am away {number}.\n", subject=f"Out of office {number}")


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a page's forms, without the token of the session."""
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
    return {name: value for name, value in found if name != "form_token"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"Printer", "Chairs", "Out of office 0"}),
        ("q=prin", {"Printer"}),
        ("q=anna@customer.example", {"Printer", "Chairs", "Out of office 0"}),
        ("q=office+out", {"Out of office 0"}),
        ("q=INC2", {"Chairs"}),
        ("q=nothing", set()),
        ("outcome=rejected", {"Out of office 0"}),
        ("rule=barred-subject", {"Out of office 0"}),
        ("outcome=recorded&inbox=support", {"Printer", "Chairs"}),
        ("since=1d", {"Printer", "Chairs", "Out of office 0"}),
        ("until=2026-11-19", set()),
        ("skip=2", {"Printer"}),
    ],
)
def test_mails_are_searched_and_filtered_by_the_address(
    desk: Desk, clients: Clients, query: str, expected: set[str]
) -> None:
    desk.receive(a_mail())
    desk.receive(a_mail(subject="Chairs"))
    desk.receive(an_absence())
    page = clients("viewer").get(f"/mails?{query}").text
    assert set(re.findall(r"<bdi>(Printer|Chairs|Out of office 0)</bdi>", page)) == expected


def test_an_id_and_a_message_id_name_one_mail(desk: Desk, clients: Clients) -> None:
    desk.receive(a_mail(Message_ID="<one@customer.example>"), a_mail(subject="Chairs"))
    (mail,) = [each for each in desk.mails() if each["subject"] == "Printer"]
    client = clients("viewer")
    for text in (mail["_id"][:10], mail["_id"], "<one@customer.example>"):
        page = client.get("/mails", params={"q": text}).text
        assert ("Printer" in page, "Chairs" in page) == (True, False), text


@pytest.mark.req("PR-01")
def test_a_rejected_mail_is_found_by_its_reason_and_released(desk: Desk, clients: Clients) -> None:
    (mail,) = desk.receive(an_absence())
    client = clients("operator")
    page = client.get("/rejected").text
    assert "barred-subject" in page
    assert "Out of office 0" in page
    answer = client.submit(f"/mails/{mail['_id']}/release", reason="she asks for help")
    assert answer.headers["location"] == f"/mails/{mail['_id']}"
    desk.work()
    shown = client.get(f"/mails/{mail['_id']}").text
    assert re.search(r'class="state recorded">recorded', shown)
    assert "she asks for help" in shown
    assert "INC1" in shown


def test_all_that_match_are_released_by_a_job(desk: Desk, clients: Clients) -> None:
    desk.receive(*map(an_absence, range(3)))
    client = clients("operator")
    asked = client.get("/mails/act?verb=release&scope=all&outcome=rejected&q=office").text
    assert "<h1>Release 3 mails?</h1>" in asked
    desk.receive(an_absence(9))
    fields = hidden(asked)
    first = client.submit("/mails/act", **fields, reason="back")
    again = client.submit("/mails/act", **fields)
    assert first.headers["location"] == again.headers["location"]
    JobSource(desk.app).once()
    assert "finished: released 3 of 3 mails" in client.get(first.headers["location"]).text
    assert "finished: released 3 of 3 mails" in client.get("/jobs").text
    assert len(list(desk.app.mails.recent(MailQuery(outcome="rejected"), 9))) == 1


@pytest.mark.req("PR-12")
def test_a_mail_in_flight_is_replayed_from_its_page(desk: Desk, clients: Clients) -> None:
    """Its message may be lost; where it is not, there is one record all the same."""
    desk.hand_in(a_mail())
    run(desk, "parser")
    (mail,) = desk.mails()
    client, path = clients("operator"), f"/mails/{mail['_id']}"
    assert "if postroom doctor says that it has no message: postroom mails replay" in client.get(path).text
    assert "Replay</button>" in client.get(path).text
    client.submit(f"{path}/replay", reason="the queue was purged")  # type: ignore[attr-defined]
    desk.work()
    said = [(each.decision, each.why) for each in desk.app.journal.of_mail(mail["_id"]) if each.stage == "operator"]
    assert said == [("replayed", "by operator-1: the queue was purged; to filter")]
    assert [record["subject"] for record in desk.records()] == ["Printer"]
    assert "Replay</button>" not in client.get(path).text


def test_many_mails_need_their_number_typed(desk: Desk, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MANY", 1)
    monkeypatch.setattr("services.console.screens.mails.MANY", 1)
    desk.receive(*map(an_absence, range(2)))
    client = clients("operator")
    asked = client.get("/mails/act?verb=release&scope=all&outcome=rejected").text
    assert "Type their number, 2, to go on" in asked
    for wrong in ("", "3"):
        answer = client.submit("/mails/act", **hidden(asked), number=wrong)
        assert "these are 2 mails now" in answer.text
    assert client.submit("/mails/act", **hidden(asked), number="2").status_code == 303


def test_selected_mails_are_acted_on_and_others_are_not(desk: Desk, clients: Clients) -> None:
    mails = desk.receive(*map(an_absence, range(3)))
    client = clients("operator")
    asked = client.get("/mails/act", params={"verb": "release", "scope": "selected", "id": [mails[0]["_id"]]}).text
    assert "<h1>Release 1 mail?</h1>" in asked
    client.submit("/mails/act", **hidden(asked))
    JobSource(desk.app).once()
    assert len(list(desk.app.mails.recent(MailQuery(outcome="rejected"), 9))) == 2
    assert client.get("/mails/act?verb=release&scope=selected").status_code == 409


def test_mail_of_another_inbox_is_not_found(desk: Desk, clients: Clients) -> None:
    """Neither shown, nor acted on, nor named by anything else."""
    from tests.builders import a_configuration, an_inbox

    desk.configure(a_configuration(an_inbox("sales"), an_inbox("support")))
    (mail,) = desk.receive(an_absence(), inbox="support")
    client, id_ = clients("operator", inboxes=["sales"]), mail["_id"]
    for path in (
        f"/mails/{id_}",
        f"/mails/{id_}/html",
        f"/mails/{id_}/download",
        f"/mails/{id_}/edit",
        f"/mails/{id_}/allow",
    ):
        assert client.get(path).status_code == 404, path
    assert client.get(f"/try?mail={id_}").status_code == 404
    for action in ("release", "replay", "discard", "edit", "allow"):
        assert client.submit(f"/mails/{id_}/{action}").status_code == 404, action
    for path in ("/mails", "/rejected", f"/mails?q={id_[:8]}", "/mails?inbox=support"):
        assert "Out of office" not in client.get(path).text, path
    assert "No mail matches" in client.get(f"/mails/act?verb=release&id={id_}").text
    assert desk.app.mails.get(id_).outcome == "rejected"


def test_a_job_of_somebody_else_is_not_found_by_who_is_limited_to_inboxes(desk: Desk, clients: Clients) -> None:
    desk.receive(an_absence())
    whole, limited = clients("operator"), clients("operator", inboxes=["support"])
    fields = hidden(whole.get("/mails/act?verb=release&scope=all&outcome=rejected").text)
    path = whole.submit("/mails/act", **fields, reason="back").headers["location"]
    assert (limited.get(path).status_code, limited.submit(f"{path}/stop").status_code) == (404, 404)
    assert path not in limited.get("/jobs").text
    assert whole.get(path).status_code == 200


def test_an_action_on_many_needs_the_token_of_its_page_and_discarding_a_reason(desk: Desk, clients: Clients) -> None:
    (mail,) = desk.receive(an_absence())
    client, chosen = clients("operator"), {"scope": "selected", "id": mail["_id"], "number": "1"}
    assert "confirm it" in client.submit("/mails/act", verb="release", **chosen).text
    assert "write a reason" in client.submit("/mails/act", verb="discard", token="t", **chosen).text
    assert list(desk.app.jobs.recent(9)) == []
    assert client.submit(f"/mails/{mail['_id']}/discard").status_code == 409
    client.submit("/mails/act", verb="discard", token="t", reason="known", **chosen)
    assert len(list(desk.app.jobs.recent(9))) == 1


def test_a_mail_is_named_by_its_whole_id(desk: Desk, clients: Clients) -> None:
    (mail,) = desk.receive(a_mail(subject="Printer"))
    client = clients("operator")
    assert client.get(f"/mails/{mail['_id']}").status_code == 200
    for name in (mail["_id"][:12], "Printer", mail["message_id"]):
        assert client.get(f"/mails/{quote(name, safe='')}").status_code == 404, name


def test_who_is_limited_to_an_inbox_tries_no_mail_about_a_record_of_another(desk: Desk, clients: Clients) -> None:
    from tests.builders import a_configuration, an_inbox

    desk.configure(a_configuration(an_inbox("sales"), an_inbox("support")))
    (first,) = desk.receive(a_mail(subject="Printer"), inbox="support")
    source = a_mail(subject="Re: Printer", In_Reply_To=first["message_id"]).decode()
    limited = clients("operator", inboxes=["sales"], read_mail=True)
    page = limited.submit("/try", source=source, inbox="sales").text
    assert "about a record of an inbox that you do not see" in page
    assert "incident" not in page.split("</form>")[-1]
    whole = clients("operator", read_mail=True).submit("/try", source=source, inbox="sales").text
    assert "about a record of an inbox" not in whole
    assert desk.record()["number"] in whole


def test_content_needs_the_right_to_read_mail(desk: Desk, clients: Clients) -> None:
    (mail,) = desk.receive(a_mail("the secret text\n", html="<p>the secret text</p>"))
    path = f"/mails/{mail['_id']}"
    viewer, reader = clients("viewer"), clients("viewer", read_mail=True)
    assert "the secret text" not in viewer.get(path).text
    assert viewer.get(f"{path}/html").status_code == 403
    assert viewer.get(f"{path}/download").status_code == 403
    assert "the secret text" in reader.get(path).text
    assert reader.get(f"{path}/download").content == desk.app.mails.source(desk.app.mails.get(mail["_id"]))
    assert reader.submit(f"{path}/release").status_code == 403


@pytest.mark.parametrize("tab", ["text", "html", "headers", "parts", "source"])
def test_every_tab_of_a_mail_shows(desk: Desk, clients: Clients, tab: str) -> None:
    (mail,) = desk.receive(a_mail(html="<p>on fire</p>", files=(("../<b>.txt", "text/plain", b"x"),)))
    page = clients("operator").get(f"/mails/{mail['_id']}?tab={tab}").text
    assert {"text": "is on fire", "html": "<iframe", "headers": "Message-ID", "parts": ".txt", "source": "MIME"}[
        tab
    ] in page


def test_a_part_is_saved_and_never_shown(desk: Desk, clients: Clients) -> None:
    page = "<script>alert(1)</script>"
    (mail,) = desk.receive(a_mail(files=(('a";x=y ä.html', "text/html", page.encode()),)))
    client = clients("operator")
    found = re.search(r'href="(/mails/\w+/parts/[^"]+)"', client.get(f"/mails/{mail['_id']}?tab=parts").text)
    answer = client.get(found[1])
    assert answer.content == page.encode()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith('attachment; filename="')
    assert "x" not in answer.headers


def test_parts_with_the_same_bytes_keep_their_own_names(desk: Desk, clients: Clients) -> None:
    (mail,) = desk.receive(a_mail(files=tuple((name, "text/plain", b"same") for name in ("one.txt", "two ü.txt"))))
    client = clients("operator")
    links = re.findall(r'href="(/mails/\w+/parts/[^"]+)"', client.get(f"/mails/{mail['_id']}?tab=parts").text)
    names = [client.get(each).headers["content-disposition"].partition("UTF-8''")[2] for each in links]
    assert names == ["one.txt", "two%20%C3%BC.txt"]


@pytest.mark.parametrize("path", ["/mails", "/mails/{mail}", "/mails/{mail}?tab=headers", "/mails/{mail}?tab=parts"])
def test_direction_marks_of_a_mail_are_seen_and_turn_nothing_around(desk: Desk, clients: Clients, path: str) -> None:
    (mail,) = desk.receive(a_mail(subject="bill \u202efdp.exe", sender="\u202eeve <eve@customer.example>"))
    page = clients("operator").get(path.format(mail=mail["_id"])).text
    assert "\u202e" not in page
    assert "bill \\u202efdp.exe" in page


def test_a_write_after_the_session_ended_leads_back_to_its_page(desk: Desk, clients: Clients) -> None:
    (mail,) = desk.receive(an_absence())
    client = clients("operator")
    client.cookies.clear()
    page = f"/mails/{mail['_id']}"
    headers = {"Origin": "http://localhost", "Referer": f"http://localhost{page}?tab=text"}
    answer = client.post(f"{page}/release", data={"form_token": "of the old session"}, headers=headers)
    assert answer.status_code == 403
    assert "You are signed out, and nothing was done" in answer.text
    assert f'href="/sign-in?next={quote(page + "?tab=text", safe="")}"' in answer.text
    assert desk.mails()[0]["outcome"] == "rejected"


def test_the_html_of_a_mail_has_a_policy_of_its_own(desk: Desk, clients: Clients) -> None:
    html = '<p onclick="x()">Hi</p><img src="https://evil.example/p.png"><img src="cid:none"><script>alert(1)</script>'
    (mail,) = desk.receive(a_mail(html=html))
    answer = clients("operator").get(f"/mails/{mail['_id']}/html")
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert "evil.example" not in answer.text
    assert "script" not in answer.text
    assert 'src="data:,"' in answer.text


def test_the_frame_of_html_has_no_scripts_and_no_origin(desk: Desk, clients: Clients) -> None:
    (mail,) = desk.receive(a_mail(html="<p>on fire</p>"))
    page = clients("operator").get(f"/mails/{mail['_id']}?tab=html").text
    (frame,) = re.findall(r"<iframe([^>]*)>", page)
    assert re.search(r" sandbox(?=\s|$)", frame), "without any value: nothing is allowed"
    assert page.count("<iframe") == 1


HOSTILE = '</textarea></title><script>alert(1)</script>"><img src=x onerror=alert(1)>'


@pytest.mark.parametrize(
    "path", ["/mails", "/rejected", "/mails/{}", "/mails/{}/edit", "/mails/{}/allow", "/try?mail={}"]
)
def test_a_hostile_subject_is_text(desk: Desk, clients: Clients, path: str) -> None:
    (mail,) = desk.receive(a_mail(subject=f"Out of office {HOSTILE}", html="<p>x</p>"))
    page = clients("operator").get(path.format(mail["_id"])).text
    assert "<h1" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page


@pytest.mark.req("PR-01")
def test_an_edited_copy_is_handed_in(desk: Desk, clients: Clients) -> None:
    (mail,) = desk.receive(an_absence())
    client, path = clients("operator"), f"/mails/{mail['_id']}"
    fields = hidden(client.get(f"{path}/edit").text)
    assert "nothing was changed" in client.submit(f"{path}/edit", **fields, Subject="Out of office 0").text
    answer = client.submit(f"{path}/edit", **fields, Subject="Help\r\nBcc: eve@evil.example", reason="a question")
    desk.work()
    copy = client.get(answer.headers["location"]).text
    assert "Help Bcc: eve@evil.example" in copy
    assert f"/mails/{mail['_id']}" in copy
    assert "-Subject: Out of office 0" in copy
    assert "recorded" in copy


def test_a_sender_is_allowed_without_an_administrator(desk: Desk, clients: Clients) -> None:
    (mail,) = desk.receive(an_absence())
    client, path = clients("operator"), f"/mails/{mail['_id']}"
    assert "Always allow this sender?" in client.get(f"{path}/allow").text
    assert client.submit(f"{path}/allow", reason="she writes so").status_code == 303
    assert desk.receive(an_absence(1))[0]["outcome"] == "recorded"


@pytest.mark.parametrize("how", ["pasted", "stored"])
def test_a_mail_is_tried_and_nothing_is_written(desk: Desk, clients: Clients, how: str) -> None:
    client = clients("operator")
    if how == "pasted":
        page = client.submit("/try", source=an_absence().decode()).text
    else:
        (mail,) = desk.receive(an_absence())
        page = client.get(f"/try?mail={mail['_id']}").text
    assert "barred-subject" in page
    assert "rejected</span>" in page
    assert desk.records() == []


def test_a_file_is_tried(clients: Clients) -> None:
    from services.console.guards import form_token

    client = clients("operator")
    page = client.post(
        "/try",
        data={"form_token": form_token(client.secret)},
        files={"file": ("a.eml", a_mail(), "message/rfc822")},
        headers={"Origin": "http://localhost"},
    ).text
    assert "It would be" in page
    assert "Planned changes" in page


def test_writes_are_kept_with_who_and_why(desk: Desk, clients: Clients) -> None:
    (mail,) = desk.receive(an_absence())
    clients("operator").submit(f"/mails/{mail['_id']}/release", reason="help")
    page = clients("administrator").get("/access").text
    assert "released a mail" in page
    assert mail["_id"] in page


def test_who_is_limited_to_an_inbox_allows_no_sender_for_all(desk: Desk, clients: Clients) -> None:
    desk.receive(an_absence())
    (mail,) = desk.mails()
    client = clients("operator", inboxes=["support"])
    assert client.get(f"/mails/{mail['_id']}/allow").status_code == 403
    answer = client.submit(f"/mails/{mail['_id']}/allow", reason="a customer")
    assert answer.status_code == 403  # type: ignore[attr-defined]


def test_an_outcome_that_does_not_exist_chooses_no_mail(desk: Desk, clients: Clients) -> None:
    desk.receive(a_mail())
    page = clients("operator").get("/mails/act?scope=all&verb=discard&outcome=ded").text
    assert "There is no outcome" in page


def test_what_was_changed_in_a_copy_needs_the_right_to_read_mail(desk: Desk, clients: Clients) -> None:
    (mail,) = desk.receive(an_absence())
    editor, path = clients("operator"), f"/mails/{mail['_id']}"
    fields = hidden(editor.get(f"{path}/edit").text)
    copy = editor.submit(f"{path}/edit", **fields, Subject="Help", reason="a question").headers["location"]
    desk.work()
    assert "-Subject: Out of office 0" in editor.get(copy).text
    assert "-Subject: Out of office 0" not in clients("viewer").get(copy).text


def test_each_form_that_is_carried_out_once_has_a_token_of_its_own(desk: Desk, clients: Clients) -> None:
    """The token makes sending one form twice one action; with one for all, the second action would be the first."""
    first, second = desk.receive(an_absence(1), an_absence(2))
    client, releases = clients("operator"), list[str]()
    for mail in (first, second):
        fields = hidden(client.get(f"/mails/act?verb=release&scope=selected&id={mail['_id']}").text)
        releases.append(client.submit("/mails/act", **fields).headers["location"])
    assert len(set(releases)) == 2
    edits = [hidden(client.get(f"/mails/{mail['_id']}/edit").text)["token"] for mail in (first, second)]
    assert re.fullmatch("[0-9a-f]{32} [0-9a-f]{32}", " ".join(edits))
    assert edits[0] != edits[1]


def test_a_trial_shows_a_dash_for_what_a_change_leaves_empty(desk: Desk, clients: Clients) -> None:
    (mail,) = desk.receive(a_mail())
    page = clients("operator").get(f"/try?mail={mail['_id']}").text
    assert "<dt>owner</dt><dd>–</dd>" in page
    assert "None" not in page
