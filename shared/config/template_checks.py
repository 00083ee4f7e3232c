"""Checks of mail templates: their variables are known, and known where the template is used (TI-42, PR-20)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from shared.config.complaints import Complaint, Complaints, values_at
from shared.config.field_checks import known_fields
from shared.config.model import Configuration, MailTemplate
from shared.config.problems import nearest, typo_of
from shared.mail_text.built_in import BUILT_IN
from shared.mail_text.render import names_in
from shared.mail_text.variables import DESK, FIELD, MAIL, OF_RULES, OLD, RECORD, VARIABLES

_USES: Final = {"inboxes.commands.reply_template": "created"}
"""Keys that name a mail template → the built-in words that it replaces there."""


def mail_templates_fit(config: Configuration) -> Complaints:
    """Every variable of a mail template exists, and has a value in the mails that the template is for."""
    fields = {each.casefold(): each for type_ in config.types for each in (*known_fields(type_), "Description")}
    for path, template in values_at(config, "mail_templates"):
        if template.text is None and template.html is None:
            yield Complaint(f"{path}.text", "missing; write it, or html, or both")
        yield from _images(path, template)
        uses = list(_uses(template, config))
        for place, text in _texts(path, template):
            for name in dict.fromkeys(names_in(text)):
                yield from _variable(place, name, fields)
                yield from _in_use(place, name, uses)
                yield from _in_subject(place, name)


def _texts(path: str, template: MailTemplate) -> Iterator[tuple[str, str]]:
    """The texts of a template, each with its place."""
    own = {"subject": template.subject, "text": template.text, "html": template.html}
    yield from ((f"{path}.{key}", text) for key, text in own.items() if text)
    for language, words in template.languages.items():
        yield from ((f"{path}.languages.{language}.{key}", text) for key, text in words.items())


def _images(path: str, template: MailTemplate) -> Complaints:
    """NE-22: every picture that HTML names is there."""
    for place, text in _texts(path, template):
        for name in dict.fromkeys(re.findall(r"""src=["']?cid:([^"'\s>]*)""", text, re.IGNORECASE)):
            if name not in template.images:
                hint = nearest(name, template.images) or "; add it under images: {name: file}"
                yield Complaint(place, f'there is no image "{name}"{hint}')


def inboxes_sign(config: Configuration) -> Complaints:
    """A signature has the variables of the desk."""
    for path, signature in values_at(config, "inboxes.signature"):
        for name in dict.fromkeys(names_in(signature)):
            if name.casefold() not in DESK:
                hint = nearest(name, DESK) or f"; it takes {', '.join(DESK)}"
                yield Complaint(path, f"a signature has no variable {{{name}}}{hint}")


def prefixes_fit(config: Configuration) -> Complaints:
    """NE-23: a prefix is not the name of a type, which means a number."""
    for path, prefix in values_at(config, "mail_servers.conversation_id.prefix"):
        if type_ := config.type_named(prefix):
            yield Complaint(path, f"{prefix} names the record type {type_.name}; choose another prefix")


def _uses(template: MailTemplate, config: Configuration) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The mails that a template is for: the name of each, with the variables that have a value there."""
    names = [template.name] if template.name in BUILT_IN else []
    for key, name in _USES.items():
        names += [name for _, named in values_at(config, key) if named == template.name]
    yield from ((name, BUILT_IN[name].variables) for name in dict.fromkeys(names))
    if any(named == template.name for _, named in values_at(config, "business_rules.notify.template")):
        yield "of a business rule", (*DESK, *RECORD, *MAIL, *OF_RULES)


def _variable(place: str, name: str, fields: dict[str, str]) -> Complaints:
    begun = next((each for each in (FIELD, OLD) if name.casefold().startswith(each)), None)
    if begun:
        yield from _field(place, name, begun, fields)
    elif name.casefold() not in VARIABLES:
        hint = nearest(name, VARIABLES) or f"; it is one of {', '.join(VARIABLES)}"
        yield Complaint(
            place, f"there is no variable {{{name}}}{hint} (write {{{{{name}}}}} for the braces themselves)"
        )


def _field(place: str, name: str, begun: str, fields: dict[str, str]) -> Complaints:
    """Built-in types take fields that nobody declared; a name that is almost one of theirs is a mistake."""
    named = name[len(begun) :]
    if named.casefold() not in fields and (near := typo_of(named, fields.values())):
        yield Complaint(place, f'no record type has a field "{named}"; did you mean "{begun}{near}"?')


def _in_use(place: str, name: str, uses: Iterable[tuple[str, tuple[str, ...]]]) -> Complaints:
    for use, known in uses:
        about_record = "number" in known
        is_known = about_record if "." in name else name.casefold() in known or name.casefold() not in VARIABLES
        if not is_known:
            yield Complaint(place, f"{{{name}}} has no value in the mail {use}; it has {', '.join(known)}")


def _in_subject(place: str, name: str) -> Complaints:
    """A command in a subject would be given again by whoever answers the mail."""
    if name.casefold() == "command" and place.endswith("subject"):
        yield Complaint(place, "{command} in a subject is a command again in every answer; write it in the text")
