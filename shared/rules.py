"""Rules about mail, incoming and outgoing: what Track-It! bars (TI-21, TI-22), and the administrator's own rules
(TI-20, TI-23) with their kinds of match as a table.

Texts match partially and without regard to case; a comma-separated list is checked one by one. A pattern runs
under a time-out, so that no mail can make it run away.
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
    """Whether a rule speaks to this direction and to people with these roles (None: nobody known)."""
    if rule.direction not in (direction, "both"):
        return False
    analyst = roles is not None and "analyst" in roles
    return rule.applies_to == "both" or (rule.applies_to == "analysts") == analyst


HeaderOf = Callable[[str], str]
"""The value of a header of the mail at hand, "" when it has none."""


def matches(rule: Rule, mail: ParsedMail, header_of: HeaderOf, time: PatternTime) -> bool:
    """Whether every part of the rule's match holds. Raises `PatternTimeSpent`."""
    told = dict(rule.match)
    headers = told.pop("header", {})
    if not rule.match or not all(text.casefold() in header_of(name).casefold() for name, text in headers.items()):
        return False
    patterns = told.pop("regex", None)
    return all(_KINDS[kind](wanted, mail) for kind, wanted in told.items()) and (
        patterns is None or _regex(patterns, mail, time)
    )


def recipient_matches(rule: Rule, recipient: Address, subject: str, time: PatternTime) -> bool:
    """The outbound reading of a rule: every recipient is matched in the same way as a sender (TI-20).

    Every part of the match has to hold here too; a mail of ours has neither headers nor a size to be matched yet.
    """
    about = _people([recipient])
    held = {
        "subject": lambda wanted: _contains(wanted, subject),
        "regex": lambda wanted: _patterns_hold(wanted, {"subject": subject, "sender": about, "recipient": about}, time),
        **dict.fromkeys(("sender", "recipient"), lambda wanted: _contains(wanted, *_names([recipient]))),
    }
    return bool(rule.match) and all(kind in held and held[kind](wanted) for kind, wanted in rule.match.items())


def _texts(wanted: Any) -> Iterable[str]:
    given = (wanted,) if isinstance(wanted, str) else wanted
    return [part.strip().casefold() for text in given for part in str(text).split(",") if part.strip()]


def _contains(wanted: Any, *told: str) -> bool:
    haystack = "\n".join(told).casefold()
    return any(text in haystack for text in _texts(wanted))


def _people(addresses: Iterable[Address]) -> str:
    """Names and addresses as a pattern sees them: the address in the form that is compared."""
    return "\n".join(f"{address.name} <{address_key(address.address) or address.address}>" for address in addresses)


def _names(addresses: Iterable[Address]) -> list[str]:
    """Names and addresses as texts are looked for in them: every spelling, so that none evades a rule."""
    return [text for each in addresses for text in (each.name, *(f"<{one}>" for one in spellings(each.address)))]


def _sender(wanted: Any, mail: ParsedMail) -> bool:
    return mail.from_ is not None and _contains(wanted, *_names([mail.from_]))


def _recipient(wanted: Any, mail: ParsedMail) -> bool:
    return _contains(wanted, *_names((*mail.to, *mail.cc)))


def _subject(wanted: Any, mail: ParsedMail) -> bool:
    return _contains(wanted, mail.subject)


def _size(wanted: Any, mail: ParsedMail) -> bool:
    return mail.size > int(wanted)


def _regex(wanted: Mapping[str, str], mail: ParsedMail, time: PatternTime) -> bool:
    told = {
        "subject": mail.subject,
        "body": mail.text[:PATTERN_TEXT],
        "sender": _people([mail.from_] if mail.from_ else []),
        "recipient": _people((*mail.to, *mail.cc))[:PATTERN_TEXT],
    }
    return _patterns_hold(wanted, told, time)


def _patterns_hold(wanted: Mapping[str, str], told: Mapping[str, str], time: PatternTime) -> bool:
    everything = {**told, "any": "\n".join(told.values())}
    return all(time.search(pattern, everything.get(where, "")) for where, pattern in wanted.items())


_KINDS: Final[Mapping[str, Callable[[Any, ParsedMail], bool]]] = {
    "sender": _sender,
    "recipient": _recipient,
    "subject": _subject,
    "size": _size,
}
