"""Subjects that the desk writes hold no command such as `[CLOSE#12]`, whatever they are made of. Pure.

A subject comes back with an answer to it. A command in the subject of a record, which a customer or a forwarded mail
may have written, would then be given by the analyst who answers, with the analyst's rights (decision 0140).
"""

from __future__ import annotations

import re
from typing import Final

from shared.lazy_pattern import lazy_compile

_BLANK: Final = r"[\s\x00-\x20\x7f-\xa0\xad\u200b-\u200f\u2060\ufeff]"
"""What is a blank, or becomes one or nothing on the way."""
_COMMAND: Final = lazy_compile(
    rf"\[(?P<text>{_BLANK}*(?:(?:close|approve|reject)(?!\w)"
    rf"|my{_BLANK}*(?:calls|requests|tasks|approvals)(?!\w)"
    rf"|(?:create|update|delete){_BLANK}+\w)[^\[\]]{{0,200}})(?P<end>\]|$)?",
    re.IGNORECASE,
)


def without_commands(subject: str) -> str:
    """A subject in which commands stand in round brackets, which no mail is searched for."""
    return _COMMAND.sub(_in_round_brackets, subject) if "[" in subject else subject


def _in_round_brackets(found: re.Match[str]) -> str:
    return f"({found['text']}{')' if found['end'] is not None else ''}"
