"""Recognises a plain text that only says that the mail is written in HTML.

Programs that write HTML alone put such a sentence in place of the plain alternative (RFC 2046 section 5.1.4). Separate
from `body`, which asks, because it is a guess about words. A sentence about HTML that the HTML itself has is the
sender's, and the plain text stays.
"""

from __future__ import annotations

from typing import Final

from services.parser.tables import any_in_lower

MAX_CHARS: Final = 600
"""A longer text has more to say."""
MAX_HTML_TEXT: Final = 100_000
_SAYS: Final = any_in_lower(r"""
    en  (?:not|n't|cannot|unable to) (?:support|display|view|show|read|render|handle).{0,30}\bhtml\b
    en  \bhtml[- ](?:capable|compatible|enabled|compliant|aware|format|e-?mail|message|mail|version)
    en  (?:view|read|open|see) (?:this|the) (?:message|e-?mail|newsletter) (?:in|with) (?:your|an?) .{0,20}browser
    de  \bhtml-?(?:fähig|format|ansicht|mail|e-?mail|nachricht) | (?:kein|nicht).{0,30}\bhtml\b
    fr  \bformat html\b | ne .{0,40}pas .{0,30}\bhtml\b
    es  (?:formato|versión) html\b | no .{0,40}\bhtml\b
    it  (?:formato|versione) html\b | non .{0,40}\bhtml\b
    pt  (?:formato|versão) html\b | não .{0,40}\bhtml\b
    nl  \bhtml-?(?:formaat|bericht|mail) | (?:geen|niet).{0,30}\bhtml\b
    sv  \bhtml-?format | (?:inte|ikke|ei).{0,30}\bhtml\b
    pl  format\w* html\b | nie .{0,40}\bhtml\b
    ru  формат\w* html\b | не .{0,40}\bhtml\b
    ja  html.{0,10}(?:形式|メール|対応)
    zh  html.{0,6}(?:格式|邮件|郵件)
""")


def may_be(plain: str) -> bool:
    """Whether a plain text is short and speaks of HTML. Cheap."""
    text = plain.strip()
    return len(text) <= MAX_CHARS and bool(_SAYS.search(text.lower()))


def is_for(plain: str, html_text: str) -> bool:
    """Whether a text that may be one stands for HTML with this text: what it says is not in it."""
    return bool(html_text.strip()) and _squashed(plain) not in _squashed(html_text[:MAX_HTML_TEXT])


def _squashed(text: str) -> str:
    return "".join(text.split()).casefold()
