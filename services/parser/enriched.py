"""text/enriched and text/richtext as plain text (RFC 1896, RFC 1341 section 7.1.3): the commands cut out.

Takes text with LF line ends, gives text. Separate because this format is rare.
"""

from __future__ import annotations

import re

from shared.lazy_pattern import lazy_compile

TYPES = frozenset({"text/enriched", "text/richtext"})
_PARAMETER = lazy_compile(r"<param>[^<]{0,2000}+</param>", re.IGNORECASE)
_COMMAND = lazy_compile(r"<(<|/?[A-Za-z0-9-]{1,60}>)")
_CHARACTERS = {"<": "<", "lt>": "<", "nl>": "\n", "np>": "\n"}


def plain(text: str) -> str:
    """The words of enriched text; `<<` and `<lt>` are a less-than sign."""
    return _COMMAND.sub(lambda match: _CHARACTERS.get(match[1].lower(), ""), _PARAMETER.sub("", text))
