"""Decodes bytes to text, even when the charset label is wrong.

Takes bytes and the charset that a mail claims for them, gives text and notes a defect when the claim is
wrong. Separate because headers, bodies, parameters and winmail.dat all use it. Labels are interpreted
as on the web (WHATWG Encoding): a subset charset is decoded as its superset, so `gb2312` is GB18030.
"""

from __future__ import annotations

import codecs
import encodings
import pkgutil
import re
from encodings.aliases import aliases
from functools import lru_cache

from services.parser import detect
from services.parser.defects import Defects
from services.parser.tables import by_alias
from shared.lazy_pattern import lazy_compile

_SUPERSETS = by_alias(
    {
        "cp1252": "ascii iso8859-1",
        "cp1254": "iso8859-9",
        "cp874": "iso8859-11 tis-620",
        "gb18030": "gb2312 gbk",
        "cp949": "euc_kr",
        "cp932": "shift_jis",
        "big5hkscs": "big5",
        "iso2022_jp_ext": "iso2022_jp iso2022_jp_1 iso2022_jp_2",
    }
)
_ALIASES = by_alias(
    {
        "ascii": "default unknown-8bit x-unknown us 8bit 7bit binary none",
        "utf-7": "unicode-1-1-utf-7",
        "utf-8": "unicode-1-1-utf-8 utf8mb4",
        "utf-16": "unicode ucs-2 iso-10646-ucs-2",
        "cp1252": "x-ansi ansi x-user-defined ansi_x3.110-1983",
        "cp932": "x-sjis windows-31j ms_kanji",
        "euc_jp": "x-euc-jp",
        "cp949": "ks_c_5601-1987 ksc5601 windows-949 x-windows-949",
        "gb18030": "windows-936 x-gbk gb_2312-80 x-gb2312",
        "big5hkscs": "x-big5",
        "cp950": "windows-950",
        "cp874": "windows-874",
        "iso8859-8": "iso-8859-8-i iso-8859-8-e visual",
        "iso8859-6": "iso-8859-6-i",
        "mac_roman": "x-mac-roman macintosh",
        "mac_cyrillic": "x-mac-cyrillic",
    }
)
_NOT_CHARSETS = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"})
_MAKES_SURROGATES = frozenset({"utf-7", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"})
_WIDE = frozenset({"utf-16", "utf-32"})
_WESTERN = frozenset({"cp1252", "iso8859-15", "cp1250", "cp1254"})
_WINDOWS = {
    "iso8859-2": "cp1250",
    "iso8859-7": "cp1253",
    "iso8859-8": "cp1255",
    "iso8859-13": "cp1257",
    "iso8859-15": "cp1252",
}
"""The Windows code page that programs write under the label of an ISO charset with nearly the same letters."""
_SAMPLE = 2_048
_C1_BYTE = lazy_compile(rb"[\x80-\x84\x86-\x9f]")
_ISO2022 = lazy_compile(rb"\x1b(?:\$[@B]|\$\([CDOQ]|\([JI])")
_META = lazy_compile(
    rb"<(?:meta|\?xml)\b[^>]{0,200}?(?:charset|encoding)\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE
)
_SURROGATE = lazy_compile("[\ud800-\udfff]")


@lru_cache(maxsize=512)
def codec_name(label: str) -> str | None:
    """Name of Python's codec for a charset label, None for an invented, empty or dangerous one."""
    label = label.strip().strip("\"'").partition("*")[0].strip().lower()
    if not label or not label.isascii() or not label.isprintable() or len(label) > 60:
        return None
    plain = label.removeprefix("x-").removeprefix("cs")
    for name in (label, label.replace("_", "-"), plain, label.partition(" ")[0], label.replace("-", "")):
        found = _codec(_ALIASES.get(name, name))
        if found and getattr(found, "_is_text_encoding", True) and found.name.replace("-", "_") not in _NOT_CHARSETS:
            return _SUPERSETS.get(found.name, found.name)
    return None


def _codec(name: str) -> codecs.CodecInfo | None:
    """Return Python's codec of a name. Unknown names are not looked up, because Python would import and cache them."""
    known = encodings.normalize_encoding(name)
    if known not in _NAMES and known.replace(".", "_") not in _NAMES:
        return None
    try:
        return codecs.lookup(name)
    except (LookupError, ValueError):
        return None


_NAMES = frozenset({*aliases, *(module.name for module in pkgutil.iter_modules(encodings.__path__))})


def decode(data: bytes, label: str | None, defects: Defects, *, is_html: bool = False) -> str:
    """Text of `data`, decoded as `label` says or, when that cannot be true, as the bytes themselves suggest.

    Never raises. Notes `unknown-charset` for an invented label and `wrong-charset` for a false one.
    """
    codec = _claimed(data, label, defects, is_html=is_html)
    if codec in (None, "cp1252") and data.isascii() and b"\x1b" not in data:
        return data.decode("ascii")
    text = _by_label(data, codec, defects) if codec else guess(data, defects=defects)
    if codec is None and label is None:
        defects.add("no-charset")
    return text


def guess(data: bytes, hint: str | None = None, *, defects: Defects | None = None) -> str:
    """Text of bytes that carry no trustworthy label; `hint` is the codec to try before any other than UTF-8.

    With `defects` the attempts for one mail are counted: beyond the limit, bytes that need a guess are read as UTF-8.
    """
    if b"\x1b" in data and _ISO2022.search(data):
        return _japanese(data)
    text = _as_utf8(data)
    if text is not None:
        return text
    if wide := wide_codec(data):
        return scalar(data.decode(wide, "replace"))
    if hint:
        try:
            return scalar(data.decode(hint))
        except (UnicodeError, ValueError):
            pass
    if defects is not None and not defects.may_guess():
        defects.add("charset-guesses-capped")
        return data.decode("utf-8", "replace")
    return _detected(data)


def likely_codec(data: bytes, label: str | None) -> str:
    """Return the codec for unlabelled 8-bit bytes in a mail that has the label `label` elsewhere.

    A label that fits is used. Western labels fit all bytes, so they only decide between equally likely alphabets.
    """
    claimed = codec_name(label) if label else None
    if claimed and claimed not in {"utf-8", "cp1252"} and claimed not in _MAKES_SURROGATES:
        try:
            data.decode(claimed)
        except (UnicodeError, ValueError):
            pass
        else:
            return claimed
    found = detect.codec(data)
    return "cp1252" if claimed == "cp1252" and found.startswith(("cp12", "iso8859")) else found


def scalar(text: str) -> str:
    """`text` without lone surrogates, which neither JSON nor BSON can carry."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def without_nul(text: str, defects: Defects) -> str:
    """`text` without NUL characters, which are noted."""
    if "\x00" not in text:
        return text
    defects.add("nul-bytes")
    return text.replace("\x00", "")


def with_lf(text: str) -> str:
    """`text` with LF for each line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def is_utf8(data: bytes) -> bool:
    """Whether all bytes are valid UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _claimed(data: bytes, label: str | None, defects: Defects, *, is_html: bool) -> str | None:
    """Return the codec that the label, or else the HTML itself, claims; notes an unknown label."""
    if label:
        if codec := codec_name(label):
            return codec
        defects.add("unknown-charset")
    if is_html and (found := _META.search(data, 0, 2_048)):
        codec = codec_name(found[1].decode("ascii"))
        return None if codec and codec.startswith(("utf-16", "utf-32")) else codec
    return None


def _by_label(data: bytes, codec: str, defects: Defects) -> str:
    if codec in _WINDOWS and (text := _in_windows(data, codec)) is not None:
        defects.add("wrong-charset")
        return text
    if codec in _WESTERN:
        return _western(data, codec, defects)
    if codec == "utf-8":
        data = data.removeprefix(b"\xef\xbb\xbf")
    if (other := _in_spite_of(codec, data)) is not None:
        defects.add("wrong-charset")
        return other
    if codec == "iso2022_jp_ext" and data.isascii():
        return _japanese(data)
    if codec in _WIDE:
        codec = wide_codec(data) or codec
    try:
        text = data.decode(codec)
    except (UnicodeError, ValueError):
        defects.add("wrong-charset")
        return _nearest(data, codec, defects)
    if codec == "utf-7":
        defects.add("utf-7")
    return _noted_scalar(text, defects) if codec in _MAKES_SURROGATES else text


def _in_windows(data: bytes, codec: str) -> str | None:
    """The text, if bytes under an ISO label use positions that are controls there and characters in Windows; else None.

    Byte 85 (hex) alone proves nothing: it is the line end that gateways of mainframes write.
    """
    if not _C1_BYTE.search(data) or _as_utf8(data) is not None:
        return None
    try:
        return data.decode(_WINDOWS[codec])
    except UnicodeDecodeError:
        return None


def _in_spite_of(codec: str, data: bytes) -> str | None:
    """The text of bytes that are plainly in another charset than their label says; else None."""
    if not data.isascii():
        return _hidden_utf8(data, codec) if codec != "utf-8" else None
    if codec in _WIDE and b"\0" not in data:
        return data.decode("ascii")
    if codec == "utf-8" and b"\x1b" in data and _ISO2022.search(data):
        return _japanese(data)
    return None


_CONTROL = lazy_compile("[\0\x80-\x9f]")
_BEHIND_LETTER = lazy_compile("[a-z][\x80-\u07ff]|[\x80-\u07ff][A-Za-z]")
_ALPHABETS = ((0x80, 0x24F), (0x370, 0x3FF), (0x400, 0x52F), (0x590, 0x5FF), (0x600, 0x6FF))
_MANY_LETTERS = 4


def _hidden_utf8(data: bytes, codec: str) -> str | None:
    """The text, if the bytes are valid UTF-8 in spite of their label; East Asian pairs may be that by accident."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if _CONTROL.search(text) or (detect.is_likely(data, codec) and not _is_one_alphabet(text)):
        return None
    return text.removeprefix("\ufeff")


def _is_one_alphabet(text: str) -> bool:
    """Whether the letters beyond ASCII are of one alphabet, and several or next to ASCII letters."""
    codes = [ord(char) for char in text[:_SAMPLE] if char > "\x7f"]
    low, high = min(codes), max(codes)
    alike = any(first <= low and high <= last for first, last in _ALPHABETS)
    return alike and (len(codes) >= _MANY_LETTERS or bool(_BEHIND_LETTER.search(text)))


def _western(data: bytes, codec: str, defects: Defects) -> str:
    """Decode by a Western single-byte label; checked against the bytes, because decoding never fails."""
    if b"\x1b" in data and _ISO2022.search(data):
        defects.add("wrong-charset")
        return _japanese(data)
    text = None if data.isascii() else _as_utf8(data)
    if text is not None:
        defects.add("wrong-charset")
        return text
    try:
        return data.decode(codec)
    except UnicodeError:
        return data.decode("latin-1") if codec == "cp1252" else data.decode(codec, "replace")


_DOUBLE_BYTE = lazy_compile(rb"\x1b\$(?:[@B]|\([@B])([\x21-\x7e\r\n]*)")


def _japanese(data: bytes) -> str:
    """ISO-2022-JP, with the vendors' characters (circled numbers, company signs) that mail programs put into it."""
    try:
        return data.decode("iso2022_jp_ext")
    except UnicodeError:
        pass

    def in_utf8(match: re.Match[bytes]) -> bytes:
        return match[1].translate(_WITH_HIGH_BIT).decode("euc_jis_2004", "replace").encode("utf-8")

    text = _DOUBLE_BYTE.sub(in_utf8, data).replace(b"\x1b(B", b"").replace(b"\x1b(J", b"")
    return text.decode("utf-8", "replace")


_WITH_HIGH_BIT = bytes(value | 0x80 if 0x20 < value < 0x7F else value for value in range(256))


def _nearest(data: bytes, codec: str, defects: Defects) -> str:
    """Replace a few invalid bytes; if most are invalid, decode by another charset."""
    if codec == "utf-8" and (paired := _from_cesu(data, defects)) is not None:
        return paired
    text = data.decode(codec, "replace")
    bad = text.count("\ufffd")
    good = sum(1 for char in text[:_SAMPLE] if char > "\x7f" and char != "\ufffd")
    if bad * 2 <= good or (codec in _MAKES_SURROGATES and bad < len(text) // 4):
        return scalar(text)
    return guess(data, defects=defects)


def _from_cesu(data: bytes, defects: Defects) -> str | None:
    """The text of CESU-8, which has each half of a character pair in UTF-8, as Java and Oracle write it; else None."""
    if b"\xed" not in data:
        return None
    try:
        halves = data.decode("utf-8", "surrogatepass")
    except UnicodeError:
        return None
    text = halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if text.count("\ufffd") > halves.count("\ufffd"):
        defects.add("lone-surrogate")
    return text


def _as_utf8(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        # An incomplete character at the very end is a truncated mail, not another charset.
        if error.end >= len(data) and error.start > len(data) - 4 and not data[: error.start].isascii():
            return data.decode("utf-8", "replace")
        return None
    return text.removeprefix("\ufeff")


def wide_codec(data: bytes) -> str | None:
    """UTF-16 or UTF-32 by byte order mark, or by the positions of zero bytes in Western text."""
    if data.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "utf-32"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    sample = data[:1_024]
    if len(sample) < 4 or b"\0" not in sample:
        return None
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if odd > half * 0.4 and even < half * 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > half * 0.4 and odd < half * 0.1 else None


def _detected(data: bytes) -> str:
    codec = detect.codec(data)
    if codec == "cp1252":
        return _western(data, codec, Defects())
    return scalar(data.decode(codec, "replace"))


def _noted_scalar(text: str, defects: Defects) -> str:
    clean = scalar(text)
    if clean is not text:
        defects.add("lone-surrogate")
    return clean
