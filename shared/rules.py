"""Rules about mail, incoming and outgoing, preconfigured or own (TI-20 to TI-23): the kinds of match as a table.

Texts match partially and without regard to case; a comma-separated list is checked one by one. A pattern runs
under a time-out, whatever the mail is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from shared.addresses import address_key, spellings
from shared.config.model import Rule
from shared.contracts.mail import Address, ParsedMail
from shared.patterns import PatternTime
from shared.subject_prefixes import without_prefixes, without_tags

PATTERN_TEXT: Final = 100_000
"""Characters of a body, and of each other text, in which a pattern is searched for."""


def is_in_force(rule: Rule, direction: str, roles: frozenset[str] | None) -> bool:
    """Whether a rule rejects in this direction, and for a person with these roles (None: an unknown sender)."""
    if not rule.enabled or rule.action != "reject" or rule.direction not in (direction, "both"):
        return False
    analyst = roles is not None and "analyst" in roles
    return rule.applies_to == "both" or (rule.applies_to == "analysts") == analyst


def is_allowed(rules: Iterable[Rule], sender: Address | None) -> bool:
    """Whether a rule with the action `allow` names this sender: the whole address, or its domain as `@domain`.

    The display name makes no difference, because its sender chooses it.
    """
    key = address_key(sender.address) if sender else None
    allowing = [rule for rule in rules if rule.enabled and rule.action == "allow"]
    if key is None or not allowing:
        return False
    names = {key, key[key.rfind("@") :]}
    return any(_sender_key(each) in names for rule in allowing for each in rule.match.get("sender", ()))


def _sender_key(named: str) -> str | None:
    """The key of an address, or of `@domain` with the @."""
    if not named.startswith("@"):
        return address_key(named)
    key = address_key(f"any{named}")
    return key and key.removeprefix("any")


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
        "subject_begins": lambda expected: _begins(expected, subject),
        "regex": lambda expected: _patterns_hold(expected, texts, time),
        **dict.fromkeys(("sender", "recipient"), lambda expected: _contains(expected, *_names([recipient]))),
    }
    return bool(rule.match) and all(kind in held and held[kind](expected) for kind, expected in rule.match.items())


def _texts(expected: Any) -> Iterable[str]:
    given = (expected,) if isinstance(expected, str) else expected
    return [part for text in given for each in str(text).split(",") if (part := _one_line(each))]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _one_line(text: str) -> str:
    """The folded text with single blanks: two of them, or one that breaks no line, are not seen."""
    return " ".join(_folded(text).split())


def _contains(expected: Any, *texts: str) -> bool:
    """Whether one of the texts contains an expected one; case and the kind and number of blanks make no difference."""
    haystack = "\n".join(map(_one_line, texts))
    return any(text in haystack for text in _texts(expected))


def _begins(expected: Iterable[str], subject: str) -> bool:
    """Whether a subject begins with one of the texts; case, blanks, hyphens and reply prefixes make no difference."""
    begin = without_prefixes(_folded(subject))
    return any(_beginning(_folded(text)).match(begin) for text in expected)


@lru_cache(maxsize=256)
def _beginning(text: str) -> re.Pattern[str]:
    letters = [re.escape(letter) for letter in re.sub(r"[\s\u2010-\u2015-]", "", text)]
    return re.compile(r"[\s\u2010-\u2015-]*+".join(letters) + (r"(?!\w)" if text[-1:].isalnum() else ""))


def _people(addresses: Iterable[Address]) -> str:
    """Names and addresses as a pattern sees them: the address as it is compared, and with its domain readable."""
    shown = ((each.name, spelled) for each in addresses for spelled in _compared(each.address))
    return "\n".join(f"{name} <{spelled}>" for name, spelled in shown)


def _compared(address: str) -> list[str]:
    return spellings(key) if (key := address_key(address)) else [address]


def _names(addresses: Iterable[Address]) -> list[str]:
    """Names and addresses as texts are looked for in them: every spelling, so that no spelling evades a rule."""
    return [text for each in addresses for text in (each.name, *(f"<{one}>" for one in spellings(each.address)))]


def _sender(expected: Any, mail: ParsedMail) -> bool:
    return mail.from_ is not None and _contains(expected, *_names([mail.from_]))


def _recipient(expected: Any, mail: ParsedMail) -> bool:
    return _contains(expected, *_names((*mail.to, *mail.cc)))


def _subject(expected: Any, mail: ParsedMail) -> bool:
    return _contains(expected, mail.subject)


def _subject_begins(expected: Any, mail: ParsedMail) -> bool:
    """With or without the tags of a gateway. A tag with a number may name a record, whose replies are let in."""
    begin = without_prefixes(mail.subject)
    rest = without_tags(begin)
    tags = begin[: len(begin) - len(rest)]
    return _begins(expected, begin) or (not any(map(str.isdigit, tags)) and _begins(expected, rest))


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
    "subject_begins": _subject_begins,
    "size": _size,
}
