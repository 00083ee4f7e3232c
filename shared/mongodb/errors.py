"""Errors of the driver as ours: what passes by itself, what is wrong in the store's settings, what is wrong in a value.

Servers that speak MongoDB's protocol have numbers of their own. The DocumentDB engine reports PostgreSQL's SQLSTATE,
packed into an integer (`MAKE_SQLSTATE` of PostgreSQL's elog.h: five characters of six bits, the first one lowest), and
its sentences. So an error is judged by its class, its code, its SQLSTATE and its labels, and last by its words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from bson.errors import BSONError
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
    WriteError,
)

from shared.contracts.errors import Misconfigured, Unavailable, Unsupported
from shared.lazy_pattern import lazy_compile
from shared.store.vocabulary import Taken

_UNKNOWN_COMMAND: Final = frozenset({59})
_REFUSED: Final = frozenset({13, 18, 8000})
"""Unauthorized, AuthenticationFailed, AtlasError (which is how Atlas refuses a password)."""
_BAD_CHANGE: Final = frozenset({2, 9, 14, 28, 40, 52, 56, 57, 66, 10141, 10334, 17280, 17419})
"""BadValue, FailedToParse, TypeMismatch, PathNotViable, conflicting, `$`, empty and dotted names, ImmutableField,
BSONObjectTooLarge, KeyTooLong, the result of an update is too large."""
_UNAVAILABLE: Final = frozenset(
    (
        *(6, 7, 24, 43, 46, 50, 63, 64, 89, 91, 112, 133, 134, 189, 202, 246, 251, 262, 317, 365, 462),
        *(9001, 10058, 10107, 11600, 11601, 11602, 13388, 13435, 13436, 14031, 16500),
    )
)
"""Host unreachable or not found, lock time-out, cursor gone, time limits, write concern not reached, shutdown, write
conflict, read concern not yet reached, stepping down, snapshot or transaction gone, pool exhausted, temporarily
unavailable, rate limits, not primary, interrupted, recovering, disk full: the server's passing states."""
_PASSING_LABELS: Final = ("TransientTransactionError", "RetryableWriteError", "SystemOverloadedError")

_DUPLICATE_CODES: Final = frozenset({11000, 11001, 12582})
_DUPLICATE_STATES: Final = frozenset({"23505", "23P01"})
"""unique_violation, exclusion_violation."""
_PASSING_STATES: Final = lazy_compile(r"08...|40...|53...|55P03|57...|58030|25006|72000")
"""PostgreSQL's classes: connection, rollback (deadlock, serialization), resources, lock not available, operator
intervention (shutdown, starting up, cancelled), I/O error, read only, snapshot too old (appendix A of its manual)."""
_PACKED: Final = 1 << 24
"""Codes from here on may be a packed SQLSTATE; MongoDB's own are lower."""

_DUPLICATE_WORDS: Final = lazy_compile(r"E11000|duplicate key|violates (unique|exclusion) constraint", re.IGNORECASE)
_PASSING_WORDS: Final = lazy_compile(
    r"deadlock detected|write ?conflict|could not (serialize access|obtain lock)|lock(ing)? time-?out"
    r"|too many (clients|connections)|remaining connection slots|connection pool|pool (is )?(exhausted|timed out)"
    r"|not (writable )?primary|stepp(ed|ing) down|(is )?(starting up|shutting down)|in recovery mode"
    r"|terminating connection|canceling statement due to|read-only transaction",
    re.IGNORECASE,
)


def is_duplicate(error: Exception) -> bool:
    """Whether a write was refused because its `_id` or a unique value is taken."""
    return isinstance(error, OperationFailure) and is_duplicate_refusal(error.code, str(error))


def is_duplicate_refusal(code: int | None, said: str) -> bool:
    """The same for one write of several, by the server's code and words."""
    return code in _DUPLICATE_CODES or _sqlstate(code) in _DUPLICATE_STATES or bool(_DUPLICATE_WORDS.search(said))


