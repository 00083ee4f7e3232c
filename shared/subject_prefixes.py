"""What mail programs, gateways and lists write before a subject: `Re:`, `WG:`, `[EXTERNAL]`.

One table for all that asks: the parser whether a mail answers or forwards another, rules where a subject begins, the
guards against loops whether two subjects are the same. A tag is left out only before a prefix; elsewhere it belongs to
the subject. Every pattern is bounded at each place, so that its running time stays linear.
"""

from __future__ import annotations

import re
from typing import Final

from shared.lazy_pattern import lazy_compile

_ANSWERED: Final = (
    "re res ref rép rép. réf réf. aw antw antw. antwort r rif sv svar ang vs odp odp. atb odg vá válasz ynt yan bls"
    " balas ответ отв на відповідь απ αντ σχετ השב תגובה رد الرد پاسخ ตอบ 返信 回复 回覆 答复 答覆 회신 답장"
)
"""Of an answer."""
_PASSED: Final = (
    "fw fwd fs wg weiterl tr trs rv reenv renv i rif enc doorst vb vs dørst vl pd tov továbbítás ilt i̇lt пересл пер"
    " πρθ הועבר تحويل 转发 轉寄 転送 전달"
)
"""Of a forward; `VS` and `RIF` mean answers in other languages, so the text of a mail decides too."""
_TAG: Final = (
    r"(?:\[[^\[\]\n]{1,40}\]|\{[^{}\n]{1,40}\}|\([^()\n]{1,20}\)|\*{2,5}[^*\n]{1,40}\*{2,5}"
    r"|(?:ext|extern|external|caution|spam)\s?:)\s*+"
)
"""Of a gateway or a list: `[EXTERNAL]`, `{Spam?}`, `***SPAM***`."""
_COUNT_AND_COLON: Final = r"\s{0,3}(?:\[\d{1,3}\]|\(\d{1,3}\)|[\^*]\d{1,3})?\s{0,3}[:\uff1a]\s*+"


def _names(table: str) -> str:
    """A pattern of the words of a table, the longest first."""
    escaped = (word.replace(".", r"\.") for word in sorted(table.split(), key=len, reverse=True))
    return f"(?:{'|'.join(escaped)})"


_BEGINNING: Final = rf"\s*+(?:{_TAG}){{0,3}}"
_ANSWER: Final = lazy_compile(rf"{_BEGINNING}{_names(_ANSWERED)}{_COUNT_AND_COLON}", re.IGNORECASE)
_FORWARD: Final = lazy_compile(rf"{_BEGINNING}{_names(_PASSED)}{_COUNT_AND_COLON}", re.IGNORECASE)
_PREFIXES: Final = lazy_compile(
    rf"(?:{_BEGINNING}{_names(f'{_ANSWERED} {_PASSED}')}{_COUNT_AND_COLON})++", re.IGNORECASE
)
_TAGS: Final = lazy_compile(rf"\s*+(?:{_TAG}){{1,3}}(?=\S)", re.IGNORECASE)


def is_answer(subject: str) -> bool:
    """Whether the first prefix of a subject is that of an answer."""
    return bool(_ANSWER.match(subject))


def is_forward(subject: str) -> bool:
    """Whether the first prefix of a subject is that of a forward."""
    return bool(_FORWARD.match(subject))


def is_prefixed(subject: str) -> bool:
    """Whether a subject begins with such a prefix, so that its mail answers or forwards another."""
    return bool(_PREFIXES.match(subject))


def without_prefixes(subject: str) -> str:
    """A subject without prefixes of answers and forwards, and tags before them; otherwise as written."""
    found = _PREFIXES.match(subject)
    return subject[found.end() if found else 0 :].strip()


def without_tags(subject: str) -> str:
    """A subject without the tags it begins with, as long as something follows them."""
    found = _TAGS.match(subject)
    return subject[found.end() :] if found else subject
