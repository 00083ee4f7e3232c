"""Finds in HTML where the quotation begins, and the first words of it, to look for in the text.

Mail programs mark their quotations with classes and ids, which survive where no word does.
"""

from __future__ import annotations

import html as entities
import re
from typing import Final

MAX_CHARS: Final = 1_000_000
_MARK: Final = re.compile(
    r"""<(?:
      div[^>]{0,300}(?:class|id)\s*=\s*["']?[^"'>]{0,80}?(?:gmail_quote|divRplyFwdMsg|appendonsend|OLK_SRC_BODY_SECTION|yahoo_quoted|yahoo-quoted|
        yqt\d|moz-cite-prefix|protonmail_quote|zmail_extra|gmail_extra|mail-quote|tutanota_quote|ms-outlook-mobile-reference-message|
        x_divRplyFwdMsg|mailcontainer_quote|replyforwardmessage|OutlookMessageHeader|WordSection1_quote|AppleMailQuote|js-original-message)
    | div[^>]{0,300}border-top:\s?solid\s\#(?:B5C4DF|E1E1E1)
    | div[^>]{0,60}data-marker=["']__QUOTED_TEXT__
    | blockquote[^>]{0,200}type\s*=\s*["']?cite
    | hr[^>]{0,100}id\s*=\s*["']?(?:stopSpelling|zwchr|ecxstopSpelling)
    | div[^>]{0,60}name\s*=\s*["']?quote
    | span[^>]{0,60}id\s*=\s*["']?OLK_SRC_BODY_SECTION
    | (?:div|table)[^>]{0,60}id\s*=\s*["']?(?:mail_quote|reply-intro|isReplyContent)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_SKIPPED: Final = re.compile(r"<(style|script|head|title)\b[^>]{0,500}>.{0,20000}?</\1>", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"<[^>]{0,4000}>|<!--.{0,4000}?-->", re.DOTALL)
_BLANK: Final = re.compile(r"[\s>\xa0\u200b\ufeff]+")


def quotation(html: str) -> str:
    """The first 60 visible characters of the quotation without white space, or an empty string."""
    mark = _MARK.search(html, 0, MAX_CHARS)
    if mark is None:
        return ""
    return squashed(visible(html[mark.start() : mark.start() + 20_000]))[:60]


def visible(html: str) -> str:
    """The text of some HTML, roughly."""
    return entities.unescape(_TAG.sub(" ", _SKIPPED.sub(" ", html)))


def squashed(text: str) -> str:
    """Text without white space and quote marks."""
    return _BLANK.sub("", text)
