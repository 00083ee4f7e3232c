"""Fill field templates: constants with tokens (IV-32, `shared.mapping_tokens`).

@To[N] and @CC[N] count from 1; a missing index or one below 1 means the first, one beyond the list is empty. Names are
those of the matched person, else of the display name. Values come in as they are: no mail is read as a template.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from services.record_writer.decide.facts import Facts
from shared.contracts.mail import Address
from shared.lazy_pattern import lazy_compile
from shared.mapping_tokens import TOKEN

_ADDRESS = lazy_compile(r"""['"<]* [^\s@]+ @ [^\s@]+ ['">]*""", re.VERBOSE)


def fill(template: str, facts: Facts, body: str) -> str:
    """The template with its tokens replaced. `body` is the value of @Body."""
    return TOKEN.sub(lambda found: _value(found, facts, body), template)


def _value(found: re.Match[str], facts: Facts, body: str) -> str:
    if found["list"]:
        people = facts.mail.to if found["list"].lower() == "to" else facts.mail.cc
        return _nth(people, found["index"])
    match (found["name"] or "").lower():
        case "from":
            return facts.sender.address.address if facts.sender.address else ""
        case "subject":
            return facts.mail.subject
        case "body":
            return body
        case "firstname":
            return names(facts)[0]
        case "lastname":
            return names(facts)[1]
    return "@" if found[0] == "@@" else found[0]


def _nth(people: Sequence[Address], index: str | None) -> str:
    position = max(int(index), 1) - 1 if index and index != "-" else 0
    return people[position].address if position < len(people) else ""


def names(facts: Facts) -> tuple[str, str]:
    """First and last name of the sender; `Doe, Jane` is read as Jane Doe. An address in place of a name is none."""
    known = (facts.sender.name.strip(), facts.sender.address.name.strip() if facts.sender.address else "")
    full = next((name for name in known if name and not _ADDRESS.fullmatch(name)), "")
    last, comma, first = full.partition(",")
    if comma:
        return first.strip(), last.strip()
    first, _, last = full.rpartition(" ")
    return (first.strip(), last) if first else (last, "")
