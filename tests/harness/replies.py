"""Replies as mail programs write them, made by rule, so that it is known which lines are the sender's own.

Each is one program, one language and one way to answer. The numbers in the lines make every line unique.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from itertools import count, islice, product
from types import MappingProxyType
from typing import Final

DESK: Final = "Service Desk"
ADDRESS: Final = "support@example.com"
SUBJECT: Final = "Plotter"
NAMES: Final = MappingProxyType(
    {
        "en": ("From", "Sent", "To", "Subject", "Original Message"),
        "de": ("Von", "Gesendet", "An", "Betreff", "Ursprüngliche Nachricht"),
        "fr": ("De", "Envoyé", "À", "Objet", "Message d'origine"),
        "es": ("De", "Enviado", "Para", "Asunto", "Mensaje original"),
        "it": ("Da", "Inviato", "A", "Oggetto", "Messaggio originale"),
        "pt": ("De", "Enviado", "Para", "Assunto", "Mensagem original"),
        "nl": ("Van", "Verzonden", "Aan", "Onderwerp", "Oorspronkelijk bericht"),
        "pl": ("Od", "Wysłano", "Do", "Temat", "Wiadomość oryginalna"),
        "ru": ("От", "Отправлено", "Кому", "Тема", "Исходное сообщение"),
        "zh": ("发件人", "发送时间", "收件人", "主题", "原始邮件"),
    }
)
WROTE: Final = MappingProxyType(
    {
        "en": "On Mon, Feb 3, 2020 at 10:00 AM {} wrote:",
        "de": "Am Mo., 3. Feb. 2020 um 10:00 Uhr schrieb {}:",
        "fr": "Le lun. 3 févr. 2020 à 10:00, {} a écrit :",
        "es": "El lun, 3 feb 2020 a las 10:00, {} escribió:",
        "it": "Il giorno lun 3 feb 2020 alle ore 10:00 {} ha scritto:",
        "pt": "Em seg., 3 de fev. de 2020 às 10:00, {} escreveu:",
        "nl": "Op ma 3 feb. 2020 om 10:00 schreef {}:",
        "pl": "pon., 3 lut 2020 o 10:00 {} napisał(a):",
        "ru": "пн, 3 февр. 2020 г. в 10:00, {} написал(а):",
        "zh": "{} 于2020年2月3日周一 上午10:00写道：",
    }
)
INSIDE: Final = MappingProxyType(
    {
        "en": "See my answers in red below.",
        "de": "Meine Antworten stehen unten in Rot.",
        "fr": "Mes réponses sont en rouge ci-dessous.",
        "es": "Mis respuestas están abajo en rojo.",
        "it": "Le mie risposte sono in rosso qui sotto.",
        "pt": "As minhas respostas estão abaixo em vermelho.",
        "nl": "Mijn antwoorden staan hieronder in het rood.",
        "pl": "Moje odpowiedzi są poniżej na czerwono.",
        "ru": "Мои ответы ниже красным.",
        "zh": "我的回复如下，红色。",
    }
)


@dataclass(frozen=True, slots=True)
class Quoted:
    """A quotation as a program shows it: lines of text, and HTML. `marked`: each line begins with `>`."""

    text: list[str]
    html: str
    marked: bool


@dataclass(frozen=True, slots=True)
class MadeReply:
    """A reply, and what is in it. `own` lines are the sender's, `old` lines those of the answered mail."""

    name: str
    raw: bytes
    own: tuple[str, ...]
    old: tuple[str, ...]


Quote = Callable[[list[str], str], Quoted]


def _html(lines: list[str]) -> str:
    return "<br>".join(line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in lines)


def _fields(language: str, sender: str, tab: str = " ") -> list[str]:
    names, values = NAMES[language], (sender, "2020-02-03 10:00", "Nora Lind <nora@customer.example>", SUBJECT)
    return [f"{name}:{tab}{value}" for name, value in zip(names, values, strict=False)]


def _by_fields(begin: str, end: str, *above: str, sender: str = f"{DESK} <{ADDRESS}>", tab: str = " ") -> Quote:
    """A quotation below the fields of its mail; `{}` above them is "Original Message" in the language."""

    def quote(old: list[str], language: str) -> Quoted:
        head = [*(line.format(NAMES[language][4]) for line in above), *_fields(language, sender, tab)]
        return Quoted([*head, "", *old], f"{begin}{_html([*head])}</div><div>{_html(old)}{end}", marked=False)

    return quote


def _by_line(begin: str, end: str, mark: str = "> ", who: str = f"{DESK} <{ADDRESS}>", *, html: bool = True) -> Quote:
    """A quotation below a line that says who wrote when."""

    def quote(old: list[str], language: str) -> Quoted:
        line = WROTE[language].format(who)
        shown = f"{begin.format(_html([line]))}{_html(old)}{end}" if html else ""
        return Quoted([line, *(mark + each for each in old)], shown, marked=mark.startswith(">"))

    return quote


def _bare(old: list[str], _: str) -> Quoted:
    return Quoted([f"> {line}" for line in old], "", marked=True)


