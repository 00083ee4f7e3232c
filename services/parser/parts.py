"""Which parts are the body and which are files.

Takes the tree, gives the pieces of the body in order and the files. Separate from `body`, which renders them, because
this module chooses between parts: alternatives, related parts, inline text, attached mails, winmail.dat. It recurses
into the tree, whose depth is limited.
"""

from __future__ import annotations

from dataclasses import field
from html import escape

from services.parser import binary, data_uri, enriched, flowed, names, rtf, smime, tnef, tree, uu, yenc
from services.parser.bounds import Bounds
from services.parser.defects import Defects
from services.parser.tree import Part
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

_BODIES = frozenset({"text/plain", "text/html"})
_SIGNED_OR_ENCRYPTED = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_MOST_WRAPPINGS = 4
"""Nested signatures that are opened; a triple-wrapped mail (RFC 2634) has two and an encryption."""
_DATA = frozenset(
    {"text/calendar", "text/x-vcalendar", "text/vcard", "text/x-vcard", "text/directory", "text/rfc822-headers"}
)
"""Text types for programs; any other is read as plain text when a mail has nothing else (RFC 2046 section 4.1.4)."""


@dataclass(slots=True)
class Piece:
    """One stretch of the body, as text, as HTML or as both."""

    plain: str | None = None
    markup: str | None = None

    def is_blank(self) -> bool:
        """Whether it has no text."""
        return not (self.plain or "").strip() and not (self.markup or "").strip()


@dataclass(slots=True, eq=False)
class File:
    """A part that becomes an attachment."""

    name: str | None
    content_type: str
    data: bytes
    disposition: str | None = None
    content_id: str | None = None


@dataclass(slots=True)
class SortedParts:
    """The pieces of the body in the order of the mail, and the files."""

    pieces: list[Piece]
    files: list[File]


def sort_parts(root: Part, bounds: Bounds, defects: Defects) -> SortedParts:
    """Every leaf of the mail is either in a piece or a file."""
    sorter = _Sorter(bounds, defects, root, data_uri.Extractor(defects))
    pieces = sorter.pieces(root, attached=False)
    if all(piece.is_blank() for piece in pieces):
        pieces = sorter.instead() or pieces
    return SortedParts(pieces, sorter.files)


