"""Decides whether a mail counts towards the number per poll; bounces, automatic answers, invitations do not (TI-12).

It reads only the beginning of the raw bytes and does not parse. It affects how many mails a poll takes, not how a
mail is processed. A wrong guess makes one poll a little larger or smaller.
"""

from __future__ import annotations

import re

from shared.lazy_pattern import lazy_compile

LOOK_BYTES = 64 << 10
_AUTOMATIC = lazy_compile(
    rb"""^(?:
        auto-submitted:[ \t]*(?!no\b)[a-z]               # RFC 3834
      | content-type:\s*multipart/report\b               # RFC 6522
      | content-type:\s*message/(?:delivery-status|disposition-notification)\b
      | content-type:\s*text/calendar\b                  # RFC 6047, on its own or as an alternative
      | return-path:[ \t]*<[ \t]*>                       # RFC 5321, 4.5.5
      | (?:x-autoreply|x-autorespond|x-failed-recipients):[ \t]*\S
    )""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)


def is_automatic(raw: bytes) -> bool:
    """Whether a machine seems to have written this mail: a bounce, an automatic answer, an invitation."""
    return _AUTOMATIC.search(raw[:LOOK_BYTES]) is not None
