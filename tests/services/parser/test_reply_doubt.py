"""Text of the sender's own that looks like a quotation: unannounced lines, logs, answers inside the quoted mail."""

from __future__ import annotations

import pytest

from services.parser import mime, reply
from shared.contracts.mail import Address, Passage
from tests.services.parser.mails import plain

DESK = reply.answered_by("Re: Plotter", (Address("Service Desk", "support@example.com"),))
ANSWERED = "On Tue, 3 Jun 2025 at 08:15, Service Desk <support@example.com> wrote:\n> Which paper?\n"
OUTLOOK = """\
From: Service Desk <support@example.com>
Sent: Thursday, November 5, 2026 1:30 PM
To: Nora Lind <nora@customer.example>
Subject: Plotter

Which paper do you use? %s
"""
LOG = """\
From: mailer@internal.example
Sent: 2026-11-05 12:00
To: queue
Subject: job 17
"""


def read(text: str, html: str | None = None) -> reply.Reply:
    return reply.read(text, html, DESK, is_reply=True)


def unannounced(text: str, html: str | None = None) -> list[str]:
    return [each.text for each in read(text, html).passages if each.kind == "unannounced"]


@pytest.mark.req("PR-19")
@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("The vendor says:\n\n> Serial 778.\n", None),
        (f"The log:\n> Serial 778.\n\n{ANSWERED}", None),
        (f"{ANSWERED}\nA4. The vendor says:\n\n> Serial 778.\n\nPlease check.\n", None),
        ("> Serial 778.\n\nThat is what the vendor says.\n", None),
        ("The vendor says:\n\n> Serial 778.\n", "<p>The vendor says:</p><blockquote>Serial 778.</blockquote>"),
    ],
    ids=["nothing else", "above the quotation", "below the quotation", "at the top", "HTML"],
)
def test_quoted_lines_that_nothing_announces_are_listed(text: str, html: str | None) -> None:
    assert unannounced(text, html) == ["> Serial 778."]
    assert "778" not in read(text, html).new_text


@pytest.mark.req("PR-19")
@pytest.mark.parametrize(
    ("text", "html"),
    [
        (f"A4.\n\n{ANSWERED}", None),
        (f"{ANSWERED}\nA4.\n\n> Since when?\n\nMonday.\n", None),
        ("A4.\n\n> Which paper?\n", '<p>A4.</p><blockquote type="cite">Which paper?</blockquote>'),
        ("> Which paper?\n\nA4.\n", '<blockquote class="gmail_quote">Which paper?</blockquote><p>A4.</p>'),
        ("A4.\n\n" + OUTLOOK % "", None),
    ],
    ids=["announced", "answers between the lines", "marked by Apple", "marked by Gmail", "Outlook"],
)
def test_what_is_announced_or_marked_by_a_program_is_old(text: str, html: str | None) -> None:
    assert "A4." in read(text, html).new_text
    assert read(text, html).passages == ()


def test_a_reply_of_very_many_passages_lists_none() -> None:
    assert len(read("Serial 778:\n> a\n" * 250).passages) == reply.MAX_PASSAGES
    assert read("Serial 778:\n> a\n" * 251).passages == ()


@pytest.mark.req("PR-19")
@pytest.mark.parametrize("rule", ["", "-----\n", "==========\n"], ids=["no rule", "dashes", "equals signs"])
def test_a_log_that_the_sender_introduces_does_not_end_the_mail(rule: str) -> None:
    text = f"Here is what the log says:\n\n{rule}{LOG}\nand then it hangs. Please fix the queue.\n"
    assert read(text) == reply.Reply(text.strip())


@pytest.mark.req("PR-19")
def test_below_a_pasted_log_the_answered_mail_is_cut() -> None:
    own = f"Here is what the log says:\n\n{LOG}\nand then it hangs."
    assert read(f"{own}\n\n{OUTLOOK % ''}").new_text == own


@pytest.mark.req("PR-19")
def test_an_introduced_block_of_the_answered_mail_ends_the_mail() -> None:
    assert read("Your mail:\n\n" + OUTLOOK % "").new_text == "Your mail:"
    by_subject = OUTLOOK.replace("Service Desk <support@example.com>", "Helpdesk")
    assert read("Your mail:\n\n" + by_subject % "").new_text == "Your mail:"


@pytest.mark.req("PR-19")
def test_an_old_mail_that_cannot_be_the_answered_one_is_doubtful() -> None:
    found = read(f"It broke.\n{LOG}\nDisk full.\n")
    assert found.new_text == "It broke."
    assert found.passages[1:] == (Passage("unannounced", "\nDisk full.\n", LOG.strip()),)
    assert unannounced("On Monday at 10:00 Bob from the vendor wrote:\n\nSerial 778.\n") == []  # nothing stands above
    assert unannounced("As I said.\n\nOn 3 Jun 2025 10:00 Bob wrote:\n\nSerial 778.\n") == ["\nSerial 778.\n"]
    assert unannounced("As I said.\n\nOn 3 Jun 2025 10:00 Service Desk wrote:\n\nSerial 778.\n") == []


