"""File names of attachments that are safe to show, store beside and offer for download.

Takes the name in a mail, or None, and gives a single path component of at most 255 bytes. Separate from the MIME code
because the rules are about file systems, not about mail (bad-inputs rows 80 to 88). The bytes are stored by hash; the
name is only a label.
"""

from __future__ import annotations

import mimetypes
import re
import unicodedata

from services.parser.defects import Defects
from services.parser.tables import by_alias
from shared.lazy_pattern import lazy_compile

_DRIVE = lazy_compile(r"^[A-Za-z]:")
_RESERVED = lazy_compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(?:\.|$)", re.IGNORECASE
)
_LONGEST = 255
_HEAD, _TAIL = 1_000, 100
"""Characters at both ends of a longer name that are used: normalising many combining characters is slow."""
_STEMS = {"text": "document", "image": "image", "video": "video", "audio": "audio", "message": "message"}
_EXTENSIONS = by_alias(
    {
        ".txt": "text/plain text/rfc822-headers text/enriched text/richtext message/delivery-status"
        " message/global-delivery-status message/disposition-notification message/feedback-report"
        " message/external-body",
        ".html": "text/html",
        ".ics": "text/calendar",
        ".csv": "text/csv",
        ".vcf": "text/x-vcard text/vcard text/directory",
        ".xml": "text/xml application/xml",
        ".json": "application/json",
        ".eml": "message/rfc822 message/global message/news message/partial",
        ".jpg": "image/jpeg image/pjpeg image/jpg",
        ".png": "image/png",
        ".gif": "image/gif",
        ".tif": "image/tiff",
        ".bmp": "image/bmp",
        ".mov": "video/quicktime",
        ".mp4": "video/mp4",
        ".mp3": "audio/mpeg",
        ".wav": "audio/wav",
        ".pdf": "application/pdf",
        ".zip": "application/zip",
        ".dat": "application/ms-tnef",
        ".asc": "application/pgp-signature application/pgp-encrypted application/pgp-keys",
        ".p7s": "application/pkcs7-signature application/x-pkcs7-signature",
        ".p7m": "application/pkcs7-mime application/x-pkcs7-mime",
        ".bin": "application/octet-stream",
    }
)


def safe_name(claimed: str | None, content_type: str, taken: dict[str, int], defects: Defects) -> str:
    """Return the claimed name made safe, or a generated one; adds it to `taken`, the names of the mail so far."""
    if claimed and len(claimed) > _HEAD + _TAIL:
        claimed = _cut(claimed)
        defects.add("filename-truncated")
    name = canonical(claimed) if claimed else ""
    if claimed and name != unicodedata.normalize("NFC", claimed).strip():
        defects.add("hostile-filename")
    short = shortened(name)
    if short != name:
        defects.add("filename-truncated")
    short = short or generated(content_type, taken)
    taken.setdefault(short, 0)
    return short


def _cut(claimed: str) -> str:
    """The ends of a very long name; of a path, those of its last component."""
    name = claimed.replace("\\", "/").rstrip("/ ").rpartition("/")[2]
    path = "/" if len(name) < len(claimed) else ""
    return path + (name if len(name) <= _HEAD + _TAIL else name[:_HEAD] + name[-_TAIL:])


def generated(content_type: str, taken: dict[str, int]) -> str:
    """`image.png`, `image1.png`, ...: generate a name from the type, with a number that makes it unique.

    `taken` maps each name to the last number that was appended to it.
    """
    main = content_type.partition("/")[0]
    stem = "delivery-status" if content_type.endswith("delivery-status") else _STEMS.get(main, "file")
    suffix = extension(content_type)
    first = name = stem + suffix
    while name in taken:
        taken[first] += 1
        name = f"{stem}{taken[first]}{suffix}"
    return name


def canonical(claimed: str) -> str:
    """One path component: no folders, drive, control or invisible characters, device names, or trailing dots."""
    name = unicodedata.normalize("NFC", claimed)
    if not (name.isascii() and name.isprintable()):
        name = _TABS.sub(" ", name)
        name = "".join(char for char in name if unicodedata.category(char) not in _INVISIBLE)
    name = name.replace("\\", "/").rstrip("/ ").rpartition("/")[2]
    name = _DRIVE.sub("", name).strip().rstrip(". ").strip('"')
    if name[:1] == "'" == name[-1:]:  # quoted as RFC 2045 does not allow; the extension must not end in the mark
        name = name.strip("' ")
    if _RESERVED.match(name):
        name = "_" + name
    return name


_TABS = lazy_compile(r"\s*\t\s*")
"""Old mail programs fold a long name with a tab in place of a blank."""
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def shortened(name: str) -> str:
    """At most 255 bytes of UTF-8; the extension stays."""
    if len(name) < _LONGEST // 4 or len(name.encode("utf-8")) <= _LONGEST:
        return name
    stem, dot, suffix = name.rpartition(".")
    tail = (dot + suffix).encode("utf-8") if stem and len(suffix) <= 20 else b""
    head = (stem if tail else name).encode("utf-8")[: _LONGEST - len(tail)]
    return head.decode("utf-8", "ignore").rstrip() + tail.decode("utf-8")


def extension(content_type: str) -> str:
    """The usual extension of a type, with its dot; `.bin` for an unknown type."""
    known = _EXTENSIONS.get(content_type) or mimetypes.guess_extension(content_type)
    return known or (".txt" if content_type.startswith("text/") else ".bin")


def type_of(name: str | None) -> str:
    """The type of an extension; `application/octet-stream` when it is unknown."""
    return (mimetypes.guess_type(name, strict=False)[0] if name else None) or "application/octet-stream"


def from_subject(subject: str) -> str:
    """Name for an attached mail that has none: its subject."""
    words = subject.replace("/", "_").replace("\\", "_").strip(" .")
    return f"{words[:120].strip()}.eml" if words else ""
