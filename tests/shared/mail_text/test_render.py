"""Templates are filled in once and literally; text and HTML are made from each other; languages; links to records."""

from __future__ import annotations

import pytest

from shared.config.model import BUILT_IN_TYPES, Configuration, Inbox, MailTemplate, Settings
from shared.config.problems import InvalidConfiguration
from shared.config.reading import load_bytes
from shared.mail_text.html_text import html_of, text_of
from shared.mail_text.render import Rendered, render
from shared.mail_text.values import RecordFacts, desk_values, record_values

GERMAN = {"de": {"subject": "Anfrage {number}", "text": "Guten Tag"}, "fr": {"html": "<p>Bonjour {number}"}}
TEMPLATE = MailTemplate("created", "Request {number}", "Hello", "<p>Hello", languages=GERMAN)


def text_with(text: str, **values: str) -> str:
    return render(MailTemplate("t", "s", text), values).text


@pytest.mark.parametrize("value", ["{{7*7}}", "{number}", "{{number}}", "${number}", "%(number)s", "\\1"])
def test_a_value_is_put_in_literally(value: str) -> None:
    template = MailTemplate("t", "{subject}", "{subject}!", "<b>{subject}</b>")
    rendered = render(template, {"subject": value, "number": "INC1"})
    assert rendered == Rendered(value, f"{value}!\n", f"<b>{value}</b>", "t")


def test_a_value_in_html_is_not_markup_and_keeps_its_lines() -> None:
    rendered = render(MailTemplate("t", "s", html='<a href="{text}">{text}</a>'), {"text": '"><script>\n&'})
    assert rendered.html == '<a href="&quot;&gt;&lt;script&gt;<br>\n&amp;">&quot;&gt;&lt;script&gt;<br>\n&amp;</a>'


def test_names_are_found_whatever_their_capitals_and_braces_can_be_written() -> None:
    assert text_with("{Number} {{number}} {nothing} { number } {a:1}", number="1") == (
        "1 {number} {nothing} { number } {a:1}\n"
    )


def test_a_value_that_is_not_used_is_not_asked_for() -> None:
    def fail() -> str:
        raise AssertionError

    assert render(MailTemplate("t", "s", "{number}"), {"owner": fail, "number": lambda: "1"}).text == "1\n"


def test_a_subject_stays_on_one_line() -> None:
    assert render(MailTemplate("t", "About {text}", "x"), {"text": "a\nBcc: b@example.com"}).subject == (
        "About a Bcc: b@example.com"
    )


@pytest.mark.parametrize(
    ("line", "shown"),
    [("Subject: {subject}", []), ("{subject}", []), ("It is {subject}", ["It is "]), ("A: {subject} {n}", ["A:  1"])],
)
def test_a_line_that_would_only_be_a_label_is_left_out(line: str, shown: list[str]) -> None:
    assert text_with(f"First\n{line}\nLast", subject="", n="1").split("\n") == ["First", *shown, "Last", ""]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (None, Rendered("Request 1", "Hello\n", "<p>Hello", "created")),
        ("nl", Rendered("Request 1", "Hello\n", "<p>Hello", "created")),
        ("de-CH", Rendered("Anfrage 1", "Guten Tag\n", None, "created")),
        ("fr", Rendered("Request 1", "Bonjour 1\n", "<p>Bonjour 1", "created")),
    ],
)
def test_words_are_in_the_language_of_the_person(language: str | None, expected: Rendered) -> None:
    assert render(TEMPLATE, {"number": "1"}, language) == expected


def test_text_is_made_from_html() -> None:
    markup = """<style>p {color: red}</style><h1>Hello&nbsp;{sender}</h1><p>One<br>two</p>
    <ul><li>first</li><li>second</li></ul><a href="https://desk.example/{number}">Open it</a>
    <a href="https://desk.example">https://desk.example</a> <img src="cid:logo" alt="Our logo">"""
    assert text_of(markup) == (
        "Hello\xa0{sender}\n\nOne\ntwo\n\n- first\n\n- second\n\n"
        "Open it <https://desk.example/{number}> https://desk.example Our logo"
    )


def test_html_is_made_from_text() -> None:
    text = "Hello <you>\nand & you\n\nSee https://desk.example/a?b=1&c=2.\n"
    assert html_of(text) == (
        "<p>Hello &lt;you&gt;<br>\nand &amp; you</p>\n"
        '<p>See <a href="https://desk.example/a?b=1&amp;c=2">https://desk.example/a?b=1&amp;c=2</a>.</p>'
    )


