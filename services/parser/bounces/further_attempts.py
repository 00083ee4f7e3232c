"""Reads from a report's words whether delivery continues or has ended, for reports that have no Action field."""

from __future__ import annotations

from enum import Enum
from typing import Final

from services.parser.tables import any_in_lower

MAX_CHARS: Final = 8_000
_WAITS: Final = any_in_lower(r"""
    en  \bdelay(?:ed)?\b | not (?:yet been delivered|been delivered yet) | will (?:be )?(?:retr|keep|continue)
    en  still being retried | no action is required | has been postponed | could not send (?:message|mail) for past
    en  attempts will continue | only a temporary | just a warning | warning message only | will try again
    en  do not need to re-?send
    de  verz(?:ö|oe)ger | noch nicht zugestellt
    fr  retardée? | différée? | pas encore (?:été )?(?:remis|livré|distribué)
    es  demora(?:do|da)? | retras(?:o|ado|ada) | aún no se ha
    it  in ritardo | ritardat[ao] | non è (?:stato )?ancora
    pt  atrasad[ao] | ainda não foi
    nl  vertraagd | nog niet (?:bezorgd|afgeleverd)
    sv  fördröj | ännu inte levererat | forsinket | endnu ikke
    fi  viivästy | ei ole vielä
    pl  opóźni | jeszcze nie został
    cs  zpožděn | dosud neb
    hu  késlelt | még nem (?:sikerült|kézbesít)
    ru  задерж | ещ[её] не (?:было )?доставлен | отложен
    tr  gecik | henüz teslim
    ja  遅延 | 遅れて
    zh  延迟 | 延遲 | 重新尝试
    ko  지연
""")
_ENDED: Final = any_in_lower(r"""
    en  giving up | given up | not going to try | (?<!fails )permanent | will not be retried
    en  could not be delivered within | cannot send (?:message|mail) for | been in the queue too long
    en  (?<!non-)fatal error | returning (?:message|mail) to | undelivered mail returned | \bfailed after\b
    en  retry time(?:out)? exceeded
""")


class FurtherAttempts(Enum):
    """What the report says about further attempts."""

    EXPECTED = "expected"
    ENDED = "ended"
    UNKNOWN = "unknown"


def read(subject: str, text: str) -> FurtherAttempts:
    """What subject and text together say about further attempts."""
    words = f"{subject}\n{text}"[:MAX_CHARS].lower()
    if _ENDED.search(words):
        return FurtherAttempts.ENDED
    return FurtherAttempts.EXPECTED if _WAITS.search(words) else FurtherAttempts.UNKNOWN