def _groupwise(old: list[str], _: str) -> Quoted:
    return Quoted([f">>> {DESK} <{ADDRESS}> 03.02.2020 10:00 >>>", *old], "", marked=False)


def _domino(old: list[str], language: str) -> Quoted:
    head = f'-----"{DESK}" <{ADDRESS}> wrote: -----'
    return Quoted([head, *_fields(language, f'"{DESK}" <{ADDRESS}>'), "", *old], "", marked=False)


_TABLE: Final = [f"{DESK} <{ADDRESS}>", "03.02.2020 10:00", "", "To", "Nora Lind", "cc", "", "Subject", SUBJECT, ""]
QUOTES: Final = MappingProxyType(
    {
        "Outlook": _by_fields('<div style="border:none;border-top:solid #E1E1E1 1.0pt">', "</div>"),
        "Outlook, names only": _by_fields(
            '<div style="border:none;border-top:solid #B5C4DF 1.0pt">', "</div>", sender=DESK
        ),
        "Outlook, old": _by_fields("<div>", "</div>", "-----{}-----", sender=f"{DESK} [mailto:{ADDRESS}]"),
        "Outlook on the web": _by_fields('<hr><div id="divRplyFwdMsg">', "</div>", "_" * 32),
        "Outlook on a phone": _by_fields('<div id="ms-outlook-mobile-reference-message">', "</div>", "_" * 32),
        "Gmail": _by_line(
            '<div class="gmail_quote"><div>{}</div><blockquote class="gmail_quote">', "</blockquote></div>"
        ),
        "Gmail on a phone": _by_line("", "", html=False),
        "Apple Mail": _by_line('<div>{}</div><blockquote type="cite">', "</blockquote>"),
        "Thunderbird": _by_line(
            '<div class="moz-cite-prefix">{}</div><blockquote type="cite">', "</blockquote>", who=DESK
        ),
        "Yahoo": _by_line('<div class="yahoo_quoted"><div>{}</div>', "</div>", mark="  "),
        "K-9": _by_line("", "", mark=">", html=False),
        "Roundcube": _by_line("", "", who=DESK, html=False),
        "mutt": _by_line("", "", html=False),
        "mutt, no line above": _bare,
        "Samsung": _by_fields("<div>", "</div>", "-------- {} --------"),
        "Zimbra": _by_fields(
            '<hr data-marker="__DIVIDER__"><div data-marker="__HEADERS__">', "</div>", "----- {} -----"
        ),
        "Notes": _by_fields("<div>", "</div>", tab="\t"),
        "Domino": _domino,
        "Lotus, old": lambda old, _: Quoted([*_TABLE, *old], "", marked=False),
        "GroupWise": _groupwise,
    }
)
Way = Callable[[Iterator[int], Quoted, list[str], str], tuple[list[str], list[str]] | None]
"""Lines of the whole reply, and those that are the sender's own; None where the program does not write so."""


def _own(numbers: Iterator[int], words: str = "The plotter {} still prints stripes on every page.") -> str:
    return words.format(next(numbers))


def _top(numbers: Iterator[int], quoted: Quoted, _: list[str], __: str) -> tuple[list[str], list[str]]:
    own = [_own(numbers), _own(numbers, "Yes ({}).")]
    return [own[0], "", own[1], "", *quoted.text], own


def _bottom(numbers: Iterator[int], quoted: Quoted, _: list[str], __: str) -> tuple[list[str], list[str]]:
    own = [_own(numbers), _own(numbers, "Yes ({}).")]
    return [*quoted.text, "", *own], own


def _around(numbers: Iterator[int], quoted: Quoted, _: list[str], __: str) -> tuple[list[str], list[str]]:
    own = [_own(numbers), _own(numbers, "One more thing, number {}.")]
    return [own[0], "", *quoted.text, "", own[1]], own


def _between(numbers: Iterator[int], quoted: Quoted, _: list[str], __: str) -> tuple[list[str], list[str]] | None:
    own = [_own(numbers, "Plain A4, tray {}."), _own(numbers, "Since Monday, {} o'clock.")]
    middle = len(quoted.text) - 1
    lines = [*quoted.text[:middle], "", own[0], "", *quoted.text[middle:], "", own[1]]
    return (lines, own) if quoted.marked else None


def _inside(
    numbers: Iterator[int], quoted: Quoted, old: list[str], language: str
) -> tuple[list[str], list[str]] | None:
    """Answers at the end of the old lines, which the sender announces."""
    answers = [_own(numbers, "Plain A4, tray {}.") for _ in old]
    begin = len(quoted.text) - len(old)
    lines = [f"{line} {answer}" for line, answer in zip(quoted.text[begin:], answers, strict=True)]
    return [INSIDE[language], "", *quoted.text[:begin], *lines], [INSIDE[language], *answers]