@dataclass(slots=True)
class _Sorter:
    """Sorts the leaves of a mail into pieces of the body and files."""

    bounds: Bounds
    defects: Defects
    root: Part
    data: data_uri.Extractor
    files: list[File] = field(default_factory=list)
    other_text: tuple[Part, File] | None = None
    """The first text that is a file because it has a name, or is of a kind that is not shown."""
    winmail: tnef.Winmail | None = None
    opened: int = 0
    level: int = 0
    """The current part and those that contain it."""
    parts: int = 0
    """Parts of the mail, those in opened signatures included; 0 until the first one is opened."""

    def pieces(self, part: Part, *, attached: bool) -> list[Piece]:
        """The pieces in and below `part`; `attached` when it belongs to an attachment."""
        self.level += 1
        found = self._pieces(part, attached=attached)
        self.level -= 1
        return found

    def _pieces(self, part: Part, *, attached: bool) -> list[Piece]:
        if part.is_mail:
            self._mail(part)
            return []
        if not part.children:
            return self._leaf(part, attached=attached)
        if attached or part.disposition == "attachment":
            return self._below(part.children, attached=True)
        if part.content_type == "multipart/alternative":
            return self._alternative([self.pieces(child, attached=False) for child in part.children])
        if part.content_type == "multipart/related":
            first, *rest = _root_first(part)
            return self.pieces(first, attached=False) + self._below(rest, attached=True)
        return self._below(part.children, attached=False)

    def _below(self, children: list[Part] | tuple[Part, ...], *, attached: bool) -> list[Piece]:
        return [piece for child in children for piece in self.pieces(child, attached=attached)]

    def _alternative(self, branches: list[list[Piece]]) -> list[Piece]:
        """The chosen alternatives: the text of one and the HTML of the richest (RFC 2046 section 5.1.4)."""
        rich: list[list[Piece]] = []
        poor: list[list[Piece]] = []
        for branch in branches:
            (rich if any(piece.markup for piece in branch) else poor).append(branch)
        texts = [piece.plain or "" for branch in poor for piece in branch]
        texts = [text for text in dict.fromkeys(texts) if text.strip()]
        if not rich or not texts:
            return rich[-1] if rich else [Piece(plain=text) for text in texts]
        markup = "\n".join(piece.markup or escaped(piece.plain) for piece in rich[-1])
        return [Piece("\n".join(texts), markup)]

    def _leaf(self, part: Part, *, attached: bool) -> list[Piece]:
        if not attached and part.content_type in _SIGNED_OR_ENCRYPTED:
            return self._opaque(part)
        if attached or part.disposition == "attachment":
            self._file(part)
            return []
        if part.content_type in _BODIES and not tnef.is_tnef(part.content_type, part.filename):
            if piece := self._without_yenc(part):
                return [piece]
            if kind := binary.file_type(part.body, part.params.get("charset")):
                self.defects.add("binary-as-text")
                self.files.append(File(part.filename or _other_name(part), kind, part.body, None, part.content_id))
                return []
            if not part.filename:
                return [self._piece(part)]
        self._inline_file(part)
        return []

    def _without_yenc(self, part: Part) -> Piece | None:
        """The text around files in yEnc, which become attachments; None when it has none."""
        if part.content_type != "text/plain" or part.filename or yenc.BEGIN not in part.body:
            return None
        if (found := yenc.extracted(part.body)) is None:
            return None
        rest, blocks = found
        if len(rest) > self.bounds.text:
            return None  # too long to be shown: the part is kept whole
        self.defects.add("inline-yenc")
        self.files.extend(File(name, names.type_of(name), data) for name, data in blocks)
        return Piece(plain=part.decoded(rest))

    def _inline_file(self, part: Part) -> None:
        """Keep a part as a file; if it is the first text among these, it may become the body later (`instead`)."""
        before = len(self.files)
        self._file(part)
        kept = self.files[before:]  # empty for a winmail.dat, even if its type is another
        may_serve = part.content_type.startswith("text/") and part.content_type not in _DATA
        if may_serve and self.other_text is None and len(kept) == 1 and kept[0].data == part.body:
            self.other_text = part, kept[0]

    def _piece(self, part: Part) -> Piece:
        text = self._markup(part) if part.content_type == "text/html" else part.text or ""
        if len(part.body) > self.bounds.text and "text-cut" in self.defects:
            self.files.append(File(part.filename, part.content_type, part.body))  # too long to be shown: kept whole
        if part.content_type == "text/html":
            return Piece(markup=text)
        if "begin" in text and (found := uu.extracted(text)):
            text, blocks = found
            self.defects.add("inline-uuencode")
            self.files.extend(File(name, names.type_of(name), data) for name, data in blocks)
        if part.content_type in enriched.TYPES:
            text = enriched.plain(text)
        elif part.content_type == "text/rtf" and part.body.lstrip().startswith(b"{\\rtf"):
            text = rtf.to_text(part.body, "cp1252") or text
        if part.params.get("format", "").lower() == "flowed":
            text = flowed.unflowed(text, delsp=part.params.get("delsp", "").lower() == "yes")
        return Piece(plain=text)

    def _markup(self, part: Part) -> str:
        """The HTML, with `cid:` URIs for the pictures that it holds itself; these become files."""
        before = len(self.data.files)
        text = part.decoded(self.data.without_data(part.body))
        for content_id, (kind, content) in list(self.data.files.items())[before:]:
            self.files.append(File(None, kind, content, "inline", content_id))
        return text

    def instead(self) -> list[Piece]:
        """The body of a mail that has no text of its own: another text, or the one in a winmail.dat."""
        if self.other_text:
            part, file = self.other_text
            self.files.remove(file)
            return [self._piece(part)]
        return [Piece(self.winmail.text or None, self.winmail.html or None)] if self.winmail else []

    def _mail(self, part: Part) -> None:
        name = part.filename
        if not name and part.children:
            name = names.from_subject(part.children[0].headers.get("subject") or "") or _other_name(part)
        self.files.append(File(name, part.content_type, part.wire, part.disposition, part.content_id))

    def _file(self, part: Part) -> None:
        kind, data = part.content_type, part.body  # decoded first: its defects precede the others
        if kind == "message/partial":
            self.defects.add("partial-message")
        elif kind == "message/external-body":
            self.defects.add("external-body")
        elif "pkcs7" in kind or "pgp" in kind:
            self._secured(part)
        elif tnef.is_tnef(kind, part.filename) and (opened := tnef.opened(data, self.defects)):
            self._winmail(opened)
            return
        self._keep(part)

    def _keep(self, part: Part) -> None:
        name = part.filename or _other_name(part)
        self.files.append(File(name, part.content_type, part.body, part.disposition, part.content_id))

    def _opaque(self, part: Part) -> list[Piece]:
        """Read the signed content; the part is also kept as a file, because the signature is in it."""
        inner = smime.content(part.body) if self.opened < _MOST_WRAPPINGS else None
        if inner is None:
            self._file(part)
            return []
        self.opened += 1
        self.defects.add("signed")
        self._keep(part)
        self.parts = self.parts or tree.count(self.root)
        entity = tree.parse(inner, self.bounds, self.defects, level=self.level + 1, parts=self.parts)
        self.parts += tree.count(entity)
        return self.pieces(entity, attached=False)

    def _secured(self, part: Part) -> None:
        """Note S/MIME (RFC 8551) and PGP/MIME (RFC 3156); signatures are not checked, nothing is decrypted."""
        if "signature" in part.content_type or part.params.get("smime-type", "").startswith("signed"):
            self.defects.add("signed")
        elif "mime" in part.content_type or "encrypted" in part.content_type:
            self.defects.add("encrypted")

    def _winmail(self, opened: tnef.Winmail) -> None:
        self.defects.add("winmail")
        if opened.has_body:
            self.winmail = opened
        for item in opened.files:
            self.files.append(File(item.name, item.content_type, item.data, None, item.content_id))


