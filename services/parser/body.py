"""Builds the texts and the attachments of a mail.

Takes the tree, gives the best plain text, the sanitised HTML and the attachments with their bytes. `parts` has sorted
the leaves before; here they become one text, one HTML and a list of files. Separate from `mime` because this is the
only place that limits size and depth of the texts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Mapping
from html import unescape
from urllib.parse import unquote

from services.parser import html, names, parts, placeholder
from services.parser.bounds import Bounds
from services.parser.charset import scalar
from services.parser.defects import Defects
from services.parser.htmltree.builder import Limits
from services.parser.htmltree.size import size
from services.parser.tree import Part
from shared.contracts.mail import Attachment
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile


@dataclass(frozen=True, slots=True)
class Body:
    """The texts of a mail, its files, and their bytes by SHA-256.

    `html` is sanitised; `markup` is the HTML as sent, whose classes are hints, None when it is too large.
    """

    text: str
    html: str | None
    markup: str | None
    attachments: tuple[Attachment, ...]
    contents: Mapping[str, bytes]


def of(root: Part, bounds: Bounds, defects: Defects) -> Body:
    """The body of the mail whose tree is `root`."""
    found = parts.sort_parts(root, bounds, defects)
    writer = _Writer(bounds, defects)
    text, markup = writer.texts(found.pieces)
    if "-----BEGIN PGP MESSAGE-----" in text:
        defects.add("encrypted")
    if "-----BEGIN PGP SIGNED MESSAGE-----" in text:
        defects.add("signed")
    attachments, contents = writer.attachments(found.files, markup or "")
    return Body(text, markup, _as_sent(found.pieces, bounds) if markup else None, attachments, contents)


def _as_sent(pieces: list[parts.Piece], bounds: Bounds) -> str | None:
    markup = "\n".join(piece.markup for piece in pieces if piece.markup)
    return markup if len(markup) <= bounds.text else None


@dataclass(slots=True)
class _Writer:
    """Renders pieces, and counts them towards limits that apply to all of them together."""

    bounds: Bounds
    defects: Defects
    elements: int = 0
    """Elements of HTML so far; set to the maximum once a piece was too large to build."""
    clean: int = 0
    """Characters of sanitised HTML so far."""
    converted: int = 0
    """Characters of text made from HTML so far."""

    def texts(self, pieces: list[parts.Piece]) -> tuple[str, str | None]:
        """Plain text and HTML of all pieces in order; HTML is None when the mail has none that can be shown."""
        plain, markup = [], []
        any_markup = False
        for piece in pieces:
            whole = bool(piece.markup) and self._can_be_built(piece.markup or "")
            clean = self._sanitised(piece.markup) if piece.markup and whole else None
            any_markup = any_markup or clean is not None
            shown = self._plain_of(piece, whole=whole)
            plain.append(shown)
            markup.append(clean if clean is not None else parts.escaped(shown))
        text = "\n".join(part.rstrip("\n") + "\n" for part in plain if part) if len(plain) > 1 else "".join(plain)
        joined = "\n".join(markup) if any_markup else None
        if joined is not None and len(joined) > self.bounds.text:
            self.defects.add("text-cut")
            joined = next((one for one in markup if one), None)
        return self._short(self._printable(scalar(text))), joined and self._printable(joined)

    def _printable(self, text: str) -> str:
        """`text` without control characters; those that end a page or a line are LF."""
        if text.replace("\n", " ").replace("\t", " ").isprintable() or not _CONTROLS.search(text):
            return text
        self.defects.add("control-characters")
        return _CONTROLS.sub("", _BREAKS.sub("\n", text))

    def _short(self, text: str) -> str:
        if len(text) <= self.bounds.text:
            return text
        self.defects.add("text-cut")
        return text[: self.bounds.text]

    def _can_be_built(self, markup: str) -> bool:
        """Whether the tree of a piece is within the bounds that are left."""
        tree = size(markup, Limits(self.bounds.html_nesting, self.bounds.html_elements - self.elements))
        self.elements += tree.elements
        if not tree.fits:
            self.elements = self.bounds.html_elements  # the check itself was expensive: later pieces become text only
            self.defects.add("deep-html" if tree.is_deep else "complex-html")
        return tree.fits

    def _sanitised(self, markup: str) -> str | None:
        """Return sanitised markup within the limit; it is shortened before sanitising, never inside a tag."""
        room = self.bounds.text - self.clean
        if room <= 0:
            return None
        clean = scalar(html.sanitised(markup))
        if len(clean) > room:
            self.defects.add("text-cut")
            clean = scalar(html.sanitised(markup[: room // 8]))
        self.clean += len(clean)
        return clean if len(clean) <= room else None

    def _plain_of(self, piece: parts.Piece, *, whole: bool) -> str:
        """The plain alternative, or the text of the HTML where that is blank or only says that there is HTML."""
        plain = piece.plain if piece.plain and piece.plain.strip() else None
        if plain and not (piece.markup and placeholder.may_be(plain)):
            return plain
        text = self._converted(piece.markup, whole=whole)
        return text if plain is None or placeholder.is_for(plain, text) else plain

    def _converted(self, markup: str | None, *, whole: bool) -> str:
        room = self.bounds.text + 1 - self.converted
        if not markup or room <= 0:
            return ""
        text = html.to_text(markup, room) if whole else html.stripped(markup)
        self.converted += len(text)
        return text

    def attachments(self, files: list[parts.File], markup: str) -> tuple[tuple[Attachment, ...], dict[str, bytes]]:
        """The files as the contract lists them, and their bytes."""
        listed: list[Attachment] = []
        contents: dict[str, bytes] = {}
        taken: dict[str, int] = {}
        shown = _shown_ids(markup) if any(item.content_id for item in files) else frozenset[str]()
        if len(files) > self.bounds.attachments:
            self.defects.add("attachments-capped")
        for item in files[: self.bounds.attachments]:
            digest = hashlib.sha256(item.data).hexdigest()
            contents[digest] = item.data
            name = names.safe_name(item.name, item.content_type, taken, self.defects)
            listed.append(
                Attachment(
                    filename=name,
                    content_type=item.content_type,
                    size=len(item.data),
                    sha256=digest,
                    inline=_is_inline(item, shown),
                    content_id=item.content_id,
                )
            )
        return tuple(listed), contents


_BREAKS = lazy_compile("[\x0b\x0c\x85]")
_CONTROLS = lazy_compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_CID = lazy_compile(r"cid:([^\s\"'<>\])]{1,998})", re.IGNORECASE)
"""What HTML refers to in its own mail (RFC 2392, percent-encoded or not), in attributes and shown as text."""


def _shown_ids(markup: str) -> frozenset[str]:
    return frozenset(name for found in _CID.findall(markup) for name in (found, unquote(unescape(found))))


def _is_inline(item: parts.File, shown: Container[str]) -> bool:
    if item.content_id and item.content_id in shown:
        return True
    return item.disposition == "inline" and item.content_id is not None
