"""The rules that a mail has to pass, as one table, applied from top to bottom. The first objection decides.

A rule is a name and a function that answers with an objection in words, or None. These are Postroom's own guards
against loops (PR-02) and the limits of the settings; the preconfigured rules of TI-21 and TI-22 are configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from shared.addresses import address_key, address_keys
from shared.config.model import Inbox, Rule, Settings
from shared.contracts.events import Envelope
from shared.contracts.mail import ParsedMail
from shared.lazy_dataclass import dataclass

KINDS: Final = {
    "report": "a delivery or feedback report, no request",
    "auto-reply": "an automatic reply, no request",
    "receipt": "a receipt (disposition notification), no request",
    "challenge": "a challenge of a spam filter, no request",
}
PERSON_CAP, ROBOT_CAP = 500, 60
"""Mails of one sender with one subject in an hour: a person's, a robot's."""
CAP_PERIOD: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class FilterFacts:
    """The data that rules use. `roles`: of the person with the sender's address, None when the sender is unknown.

    `similar` counts how many mails of the same sender and subject came in the hour before (at most the number given);
    `header_of` reads a header of the raw mail; `reports_own`: whether it reports a failed mail of the desk; `is_probe`:
    whether it is the probe of a canary that has come back; `copy_of`: the id of the mail that it is a copy of.
    """

    envelope: Envelope
    mail: ParsedMail
    inbox: Inbox
    settings: Settings
    own_addresses: frozenset[str]
    rules: Sequence[Rule]
    roles: frozenset[str] | None
    similar: Callable[[int], int]
    header_of: Callable[[str], str]
    reports_own: Callable[[], bool] = lambda: False
    is_probe: Callable[[], bool] = lambda: False
    copy_of: Callable[[], str | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Check:
    """One rule: its name, and the function that returns its objection to a mail."""

    name: str
    objection_to: Callable[[FilterFacts], str | None]


def _empty(facts: FilterFacts) -> str | None:
    return "the mail is empty" if facts.mail.size == 0 else None


def _size(facts: FilterFacts) -> str | None:
    most = facts.settings.max_mail_size
    return f"the mail has {facts.mail.size} bytes; at most {most} are taken" if facts.mail.size > most else None


def _subject_length(facts: FilterFacts) -> str | None:
    length, most = len(facts.mail.subject), facts.settings.max_subject_length
    return f"the subject has {length} characters; at most {most} are taken" if length > most else None


def _own_mark(facts: FilterFacts) -> str | None:
    return "the mail was sent by this desk: it has our header X-Postroom-Loop" if facts.mail.routing.loop else None


def _own_address(facts: FilterFacts) -> str | None:
    sender = facts.mail.from_
    plus = facts.settings.plus_addressing
    if sender and not facts.own_addresses.isdisjoint(address_keys(sender.address, plus_addressing=plus)):
        return f"the sender {sender.address} is an inbox of this desk"
    return None


def _bounce(facts: FilterFacts) -> str | None:
    if facts.mail.kind != "bounce" or facts.mail.bounce is None:
        return None
    recipients = facts.mail.bounce.recipients
    if not any(recipient.permanent for recipient in recipients):
        return "a report that delivery is delayed or failed, no request"
    codes = sorted({str(recipient.smtp_code) for recipient in recipients if recipient.smtp_code})
    return f"a report of a permanent delivery failure{' (SMTP ' + ', '.join(codes) + ')' if codes else ''}"


def _kind(facts: FilterFacts) -> str | None:
    if facts.mail.kind == "bounce":
        return "a report that delivery failed, no request"
    return KINDS.get(facts.mail.kind)


def has_null_path(envelope: Envelope, mail: ParsedMail) -> bool:
    """Whether the return path is empty. Any sender can set that, so by itself it only prevents answers (PR-02)."""
    return mail.routing.return_path == "" or envelope.envelope_from == ""


def _null_path(facts: FilterFacts) -> str | None:
    other = (facts.mail.automatic_header or "").lower() not in {"", "return-path"}
    if other and has_null_path(facts.envelope, facts.mail):
        return f"the return path is empty, and {facts.mail.automatic_header} says that it was sent automatically"
    return None


def _accept_only(facts: FilterFacts) -> str | None:
    wanted, roles = facts.inbox.accept_only, facts.roles
    role = {"technicians": "analyst", "requestors": "user"}.get(wanted)
    if wanted == "anyone" or (roles is not None and (role is None or role in roles)):
        return None
    return f"the inbox accepts {'known people' if wanted == 'both' else wanted} only (accept_only: {wanted})"


def _only_in_copy(facts: FilterFacts) -> str | None:
    if not facts.inbox.ignore_cc or not facts.inbox.address:
        return None
    own = address_key(facts.inbox.address)
    plus = facts.settings.plus_addressing
    if any(own in address_keys(to.address, plus_addressing=plus) for to in facts.mail.to):
        return None
    if own and "addresses-capped" in facts.mail.defects and own in facts.header_of("To").lower():
        return None  # among recipients that the parser does not list
    return f"{facts.inbox.address} is not in To, and mail that reaches it by CC or BCC is ignored (ignore_cc)"


def _copy(facts: FilterFacts) -> str | None:
    earlier = facts.copy_of()
    return f"a copy of the mail {earlier[:12]}, which came before by another way" if earlier else None


def _rate(facts: FilterFacts) -> str | None:
    cap = ROBOT_CAP if facts.mail.automatic else PERSON_CAP
    if facts.similar(cap) < cap:
        return None
    return f"more than {cap} mails of this sender with this subject in an hour: a loop"


ACCEPT_ONLY: Final = Check("accept-only", _accept_only)
CHECKS: Final = (
    Check("empty", _empty),
    Check("size", _size),
    Check("subject-length", _subject_length),
    Check("own-loop-header", _own_mark),
    Check("own-address", _own_address),
    Check("bounce", _bounce),
    Check("kind", _kind),
    Check("null-return-path", _null_path),
    ACCEPT_ONLY,
    Check("ignore-cc", _only_in_copy),
    Check("copy", _copy),
    Check("rate", _rate),
)
"""Postroom's own rules; those of the configuration are asked after them."""
OWN_NAMES: Final = frozenset(check.name for check in CHECKS)


def may_be_allowed(rule: str) -> bool:
    """Whether a rule with the action `allow` lifts rejections by this rule.

    It lifts those of the configuration, and of `accept_only`; never a limit, or a guard against loops (PR-02).
    """
    return rule == ACCEPT_ONLY.name or rule not in OWN_NAMES


def objection(facts: FilterFacts, checks: Sequence[Check] = CHECKS) -> tuple[str, str] | None:
    """Return the first rule that objects and its reason; None when the mail passes all rules."""
    return next(((check.name, why) for check in checks if (why := check.objection_to(facts))), None)