@pytest.mark.req("TI-42")
@pytest.mark.parametrize(
    ("setting", "address"),
    [
        ("https://desk.example/TrackIt", "https://desk.example/TrackIt/records/service_request/SR7"),
        ("https://desk.example/", "https://desk.example/records/service_request/SR7"),
        ("https://desk.example/show?id={number}&t={type}", "https://desk.example/show?id=SR7&t=service_request"),
        ("https://desk.example/{id}", "https://desk.example/r1"),
        (None, ""),
    ],
)
def test_response_urls_lead_to_the_record(setting: str | None, address: str) -> None:
    configuration = Configuration(settings=Settings(response_url=setting, self_service_url=setting))
    type_ = next(each for each in BUILT_IN_TYPES if each.name == "service_request")
    values = record_values(configuration, RecordFacts("r1", type_, "SR7", {}, {}))
    assert (values["response_url"], values["self_service_url"]) == (address, address)


def test_fields_have_values_before_and_after_a_change() -> None:
    type_ = BUILT_IN_TYPES[0]
    facts = RecordFacts("r", type_, "INC1", {"status": "Active"}, {"Priority": 2}, {"Priority": 4, "Status": "Logged"})
    template = MailTemplate("t", "s", "{old.Priority} to {field.Priority}, {old.Status} to {field.status}, {priority}")
    assert render(template, record_values(Configuration(), facts)).text == "4 to 2, Logged to Active, 2\n"


@pytest.mark.req("TI-33", "TI-42")
def test_a_field_that_was_not_set_is_empty() -> None:
    values = record_values(Configuration(), RecordFacts("r", BUILT_IN_TYPES[0], "INC1", {}, {}))
    template = MailTemplate("t", "{number} {field.Category}", "Now: {FIELD.Category}\nWas {old.Priority}.\n{nothing}")
    words = render(template, values)
    assert (words.subject, words.text) == ("INC1", "Was .\n{nothing}\n")


def test_the_desk_is_named_by_its_setting_else_by_the_inbox() -> None:
    inbox = Inbox("it", "it@example.com")
    assert desk_values(Configuration(), inbox)["desk"] == "it"
    assert desk_values(Configuration(settings=Settings(desk_name="Help")), inbox)["desk"] == "Help"


def problems(template: str, more: str = "") -> list[str]:
    with pytest.raises(InvalidConfiguration) as refused:
        load_bytes(f"mail_templates:\n  - {template}\n{more}".encode())
    return [line.partition(": ")[2] for line in str(refused.value).splitlines()]


@pytest.mark.req("TI-42")
@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (
            "{name: a, subject: s, text: '{numbr}'}",
            (
                'mail_templates[0].text: there is no variable {numbr}; did you mean "number"? '
                "(write {{numbr}} for the braces themselves)"
            ),
        ),
        (
            "{name: a, subject: s, text: x, languages: {de: {html: '{old.Prioritty}'}}}",
            'mail_templates[0].languages.de.html: no record type has a field "Prioritty"; did you mean "old.Priority"?',
        ),
        ("{name: a, subject: s}", "mail_templates[0].text: missing; write it, or html, or both"),
        (
            "{name: summary, subject: s, text: '{number}'}",
            (
                "mail_templates[0].text: {number} has no value in the mail summary; "
                "it has desk, inbox, address, sender, text, reply_subject, what, lists"
            ),
        ),
        (
            "{name: a, subject: s, text: x, languages: {German: {text: x}}}",
            'mail_templates[0].languages.German: "German" is not a language; write it as de or de-CH',
        ),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_refused(template: str, problem: str) -> None:
    assert problems(template) == [problem]


def test_a_template_for_new_records_has_the_variables_of_new_records() -> None:
    inbox = "inboxes: [{name: a, address: a@example.com, commands: {reply_template: ack}}]"
    (problem,) = problems("{name: ack, subject: s, text: '{missing}'}", inbox)
    assert problem.startswith("mail_templates[0].text: {missing} has no value in the mail created")


def test_a_command_in_a_subject_is_refused() -> None:
    (problem,) = problems("{name: command-refused, subject: 'Re: {command}', text: x}")
    assert problem.startswith("mail_templates[0].subject: {command} in a subject is a command again")