def _root_first(part: Part) -> list[Part]:
    """Return the root of related parts first, then the others, which are files even if they are text (RFC 2387).

    The root is the part that `start` names, else the first; some programs put pictures first without `start`.
    """
    start = part.params.get("start", "").strip("<> ")
    named = next((child for child in part.children if start and child.content_id == start), None)
    root = named or next(filter(_may_be_shown, part.children), part.children[0])
    return [root, *(child for child in part.children if child is not root)]


def _may_be_shown(part: Part) -> bool:
    return part.content_type in _BODIES or part.content_type.startswith("multipart/")


def _other_name(part: Part) -> str | None:
    """The name of a part without a file name: from its location, its content id or its description."""
    headers = part.headers
    location = (headers.get("content-location") or "").partition("?")[0].rstrip("/").rpartition("/")[2]
    if _FILE_NAME.match(location):
        return location
    if part.content_id and _FILE_NAME.match(local := part.content_id.partition("@")[0]):
        return local
    described = (headers.get("content-description") or "").strip()
    if not described or len(described) > _LONGEST_DESCRIPTION:
        return None
    suffix = names.extension(part.content_type)
    return described if described.lower().endswith(suffix) else described + suffix


_FILE_NAME = lazy_compile(r"[^/\\:*?\"<>|]{1,200}\.[A-Za-z][A-Za-z0-9]{1,4}$")
_LONGEST_DESCRIPTION = 120


def escaped(text: str | None) -> str:
    """Plain text as HTML that shows it unchanged."""
    return f"<pre>{escape(text, quote=False)}</pre>" if text and text.strip() else ""
