"""Readers of single values: each takes an item and gives a checked value, or says what to write instead.

A reader is a function `(item, location) -> value`. It raises `InvalidValue` for a value that cannot be used, and never
repeats a value that may be secret. Sections of the file are built from readers in `shared.config.schema`.
"""

from __future__ import annotations

import math
import re
import warnings
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from zoneinfo import ZoneInfo

from shared.addresses import address_key, ascii_domain
from shared.config.cron import Cron
from shared.config.problems import InvalidValue, Location, nearest
from shared.config.tree import Item, Mapped, Sequenced, Text
from shared.config.values import FILE_REFERENCE, Scalar, Secret
from shared.contracts.errors import Misconfigured
from shared.lazy_pattern import lazy_compile

if TYPE_CHECKING:
    import regex

T = TypeVar("T")
Read = Callable[[Item, Location], T]

UNITS: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
BYTES: Final[Mapping[str, int]] = {"": 1, "b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
MAX_INTEGER: Final = (1 << 63) - 1
"""The largest integer that the store keeps."""
MAX_NUMBER_CHARACTERS: Final = 20
"""Characters of such an integer."""
MAX_IMAGE_BYTES: Final = 512 << 10
"""Bytes of an image in a mail template."""
IMAGES: Final[Mapping[str, str]] = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
"""Files that mail programs show as images, and their types."""
MAX_PATTERN_CHARACTERS: Final = 1000
"""Characters of a regular expression; longer ones are mistakes."""
_ON: Final = frozenset({"true", "on", "yes"})
_OFF: Final = frozenset({"false", "off", "no"})
_DURATION: Final = lazy_compile(r"(?:[0-9]{1,9}(?:ms|[smhdw]))+")
_ADDRESS: Final = lazy_compile(r"[^\s@<>()\[\],;:\"\\]+@[^\s@<>()\[\],;:\"\\.]+(?:\.[^\s@<>()\[\],;:\"\\.]+)*")
_UNSAFE: Final = lazy_compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def kind_of(item: Item) -> str:
    """What an item is, for a sentence."""
    match item:
        case Mapped():
            return "a mapping"
        case Sequenced():
            return "a list"
        case _:
            nothing = f"nothing, because {item.comment} is a comment; put it in quotes" if item.comment else "nothing"
            return nothing if item.is_null else "a text"


def _scalar(item: Item, expected: str) -> str:
    if isinstance(item, Text) and not item.is_null:
        return item.text
    raise InvalidValue(f"expected {expected}, found {kind_of(item)}")


def _quoted(text: str) -> str:
    return f'"{text}"' if len(text) <= 60 else f'"{text[:57]}..."'


def text(item: Item, _: Location) -> str:
    """Any text, several lines allowed."""
    value = _scalar(item, "a text")
    if _UNSAFE.search(value):
        raise InvalidValue("control characters and lone surrogates are not allowed")
    return value


def line(item: Item, location: Location) -> str:
    """Text on one line, not empty."""
    value = text(item, location).strip()
    if not value or "\n" in value or "\r" in value:
        raise InvalidValue("write some text on one line")
    return value


def line_or_nothing(item: Item, location: Location) -> str:
    """Text on one line; quotes with nothing between them mean nothing."""
    return "" if isinstance(item, Text) and not item.plain and not item.text.strip() else line(item, location)


def name(item: Item, location: Location) -> str:
    """The name of a thing: one line, at most 100 characters."""
    value = line(item, location)
    if len(value) > 100:
        raise InvalidValue("a name has at most 100 characters")
    return value


def matching(read: Read[str], pattern: str, why: str) -> Read[str]:
    """A text that fits a pattern; `why` follows one that does not."""

    def read_matching(item: Item, location: Location) -> str:
        value = read(item, location)
        if not re.fullmatch(pattern, value):
            raise InvalidValue(f"{_quoted(value)} {why}")
        return value

    return read_matching


type_name: Final = matching(
    name, r"[^\W\d][\w -]*", "is not a valid name; use letters, digits, space, - and _, a letter first"
)
"""The name of a record type: it is written in subjects and keywords, so it is a word."""
field_name: Final = matching(name, r"(?!\$)[^.]+", "is not a valid field name; leave out . and $")
"""The name of a field: a document keeps it, so `.` and `$` cannot be in it."""


def language(item: Item, location: Location) -> str:
    """A language tag such as `de` or `de-CH` (RFC 5646), in small letters."""
    value = line(item, location)
    if not re.fullmatch(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}", value):
        raise InvalidValue(f"{_quoted(value)} is not a language; write it as de or de-CH")
    return value.lower()


image_name: Final = matching(name, r"[A-Za-z0-9_-]{1,40}", "is not a name for an image; use letters, digits, - and _")
"""What HTML names an image by: `cid:<name>`."""


def image(item: Item, location: Location) -> str:
    """An image as a `data:` address; of a file, which may be relative to the configuration file, its content.

    A configuration that comes from no file, such as one that a browser sends, reads none.
    """
    value = line(item, location)
    if value.startswith("data:"):
        return embedded_image(value)
    if location.log.base is None:
        raise InvalidValue("no file can be read here; write data:image/png;base64,...")
    return _image_of_file(Path(from_base(value, location)))


def _image_of_file(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InvalidValue(f"the image {file} cannot be read: {error.strerror}") from None
    kind = IMAGES.get(file.suffix.lower())
    if kind is None:
        raise InvalidValue(f"{file.name} is not an image that mail programs show; use {', '.join(IMAGES)}")
    return embedded_image(f"data:{kind};base64,{b64encode(content).decode('ascii')}")


def embedded_image(value: str) -> str:
    """A checked `data:` address of an image."""
    found = re.fullmatch(r"data:(image/[a-z]+);base64,([A-Za-z0-9+/]+={0,2})", value)
    if not found or found[1] not in IMAGES.values() or len(found[2]) % 4:
        raise InvalidValue("not an image; write a file, or data:image/png;base64,...")
    if len(found[2]) > MAX_IMAGE_BYTES * 4 // 3:
        raise InvalidValue(f"the image is larger than {size_text(MAX_IMAGE_BYTES)}; every mail would carry it")
    return value


def switch(item: Item, _: Location) -> bool:
    """`true` or `false`; `on`, `off`, `yes` and `no` mean the same."""
    value = _scalar(item, "true or false").casefold()
    if value in _ON or value in _OFF:
        return value in _ON
    raise InvalidValue(f"{_quoted(value)} is neither true nor false")


def integer(low: int, high: int) -> Read[int]:
    """A whole number within bounds."""

    def read(item: Item, _: Location) -> int:
        value = _scalar(item, f"a number from {low} to {high}")
        if not re.fullmatch(r"[-+]?[0-9]{1,18}", value) or not low <= int(value) <= high:
            raise InvalidValue(f"{_quoted(value)} is not a number from {low} to {high}")
        return int(value)

    return read


def one_of(*words: str) -> Read[str]:
    """One of a few words, whatever the case."""

    def read(item: Item, _: Location) -> str:
        value = _scalar(item, f"one of {', '.join(words)}")
        if value.casefold() in words:
            return value.casefold()
        raise InvalidValue(f"{_quoted(value)} is not one of {', '.join(words)}{nearest(value, words)}")

    return read


def duration(low: timedelta, high: timedelta) -> Read[timedelta]:
    """A time with its unit (`30s`, `5m`, `1h`, `1h30m`) within bounds."""

    def read(item: Item, _: Location) -> timedelta:
        written = _scalar(item, "a time such as 30s, 5m or 1h")
        value = written.replace(" ", "").casefold()
        if not _DURATION.fullmatch(value):
            raise InvalidValue(f"{_quoted(written)} is not a time; write a number with a unit, such as 30s, 5m or 1h")
        parts = re.findall(r"([0-9]+)(ms|[smhdw])", value)
        length = sum(int(count) * UNITS[unit] for count, unit in parts)
        if not low.total_seconds() <= length <= high.total_seconds():
            raise InvalidValue(f"{_quoted(written)} is not between {duration_text(low)} and {duration_text(high)}")
        return timedelta(seconds=length)

    return read


def duration_text(value: timedelta) -> str:
    """A time as the file writes it, in the largest unit that states it exactly."""
    milliseconds = round(value / timedelta(milliseconds=1))
    if milliseconds % 1000:
        return f"{milliseconds}ms"
    seconds = milliseconds // 1000
    if not seconds:
        return "0s"
    units = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    unit, length = next((unit, size) for unit, size in units if seconds % size == 0)
    return f"{seconds // length}{unit}"


def size(item: Item, _: Location) -> int:
    """A number of bytes: `50MB`, `512KB`, `1000`."""
    value = _scalar(item, "a size such as 50MB")
    found = re.fullmatch(r"([0-9]{1,12})\s*([kmg]?i?b)?", value.strip().casefold())
    if not found or not int(found[1]):
        raise InvalidValue(f"{_quoted(value)} is not a size; write 50MB, 512KB or a number of bytes")
    return int(found[1]) * BYTES[(found[2] or "").replace("i", "")]


def size_text(value: int) -> str:
    """A size as the file writes it."""
    for unit in ("gb", "mb", "kb"):
        if value and value % BYTES[unit] == 0:
            return f"{value // BYTES[unit]}{unit.upper()}"
    return str(value)


def address(item: Item, _: Location) -> str:
    """An email address; its domain in lower case."""
    value = _scalar(item, "an address such as desk@example.com").strip()
    if not _ADDRESS.fullmatch(value) or _UNSAFE.search(value):
        raise InvalidValue(f"{_quoted(value)} is not an address; write it as user@domain")
    local, _at, domain = value.rpartition("@")
    if ascii_domain(domain) is None:
        raise InvalidValue(f"{_quoted(value)}: the domain has characters that no domain may have; retype it")
    return f"{local}@{domain.lower()}"


def known_address(item: Item, location: Location) -> str:
    """The address of a person, in the form in which addresses are compared."""
    return address_key(address(item, location)) or ""


def domain(item: Item, location: Location) -> str:
    """A mail domain, with or without the `@`."""
    value = line(item, location).removeprefix("@")
    if not _ADDRESS.fullmatch(f"x@{value}"):
        raise InvalidValue(f"{_quoted(value)} is not a domain; write it as example.com")
    if ascii_domain(value) is None:
        raise InvalidValue(f"{_quoted(value)} has characters that no domain may have; retype it")
    return value.lower()


host: Final = matching(
    line, r"(?![^:]+:[0-9]*\Z)[^\s/@]+", "is not a host; write the name alone, the port has its own key"
)
"""A host name or IP address, without scheme, port or path."""


def day(item: Item, location: Location) -> str:
    """A day, as ISO 8601 writes it."""
    value = line(item, location)
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise InvalidValue(f"{_quoted(value)} is not a day; write it as 2027-03-31") from None


def url(item: Item, location: Location) -> str:
    """A web address."""
    value, login = _url_and_login(item, location)
    if login:
        raise InvalidValue(
            "holds a user name or a password; write https://host/path, and a secret under a key of its own"
        )
    return value


def url_with_login(item: Item, location: Location) -> str:
    """A web address with a login, whose password is a reference: the address is stored and shown."""
    value, login = _url_and_login(item, location)
    if login and not re.fullmatch(r"[^:]*(:\$\{[A-Za-z_][A-Za-z0-9_]*\})?", login):
        raise InvalidValue("holds a password; write https://user:${ENV_NAME}@host")
    return value


def _url_and_login(item: Item, location: Location) -> tuple[str, str]:
    """The address, and what stands before its host."""
    value = line(item, location)
    if not re.fullmatch(r"https?://[^\s/?#]+\S*", value, re.IGNORECASE):
        raise InvalidValue("not a web address; write it as https://host/path")
    return value, re.split(r"[/?#]", value.split("//", 1)[1], maxsplit=1)[0].rpartition("@")[0]


def secret(item: Item, location: Location) -> Secret:
    """A reference to a secret. A relative file is made absolute, so that the store can be read from anywhere."""
    value = _scalar(item, "${ENV_NAME} or file:path").strip()
    if value.startswith(FILE_REFERENCE):
        value = FILE_REFERENCE + from_base(value.removeprefix(FILE_REFERENCE).strip(), location)
    try:
        return Secret(value)
    except Misconfigured as error:
        raise InvalidValue(str(error)) from None


def from_base(path: str, location: Location) -> str:
    """A path, absolute when it is known where relative ones start."""
    if not path:
        raise InvalidValue("the path is missing")
    base = location.log.base
    return str(Path(path)) if base is None else str((base / path).absolute())


def path(item: Item, location: Location) -> str:
    """A path; a relative one starts at the configuration file."""
    return from_base(line(item, location), location)


def timezone(item: Item, location: Location) -> str:
    """An IANA time zone."""
    value = line(item, location)
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        if value == "UTC":
            return value
        raise InvalidValue(f"{_quoted(value)} is not a time zone; write UTC or a name such as Europe/Berlin") from None
    return value


def pattern(*groups: str) -> Read[str]:
    """A regular expression of the engine that runs it, with the named groups."""

    def read(item: Item, location: Location) -> str:
        value = text(item, location)
        if len(value) > MAX_PATTERN_CHARACTERS:
            raise InvalidValue(f"a pattern has at most {MAX_PATTERN_CHARACTERS} characters")
        compiled = _compiled(value)
        if missing := [group for group in groups if group not in compiled.groupindex]:
            raise InvalidValue(f"the pattern lacks the group (?P<{missing[0]}>...)")
        return value

    return read


def _compiled(value: str) -> regex.Pattern[str]:
    import regex

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return regex.compile(value)
    except regex.error as error:
        raise InvalidValue(f"bad regular expression: {error}") from None
    except (RecursionError, OverflowError, MemoryError):
        raise InvalidValue("bad regular expression: nested or repeated too much") from None


def schedule(item: Item, location: Location) -> str:
    """Five cron fields."""
    value = " ".join(line(item, location).split())
    try:
        Cron.parse(value)
    except Misconfigured as error:
        raise InvalidValue(str(error)) from None
    return value


def scalar(item: Item, location: Location) -> Scalar:
    """A value for a field: text, number, true, false or null, as YAML 1.2 writes them."""
    if not isinstance(item, Text):
        raise InvalidValue(f"expected a single value, found {kind_of(item)}")
    if not item.plain:
        return text(item, location)
    if item.is_null:
        return None
    if item.text in {"true", "True", "TRUE", "false", "False", "FALSE"}:
        return item.text.casefold() == "true"
    return _number(item.text, text(item, location))


def _number(written: str, otherwise: str) -> Scalar:
    """A number, when YAML 1.1 and 1.2 both see one; `1e5`, `010` and `1:30` stay the text that they are."""
    if re.fullmatch(r"[-+]?(?:0|[1-9][0-9]*)", written):
        if len(written) > MAX_NUMBER_CHARACTERS or not -MAX_INTEGER - 1 <= int(written) <= MAX_INTEGER:
            raise InvalidValue("the number is too large; quote it to keep it as text")
        return int(written)
    if re.fullmatch(r"[-+]?(?:0|[1-9][0-9]{0,308})\.[0-9]{1,30}(?:[eE][-+][0-9]{1,3})?", written):
        value = float(written)
        return value if math.isfinite(value) else otherwise
    return otherwise
