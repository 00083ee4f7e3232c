"""Finds in HTML where the quotation begins, with the first words of it, and the signature, to look for in the text.

Mail programs mark both with classes and ids, which are independent of the language.
"""

from __future__ import annotations

import html as entities
import re
from typing import Final

from shared.lazy_pattern import lazy_compile

MAX_CHARS: Final = 1_000_000
_TAGS: Final = lazy_compile(r"<(?:div|blockquote|hr|span|table)\b[^<>]{0,600}>", re.IGNORECASE)
_NAMED: Final = lazy_compile(
    r"""\b(?:x_|ecx|m_\d{1,20})?(?:
        gmail_quote|gmail_extra|divRplyFwdMsg|appendonsend|OLK_SRC_BODY_SECTION|yahoo_quoted|yqt\d|moz-cite-prefix|
        protonmail_quote|zmail_extra|tutanota_quote|ms-outlook-mobile-reference-message|mail-editor-reference-message-container|mail_quote|reply-intro|
        isReplyContent|isForwardContent|OutlookMessageHeader|AppleMailQuote|js-original-message|stopSpelling|zwchr)""",
    re.IGNORECASE | re.VERBOSE,
)
"""Names of classes and ids by which programs mark a quotation."""
_SIGNED: Final = lazy_compile(
    r"""<(?P<tag>div|span|table|pre)\b[^<>]{0,300}?\b(?:
        id\s?=\s?["']?(?:x_)?(?:Signature|composer_signature|ms-outlook-mobile-signature|signature_old)\b(?!-)
        |class\s?=\s?["']?(?:[\w-]{1,40}\s)?
            (?:gmail_signature|moz-signature|protonmail_signature_block|front-signature|k9mail-signature)(?=["'\s>])
        |name\s?=\s?["']?messageSignatureSection\b)[^<>]{0,600}>""",
    re.IGNORECASE | re.VERBOSE,
)
"""The element that programs put around a signature."""
MAX_SIGNATURE: Final = 20_000
"""Characters of HTML that a signature has at most."""
_IN_NAME: Final = lazy_compile(r"""(?:class|id)\s?=\s?["']?[^"'>]{0,80}+\Z""", re.IGNORECASE)
_MARK: Final = lazy_compile(
    r"""border-top:\s?(?:1(?:\.0)?pt\s)?solid\s(?:\#(?:B5C4DF|E1E1E1)|rgb\((?:181,\s?196,\s?223|225,\s?225,\s?225)\))
    | data-marker\s?=\s?["']__QUOTED_TEXT__
    | type\s?=\s?["']?cite
    | name\s?=\s?["']?quote\b""",
    re.IGNORECASE | re.VERBOSE,
)
_SKIPPED: Final = lazy_compile(r"<(style|script|title)\b[^<>]{0,500}>[^<]{0,20000}</\1>", re.IGNORECASE)
_TAG: Final = lazy_compile(r"<[^<>]{0,4000}>")
_LONG_NUMBER: Final = lazy_compile(r"&#\d{20,}+;?")
"""Invalid character references, with more digits than Python converts."""
_BLANK: Final = lazy_compile(r"[\s>\xa0\u200b\ufeff]+")


def quotation(html: str) -> str:
    """The first 60 visible characters of the quotation without white space, or an empty string."""
    start = _start(html)
    return "" if start is None else squashed(visible(html[start : start + 20_000]))[:60]


def signature(html: str) -> str:
    """The text of the element above the quotation that a program marks as the signature, or an empty string."""
    opened = _SIGNED.search(html, 0, MAX_CHARS)
    if opened is None or ((quoted := _start(html)) is not None and quoted < opened.start()):
        return ""
    depth = 0
    element = html[opened.start() : opened.start() + MAX_SIGNATURE]
    for tag in re.finditer(rf"<(/?){opened['tag']}\b", element, re.IGNORECASE):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return visible(element[: tag.start()])
    return ""


def _start(html: str) -> int | None:
    mark = next((tag for tag in _TAGS.finditer(html, 0, MAX_CHARS) if _is_mark(tag[0])), None)
    return mark and mark.start()


def _is_mark(tag: str) -> bool:
    """Whether a tag opens a quotation: by a class or id that programs use, or by its style or attributes."""
    if _MARK.search(tag):
        return True
    return any(_IN_NAME.search(tag, max(0, name.start() - 100), name.start()) for name in _NAMED.finditer(tag))


def visible(html: str) -> str:
    """The approximate text of some HTML."""
    return entities.unescape(_LONG_NUMBER.sub("", _TAG.sub(" ", _SKIPPED.sub(" ", html))))


def squashed(text: str) -> str:
    """Text without white space and quote marks."""
    return _BLANK.sub("", text)
