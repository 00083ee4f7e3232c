"""Rules about mail, incoming and outgoing: what Track-It! bars (TI-21, TI-22), and the administrator's own rules
(TI-20, TI-23) with their kinds of match as a table.

Texts match partially and without regard to case; a comma-separated list is checked one by one. A pattern runs
under a time-out, whatever the mail is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from shared.addresses import address_key, spellings
from shared.config.model import Rule
from shared.contracts.mail import Address, ParsedMail
from shared.patterns import PatternTime

BARRED_SENDERS: Final = ("postmaster", "mail delivery subsystem", "system administrator", "mailer-daemon")
BARRED_SUBJECTS: Final = (
    "undeliverable mail",
    "returned mail",
    "mail system error",
    "delivery error",
    "undeliverable:",
    "failure notice",
    "nondeliverable mail",
    "mail delivery failure",
    "message status - undeliverable",
    "warning: could not send message",
    "delivery notification: delivery has failed",
    "mail undeliverable: failure detected",
    "message status - opened",
    "returned mail: service unavailable",
    "out of office",
)
PATTERN_TEXT: Final = 100_000
"""A pattern sees so many characters of a body, and of each other text."""


def is_in_force(rule: Rule, direction: str, roles: frozenset[str] | None) -> bool:
    """Whether a rule applies to this direction and to a person with these roles (None: an unknown sender)."""
    if rule.direction not in (direction, "both"):
        return False
    analyst = roles is not None and "analyst" in roles
    return rule.applies_to == "both" or (rule.applies_to == "analysts") == analyst


HeaderOf = Callable[[str], str]
"""Returns the value of a header of the mail, "" when it has none."""


def matches(rule: Rule, mail: ParsedMail, header_of: HeaderOf, time: PatternTime) -> bool:
    """Whether every part of the rule's match holds. Raises `PatternTimeSpent`."""
    parts = dict(rule.match)
    headers = parts.pop("header", {})
    if not rule.match or not all(text.casefold() in header_of(name).casefold() for name, text in headers.items()):
        return False
    patterns = parts.pop("regex", None)
    return all(_KINDS[kind](expected, mail) for kind, expected in parts.items()) and (
        patterns is None or _regex(patterns, mail, time)
    )


def recipient_matches(rule: Rule, recipient: Address, subject: str, time: PatternTime) -> bool:
    """Whether a rule matches outgoing mail: every recipient is matched in the same way as a sender (TI-20).

    Every part of the match has to hold here too; an outgoing mail has neither headers nor a size yet.
    """
    about = _people([recipient])
    texts = {"subject": subject, "sender": about, "recipient": about}
    held = {
        "subject": lambda expected: _contains(expected, subject),
        "regex": lambda expected: _patterns_hold(expected, texts, time),
        **dict.fromkeys(("sender", "recipient"), lambda expected: _contains(expected, *_names([recipient]))),
    }
    return bool(rule.match) and all(kind in held and held[kind](expected) for kind, expected in rule.match.items())


def _texts(expected: Any) -> Iterable[str]:
    given = (expected,) if isinstance(expected, str) else expected
    return [part.strip().casefold() for text in given for part in str(text).split(",") if part.strip()]


def _contains(expected: Any, *texts: str) -> bool:
    haystack = "\n".join(texts).casefold()
    return any(text in haystack for text in _texts(expected))


def _people(addresses: Iterable[Address]) -> str:
    """Names and addresses as a pattern sees them: the address in the form that is compared."""
    return "\n".join(f"{address.name} <{address_key(address.address) or address.address}>" for address in addresses)


def _names(addresses: Iterable[Address]) -> list[str]:
    """Names and addresses as texts are looked for in them: every spelling, so that no spelling evades a rule."""
    return [text for each in addresses for text in (each.name, *(f"<{one}>" for one in spellings(each.address)))]


def _sender(expected: Any, mail: ParsedMail) -> bool:
    return mail.from_ is not None and _contains(expected, *_names([mail.from_]))


def _recipient(expected: Any, mail: ParsedMail) -> bool:
    return _contains(expected, *_names((*mail.to, *mail.cc)))


def _subject(expected: Any, mail: ParsedMail) -> bool:
    return _contains(expected, mail.subject)


def _size(expected: Any, mail: ParsedMail) -> bool:
    return mail.size > int(expected)


def _regex(expected: Mapping[str, str], mail: ParsedMail, time: PatternTime) -> bool:
    texts = {
        "subject": mail.subject,
        "body": mail.text[:PATTERN_TEXT],
        "sender": _people([mail.from_] if mail.from_ else []),
        "recipient": _people((*mail.to, *mail.cc))[:PATTERN_TEXT],
    }
    return _patterns_hold(expected, texts, time)


def _patterns_hold(expected: Mapping[str, str], texts: Mapping[str, str], time: PatternTime) -> bool:
    everything = {**texts, "any": "\n".join(texts.values())}
    return all(time.search(pattern, everything.get(where, "")) for where, pattern in expected.items())


_KINDS: Final[Mapping[str, Callable[[Any, ParsedMail], bool]]] = {
    "sender": _sender,
    "recipient": _recipient,
    "subject": _subject,
    "size": _size,
}
