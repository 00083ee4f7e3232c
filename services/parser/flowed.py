"""format=flowed text as a reader sees it (RFC 3676): soft line breaks joined, stuffing removed.

Takes text with LF line ends, gives text. Apart because it is a rule of its own and rarely needed.
"""

from __future__ import annotations


def unflowed(text: str, *, delsp: bool) -> str:
    """Join lines that end in a blank with the next of the same quotation depth; the signature line stands alone."""
    out: list[str] = []
    joining = False
    previous = 0
    for raw in text.split("\n"):
        depth = len(raw) - len(raw.lstrip(">"))
        line = raw[depth:].removeprefix(" ")
        flows = line.endswith(" ") and line != "-- "
        if joining and depth == previous and line != "-- ":
            out[-1] = (out[-1][:-1] if delsp else out[-1]) + line
        else:
            out.append((">" * depth + " " if depth else "") + line)
        joining, previous = flows, depth
    return "\n".join(out)
