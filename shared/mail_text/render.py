"""Fill in the words of a mail: each `{name}` once, by its literal value. Pure.

The one way to make a mail that the desk sends by itself:

    rendered = render(template, values, language="de")     # Rendered(subject, text, html)

`values` maps names to texts, or to functions that give a text and are called only for a variable that is used. A value
is never searched for variables, whatever it says, and in HTML it is escaped. A name without a value stays as it is
written; `{field.…}` and `{old.…}` are empty then, because a record has values of the fields alone that were set.
`{{name}}` is `{name}` for the reader. A line of text that is nothing but a variable, or a label and a variable
(`Subject: {subject}`), is left out when the variable is empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from html import escape
from typing import Final

from shared.config.model import MailTemplate
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.mail_text.html_text import text_of
from shared.mail_text.no_commands import without_commands
from shared.mail_text.variables import FIELD, OLD

Value = str | Callable[[], str]
Values = Mapping[str, Value]
_NAMED: Final = r"(?:\w+|(?:field|old)\.[^{}.$\n]{1,100})"
_VARIABLE: Final = lazy_compile(rf"\{{\{{(?P<literal>{_NAMED})\}}\}}|\{{(?P<name>{_NAMED})\}}", re.IGNORECASE)
_ALONE: Final = lazy_compile(rf"(?:[^{{}}:\n]{{1,60}}:)?[ \t]*\{{(?P<name>{_NAMED})\}}[ \t]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TemplateWords:
    """Subject, text and HTML of a template. One of `text` and `html` may be None: it is made from the other."""

    subject: str
    text: str | None
    html: str | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail as it is sent. `html` is None when there are no words of its own for it: then it is made from `text`.

    `template` is the mail template that it was made of, None for built-in words: its pictures are found there.
    """

    subject: str
    text: str
    html: str | None = None
    template: str | None = None


def render(template: MailTemplate, values: Values, language: str | None = None) -> Rendered:
    """A template in this language, else in its own, filled in."""
    return replace(filled(in_language(template, language), values), template=template.name)


def in_language(template: MailTemplate, language: str | None) -> TemplateWords:
    """The words for `de-ch`: those of this tag, else of `de`, else the template's own.

    Words that a language leaves out are the template's own; text and HTML of a mail are in one language.
    """
    own = TemplateWords(template.subject, template.text, template.html)
    found = template.languages.get(spoken(template, language) or "", {})
    has_body = "text" in found or "html" in found
    text, html = (found.get("text"), found.get("html")) if has_body else (own.text, own.html)
    return TemplateWords(found.get("subject", own.subject), text, html)


def spoken(template: MailTemplate, language: str | None) -> str | None:
    """The language of a template that is taken for this one: `de` for `de-ch`; None for its own words."""
    tag = (language or "").casefold()
    return next((each for each in (tag, tag.partition("-")[0]) if each in template.languages), None)


def filled(words: TemplateWords, values: Values) -> Rendered:
    """These words, filled in; the subject on one line and without commands, the text with one line end at its end."""
    known = {name.casefold(): value for name, value in values.items()}
    text = words.text if words.text is not None else text_of(words.html or "")
    return Rendered(
        without_commands(" ".join(_with_values(words.subject, known).split())),
        f"{_without_empty_lines(text, known).strip(chr(10))}\n",
        None if words.html is None else _with_values(words.html, known, escaped),
    )


def escaped(value: str) -> str:
    """A value for HTML: nothing in it is markup, its lines stay lines."""
    return escape(value).replace("\n", "<br>\n")


def names_in(text: str) -> Iterator[str]:
    """The variables of a text as they are written."""
    yield from (found["name"] for found in _VARIABLE.finditer(text) if found["name"])


def _without_empty_lines(text: str, known: Values) -> str:
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(_with_values(line, known) for line in lines if not _is_empty(line, known))


def _is_empty(line: str, known: Values) -> bool:
    found = _ALONE.fullmatch(line) if "{" in line else None
    return found is not None and _value(found["name"], known) == ""


def _with_values(text: str, known: Values, form: Callable[[str], str] = str) -> str:
    def value(found: re.Match[str]) -> str:
        if found["literal"]:
            return f"{{{found['literal']}}}"
        given = _value(found["name"], known)
        return found[0] if given is None else form(given)

    return _VARIABLE.sub(value, text) if "{" in text else text


def _value(name: str, known: Values) -> str | None:
    name = name.casefold()
    value = known.get(name, "" if name.startswith((FIELD, OLD)) else None)
    return value() if callable(value) else value