def _log(numbers: Iterator[int], quoted: Quoted, _: list[str], language: str) -> tuple[list[str], list[str]]:
    """A log that begins like a mail."""
    fields = [
        f"{NAMES[language][0]}: mailer{next(numbers)}@internal.example",
        f"{NAMES[language][1]}: 2026-11-05 12:00",
    ]
    fields += [f"{NAMES[language][2]}: queue {next(numbers)}", f"{NAMES[language][3]}: job {next(numbers)}"]
    own = [_own(numbers, "This is log {}:"), *fields, _own(numbers, "and then it hangs, {} times.")]
    return [own[0], "", *fields, "", own[-1], "", *quoted.text], own


def _unannounced_log(
    numbers: Iterator[int], quoted: Quoted, _: list[str], language: str
) -> tuple[list[str], list[str]]:
    lines, own = _log(numbers, quoted, _, language)
    return [lines[0].replace(":", "."), *lines[1:]], [own[0].replace(":", "."), *own[1:]]


def _quotes_above(numbers: Iterator[int], quoted: Quoted, _: list[str], __: str) -> tuple[list[str], list[str]]:
    """The sender's own quotation, with the mark of quotations."""
    own = [_own(numbers, "The vendor says in case {}"), _own(numbers, "> Serial {} is under warranty until 2028.")]
    own += [_own(numbers, "> Bring it in before month {}."), _own(numbers, "Please check case {}.")]
    return [own[0], "", *own[1:3], "", own[3], "", *quoted.text], own


def _quotes_below(numbers: Iterator[int], quoted: Quoted, _: list[str], __: str) -> tuple[list[str], list[str]] | None:
    own = [_own(numbers), _own(numbers, "The vendor says in case {}:"), _own(numbers, "> Serial {} is under warranty.")]
    return ([*quoted.text, "", *own[:2], "", own[2]], own) if quoted.marked else None


def _headers(numbers: Iterator[int], quoted: Quoted, _: list[str], __: str) -> tuple[list[str], list[str]]:
    """Headers of a mail that was sent on, and a rule, in the sender's own text."""
    own = [_own(numbers, "These are headers {}:"), _own(numbers, "Received: from mx{}.example by mx.example")]
    own += [
        _own(numbers, "Subject: order {}"),
        _own(numbers, "X-Spam: {}"),
        _own(numbers, "Why were they blocked {} times?"),
    ]
    return [own[0], "-----", *own[1:4], "-----", own[4], "", *quoted.text], own


def _notices(numbers: Iterator[int], quoted: Quoted, _: list[str], __: str) -> tuple[list[str], list[str]]:
    """A signature and a legal notice, which are nobody's words, between the own text and the quotation."""
    own = [_own(numbers), _own(numbers, "Regards, Nora {}")]
    notice = "This e-mail is confidential and intended for the addressee only."
    return [*own, "", "-- ", "Nora Lind", "+49 30 1234", "", notice, "", *quoted.text], own


WAYS: Final = MappingProxyType(
    {
        "above": _top,
        "below": _bottom,
        "above and below": _around,
        "between the lines": _between,
        "inside the lines": _inside,
        "a log": _log,
        "a log, not introduced": _unannounced_log,
        "an own quotation": _quotes_above,
        "an own quotation at the end": _quotes_below,
        "headers": _headers,
        "signature and notice": _notices,
    }
)


def made(most: int) -> Iterator[MadeReply]:
    """So many replies, the same ones each time: programs and ways in turn, each in another language."""
    numbers, languages = count(1000), list(NAMES)
    cases = ((turn, *each) for turn in count() for each in product(QUOTES.items(), WAYS.items()))
    replies = (
        _reply(f"{program}, {way}", quote, answer, languages[(3 * turn + n + n // len(WAYS)) % len(languages)], numbers)
        for n, (turn, (program, quote), (way, answer)) in enumerate(cases)
    )
    return islice((each for each in replies if each), most)


def _reply(name: str, quote: Quote, answer: Way, language: str, numbers: Iterator[int]) -> MadeReply | None:
    old = [
        f"Which paper do you use in tray {next(numbers)}?",
        f"Since when does it print stripes, case {next(numbers)}?",
    ]
    quoted = quote(old, language)
    found = answer(numbers, quoted, old, language)
    if found is None:
        return None
    lines, own = found
    return MadeReply(
        f"{name}, {language}", _mail(lines, _as_html(lines, quoted), next(numbers)), tuple(own), tuple(old)
    )


def _as_html(lines: list[str], quoted: Quoted) -> str | None:
    """The HTML alternative, where the quotation stands in one piece at the end."""
    at = len(lines) - len(quoted.text)
    return f"<div>{_html(lines[:at])}</div>{quoted.html}" if quoted.html and lines[at:] == quoted.text else None


def _mail(lines: list[str], html: str | None, number: int) -> bytes:
    message = EmailMessage()
    message["From"] = "Nora Lind <nora@customer.example>"
    message["To"] = f"{DESK} <{ADDRESS}>"
    message["Subject"] = f"Re: {SUBJECT}"
    message["Message-ID"] = f"<reply{number}@customer.example>"
    message["In-Reply-To"] = "<o1@desk>"
    message.set_content("\n".join(lines) + "\n")
    if html:
        message.add_alternative(html, subtype="html")
    return message.as_bytes()