@pytest.mark.req("PR-19")
def test_the_html_proves_an_old_mail_of_somebody_else() -> None:
    html = f'<p>It broke.</p><div id="divRplyFwdMsg">{LOG.replace(chr(10), "<br>")}</div>Disk full.'
    assert read(f"It broke.\n\n{LOG}\nDisk full.\n", html).passages == ()


ANNOUNCED = [
    "See my answers in red below.",
    "Please find our comments inline.",
    "I have answered below, in blue.",
    "See below.",
    "See my notes in green.",
    "I wrote the answers next to your questions.",
    "Meine Antworten stehen unten in Rot.",
    "Siehe rote Anmerkungen im Text.",
    "Mes réponses sont en rouge ci-dessous.",
    "Mis respuestas están abajo en rojo.",
    "As minhas respostas estão abaixo, em vermelho.",
    "Le mie risposte sono in rosso.",
    "Mijn antwoorden staan hieronder.",
    "Moje odpowiedzi są poniżej na czerwono.",
    "Odpovědi najdete níže.",
    "Mina svar finns nedan.",
    "Мои ответы ниже красным.",
    "Yanıtlarım aşağıda kırmızı ile.",
    "赤字で回答します。",
    "我的回复见下文。",
    "답변은 아래에 있습니다.",
    "Απαντώ παρακάτω με κόκκινο.",
    "התשובות שלי למטה באדום.",
    "إجاباتي أدناه باللون الأحمر.",
    "پاسخ‌های من در زیر به رنگ قرمز است.",
    "Отговорите ми са по-долу в червено.",
    "Moji odgovori su ispod, crvenom bojom.",
    "Tôi trả lời bên dưới bằng màu đỏ.",
    "Jawaban saya di bawah dengan warna merah.",
    "คำตอบอยู่ด้านล่างเป็นสีแดง",
]


@pytest.mark.req("PR-19")
@pytest.mark.parametrize("words", ANNOUNCED)
def test_answers_inside_the_quoted_mail_stay_when_the_sender_announces_them(words: str) -> None:
    found = read(f"{words}\n\n{OUTLOOK % 'Plain A4'}").new_text
    assert found.startswith(words)
    assert "> Which paper do you use? Plain A4" in found  # marked, so that nothing is read from it


@pytest.mark.req("PR-19")
def test_answers_inside_a_marked_quotation_stay_too() -> None:
    assert "> Which paper? A4" in read(f"My answers are in red.\n\n{ANSWERED.strip()} A4\n").new_text


@pytest.mark.parametrize("words", ["It answers with an error.", "The red lamp is on.", "Thank you for your answer."])
def test_other_words_leave_the_answered_mail_out(words: str) -> None:
    assert read(f"{words}\n\n{OUTLOOK % ''}").new_text == words


def test_answers_between_the_lines_need_no_quotation() -> None:
    assert read(f"See my answers below.\n\n{ANSWERED}\nA4.\n").new_text == "See my answers below.\n\nA4."


@pytest.mark.parametrize(
    "attribution",
    [
        'On Tue, 3 Jun 2025 at 08:15 "Service Desk" <support@desk.example.com\n> wrote:',
        "Am Di., 3. Juni 2025 um 08:15 Uhr schrieb Service Desk <support@desk.example.com\n>:",
        "Service Desk <support@desk.example.com\n> schrieb am Dienstag, den 3. Juni 2025 um 08:15:",
        "Le mar. 3 juin 2025 à 08:15, Service Desk <support@desk.example.com\n> a écrit :",
        "On Tue, 3 Jun 2025 at 08:15 Service Desk of the Example Company\n<support@desk.example.com\n> wrote:",
    ],
    ids=["en", "de", "de, name first", "fr", "three lines"],
)
@pytest.mark.parametrize("old", ["\n> Which of the two?", "\nWhich of the two?"], ids=["marked", "unmarked"])
def test_an_attribution_may_be_wrapped_inside_its_bracket(attribution: str, old: str) -> None:
    assert read(f"It works again.\n\n{attribution}\n{old}\n").new_text == "It works again."


@pytest.mark.parametrize("mark", ["\u1427", "\u200b", "\ufeff", "\u200c \u200d", "\u2060\n\n\u1427"])
def test_the_invisible_mark_of_a_tracker_is_left_out(mark: str) -> None:
    assert read(f"The reader blinks.\n\n{mark}\n").new_text == "The reader blinks."
    assert read(f"The reader blinks. {mark}\n").new_text == "The reader blinks."
    assert read(f"The reader blinks.\n\n{mark}\n\n{ANSWERED}").new_text == "The reader blinks."


def test_outlook_quotes_without_a_sign_in_the_headers() -> None:
    quoted = OUTLOOK.replace("<support@example.com>", "[mailto:support@example.com]") % ""
    text = f"Hello\n\n{quoted}"
    assert reply.answers("Test", text, threaded=False)
    assert not reply.answers("FW: Test", text, threaded=False)
    assert mime.read(plain(text.encode())).mail.new_text == "Hello"
