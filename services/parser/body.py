"""Which parts are the body and which are files.

Takes the tree, gives the best plain text, the sanitised HTML and the attachments with their bytes. Apart from `mime`
because this is the one place that weighs parts against each other: alternatives, inline text, attached mails,
winmail.dat.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from services.parser import flowed, html, names, tnef, uu
from services.parser.bounds import Bounds
from services.parser.charset import scalar
from services.parser.defects import Defects
from services.parser.tree import Part
from shared.contracts.mail import Attachment


@dataclass(frozen=True, slots=True)
class Body:
    """What a mail shows and what hangs on it."""

    text: str
    html: str | None
    attachments: tuple[Attachment, ...]
    contents: Mapping[str, bytes]


def of(root: Part, bounds: Bounds, defects: Defects) -> Body:
    """The body of the mail whose tree is `root`."""
    collector = _Collector(bounds, defects)
    collector.visit(root)
    return collector.result(root)


@dataclass(slots=True)
class _Piece:
    """One stretch of the body, as text, as HTML or as both."""

    plain: str | None = None
    markup: str | None = None


@dataclass(slots=True)
class _File:
    """A part that becomes an attachment."""

    name: str | None
    content_type: str
    data: bytes
    disposition: str | None = None
    content_id: str | None = None


@dataclass(slots=True)
class _Collector:
    bounds: Bounds
    defects: Defects
    pieces: list[_Piece] = field(default_factory=list)
    files: list[_File] = field(default_factory=list)

    def visit(self, root: Part) -> None:
        """Sort every leaf into body or files, in the order of the mail."""
        stack: list[tuple[Part, bool]] = [(root, False)]  # (part, whether it belongs to something attached)
        while stack:
            part, attached = stack.pop()
            if part.is_mail:
                self._mail(part)
            elif part.children:
                attached = attached or part.disposition == "attachment"
                if part.content_type == "multipart/alternative" and not attached:
                    stack.extend((child, attached) for child in reversed(self._alternative(part)))
                elif part.content_type == "multipart/related" and not attached:
                    stack.extend((child, place > 0) for place, child in reversed(_related(part)))
                else:
                    stack.extend((child, attached) for child in reversed(part.children))
            else:
                self._leaf(part, attached=attached)

    def _alternative(self, part: Part) -> list[Part]:
        """Take text and HTML of one alternative as one piece; the rest is looked at as usual."""
        plains = [child for child in part.children if _is_body(child, "text/plain")]
        markups = [child for child in part.children if _is_body(child, "text/html")]
        if not plains or not markups:
            return list(part.children)
        plain, markup = plains[0], markups[-1]
        self.pieces.append(_Piece(self._plain(plain), self._markup(markup)))
        return [child for child in part.children if child is not plain and child is not markup]

    def _leaf(self, part: Part, *, attached: bool) -> None:
        kind = part.content_type
        if attached or not _is_body(part, kind):
            self._file(part)
        elif kind == "text/html":
            self.pieces.append(_Piece(markup=self._markup(part)))
        else:
            self.pieces.append(_Piece(plain=self._plain(part)))

    def _plain(self, part: Part) -> str:
        text = part.text or ""
        self._keep_if_cut(part)
        if "begin" in text and (found := uu.extracted(text)):
            text, blocks = found
            self.defects.add("inline-uuencode")
            self.files.extend(_File(name, "application/octet-stream", data) for name, data in blocks)
        if part.params.get("format", "").lower() == "flowed":
            text = flowed.unflowed(text, delsp=part.params.get("delsp", "").lower() == "yes")
        return text

    def _markup(self, part: Part) -> str:
        self._keep_if_cut(part)
        return part.text or ""

    def _keep_if_cut(self, part: Part) -> None:
        """A body too long to be shown whole is also kept whole."""
        if len(part.body) > self.bounds.text and "text-cut" in self.defects:
            self.files.append(_File(part.filename, part.content_type, part.body))

    def _mail(self, part: Part) -> None:
        inner = part.children[0] if part.children else None
        name = part.filename
        if not name and inner is not None:
            name = names.from_subject(inner.headers.get("subject") or "") or _other_name(part)
        self.files.append(_File(name, part.content_type, part.wire, part.disposition, part.content_id))

    def _file(self, part: Part) -> None:
        kind, data = part.content_type, part.body
        if kind == "message/partial":
            self.defects.add("partial-message")
        elif kind == "message/external-body":
            self.defects.add("external-body")
        elif tnef.is_tnef(kind, part.filename) and (opened := tnef.opened(data, self.defects)):
            self._winmail(opened)
            return
        self.files.append(_File(part.filename or _other_name(part), kind, data, part.disposition, part.content_id))

    def _winmail(self, opened: tnef.Winmail) -> None:
        self.defects.add("winmail")
        is_blank = not any((piece.plain or piece.markup or "").strip() for piece in self.pieces)
        if is_blank and (opened.text or opened.html):
            self.pieces.append(_Piece(opened.text or None, opened.html or None))
        for item in opened.files:
            self.files.append(_File(item.name, item.content_type, item.data, None, item.content_id))

    def result(self, root: Part) -> Body:
        """Everything put together."""
        self._encrypted(root)
        text, markup = self._texts()
        attachments, contents = self._attachments(markup or "")
        return Body(text, markup, attachments, contents)

    def _encrypted(self, root: Part) -> None:
        kinds = {root.content_type, *(item.content_type for item in self.files)}
        if any("pkcs7-mime" in kind or "pgp-encrypted" in kind for kind in kinds):
            self.defects.add("encrypted")
        if any("signature" in kind and ("pkcs7" in kind or "pgp" in kind) for kind in kinds):
            self.defects.add("signed")

    def _texts(self) -> tuple[str, str | None]:
        plain, markup = [], []
        any_markup = False
        for piece in self.pieces:
            clean = self._sanitised(piece.markup) if piece.markup else None
            any_markup = any_markup or clean is not None
            shown = piece.plain if piece.plain and piece.plain.strip() else self._converted(piece.markup)
            plain.append(shown)
            markup.append(clean if clean is not None else _as_markup(shown))
        text = "\n".join(part.rstrip("\n") + "\n" for part in plain if part) if len(plain) > 1 else "".join(plain)
        joined = "\n".join(markup) if any_markup else None
        if joined is not None and len(joined) > self.bounds.text:
            self.defects.add("text-cut")
            joined = next((one for one in markup if one), None)
        return self._short(scalar(text)), joined

    def _short(self, text: str) -> str:
        if len(text) <= self.bounds.text:
            return text
        self.defects.add("text-cut")
        return text[: self.bounds.text]

    def _sanitised(self, markup: str) -> str | None:
        """Harmless markup within the bound; markup is cut before it is cleaned, never in the middle of a tag."""
        if html.depth(markup, self.bounds.html_nesting) > self.bounds.html_nesting:
            self.defects.add("deep-html")
            return None
        clean = scalar(html.sanitised(markup))
        if len(clean) <= self.bounds.text:
            return clean
        self.defects.add("text-cut")
        clean = scalar(html.sanitised(markup[: self.bounds.text // 8]))
        return clean if len(clean) <= self.bounds.text else None

    def _converted(self, markup: str | None) -> str:
        if not markup:
            return ""
        if html.depth(markup, self.bounds.html_nesting) > self.bounds.html_nesting:
            return html.stripped(markup)
        return html.to_text(markup)

    def _attachments(self, markup: str) -> tuple[tuple[Attachment, ...], dict[str, bytes]]:
        listed: list[Attachment] = []
        contents: dict[str, bytes] = {}
        taken: set[str] = set()
        if len(self.files) > self.bounds.attachments:
            self.defects.add("attachments-capped")
        for item in self.files[: self.bounds.attachments]:
            digest = hashlib.sha256(item.data).hexdigest()
            contents[digest] = item.data
            name = names.safe_name(item.name, item.content_type, taken, self.defects)
            taken.add(name)
            listed.append(
                Attachment(
                    filename=name,
                    content_type=item.content_type,
                    size=len(item.data),
                    sha256=digest,
                    inline=_is_inline(item, markup),
                    content_id=item.content_id,
                )
            )
        return tuple(listed), contents


def _is_body(part: Part, kind: str) -> bool:
    """Whether a leaf is text to be read rather than a file."""
    if part.content_type != kind or kind not in ("text/plain", "text/html"):
        return False
    return part.disposition != "attachment" and not part.filename


def _other_name(part: Part) -> str | None:
    """A name that a part has without being named: where it lies, how it is referred to, what it is said to be."""
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


_FILE_NAME = re.compile(r"[^/\\:*?\"<>|]{1,200}\.[A-Za-z][A-Za-z0-9]{1,4}$")
_LONGEST_DESCRIPTION = 120


def _related(part: Part) -> list[tuple[int, Part]]:
    """Children with their place, the root first: what belongs to it is a file even when it is text (RFC 2387)."""
    start = part.params.get("start", "").strip("<> ")
    ordered = sorted(part.children, key=lambda child: not start or child.content_id != start)
    return list(enumerate(ordered))


def _is_inline(item: _File, markup: str) -> bool:
    if item.content_id and f"cid:{item.content_id}" in markup:
        return True
    return item.disposition == "inline" and item.content_id is not None


def _as_markup(text: str) -> str:
    return f"<pre>{escape(text, quote=False)}</pre>" if text.strip() else ""