def _passes(error: Exception) -> bool:
    """Whether the error says that the same request may succeed a moment later."""
    if not isinstance(error, OperationFailure):
        return False
    if error.code in _UNAVAILABLE or any(map(error.has_error_label, _PASSING_LABELS)):
        return True
    return bool(_PASSING_STATES.fullmatch(_sqlstate(error.code)) or _PASSING_WORDS.search(str(error)))


def _sqlstate(code: int | None) -> str:
    """The five characters of a packed SQLSTATE; empty for an invalid code."""
    if code is None or not _PACKED <= code < 1 << 30:
        return ""
    return "".join(chr(48 + (code >> 6 * place & 63)) for place in range(5))


def translated(error: Exception, place: str) -> Exception:
    """Translate an error of the driver. One that is neither an outage nor wrong input is returned unchanged."""
    if isinstance(error, BulkWriteError):
        error = _first_of(error)
    for fits, make in _TRANSLATIONS:
        if fits(error):
            return make(f"MongoDB at {place}", driver_text(error))
    if isinstance(error, PyMongoError) and error.timeout:
        return Unavailable(f"MongoDB at {place} did not answer in time: {driver_text(error)}")
    return error


def _first_of(error: BulkWriteError) -> Exception:
    """The failure that explains the others: an unconfirmed write before a refused one."""
    for unconfirmed in error.details["writeConcernErrors"]:
        return WriteConcernError(unconfirmed.get("errmsg", ""), unconfirmed.get("code"), unconfirmed)
    refusals = [WriteError(each["errmsg"], each["code"], each) for each in error.details["writeErrors"]]
    return next(filter(_passes, refusals), refusals[0])


_DISTRUST: Final = lazy_compile(r"certificate verify failed: (?P<why>.*?)\.?\s*\(_ssl", re.IGNORECASE)


def _distrusted(error: object) -> str | None:
    """Why the certificate of the server was not accepted, in OpenSSL's words; None for any other error."""
    found = _DISTRUST.search(str(error))
    return found["why"].strip() if found else None


def _of(*kinds: type[Exception]) -> Callable[[Exception], bool]:
    return lambda error: isinstance(error, kinds)


def _coded(codes: frozenset[int]) -> Callable[[Exception], bool]:
    return lambda error: isinstance(error, OperationFailure) and error.code in codes


_TRANSLATIONS: Final[tuple[tuple[Callable[[Exception], bool], Callable[[str, str], Exception]], ...]] = (
    # which errors, and what each becomes; the first row that fits decides
    (is_duplicate, lambda _, said: Taken(f"a unique value is taken: {said}")),
    (_coded(_REFUSED), lambda at, _: Misconfigured(f"{at} refuses the user or password of the store URL")),
    (_coded(_BAD_CHANGE), lambda _, said: ValueError(said)),
    (_coded(_UNKNOWN_COMMAND), lambda at, said: Unsupported(f"{at} does not know a command: {said}")),
    (_passes, lambda at, said: Unavailable(f"{at} cannot answer now: {said}")),
    (
        lambda error: _distrusted(error) is not None,
        lambda at, said: Unavailable(f"the certificate of {at} is not trusted: {_distrusted(said)}"),
    ),
    (
        _of(ConnectionFailure, ExecutionTimeout, WriteConcernError),
        lambda at, said: Unavailable(f"{at} cannot be reached: {said}"),
    ),
    (_of(ConfigurationError), lambda at, said: Misconfigured(f"{at} cannot be used: {said}")),
    (_of(DocumentTooLarge, BSONError), lambda _, said: ValueError(said)),
)


def driver_text(error: Exception) -> str:
    """The driver's sentence without what it appends, its answer and its settings: what a person reads in a log line."""
    text = str(error).partition(", full error:")[0].partition(", Timeout:")[0]
    return text.partition(" (configured timeouts:")[0][:500]
