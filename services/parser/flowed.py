"""format=flowed text as a reader sees it (RFC 3676): soft line breaks joined, stuffing removed.

Takes text with LF line ends, gives text. Separate because this format has rules of its own.
"""

from __future__ import annotations


def unflowed(text: str, *, delsp: bool) -> str:
    """Join lines that end in a blank with the next of the same quotation depth; the signature line is never joined."""
    out: list[str] = []
    paragraph: list[str] = []
    previous = 0
    for raw in text.split("\n"):
        depth = len(raw) - len(raw.lstrip(">"))
        line = raw[depth:].removeprefix(" ")
        if paragraph and (depth != previous or line == "-- "):
            out.append("".join(paragraph))
            paragraph.clear()
        if not paragraph and depth:
            paragraph.append(">" * depth + " ")
        flows = line.endswith(" ") and line != "-- "
        paragraph.append(line[:-1] if flows and delsp else line)
        previous = depth
        if not flows:
            out.append("".join(paragraph))
            paragraph.clear()
    if paragraph:
        out.append("".join(paragraph))
    return "\n".join(out)
