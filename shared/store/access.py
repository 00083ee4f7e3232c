"""The collections `console_users`, `console_sessions` and `audit`: who may use the console, and who did what.

A password is stored as its Argon2 hash, a session under the SHA-256 of its secret: a copy of the store signs nobody in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from typing import Final

from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.ids import derived_id
from shared.lazy_dataclass import dataclass
from shared.store.documents import Documents

USERS: Final = "console_users"
SESSIONS: Final = "console_sessions"
AUDIT: Final = "audit"
SET_UP: Final = "set-up"
"""The `_id` of the one-time token in the collection of sessions: it is a session that nobody has yet."""


@dataclass(frozen=True, slots=True)
class User:
    """A person who may sign in. `inboxes`: the only ones that the person sees; empty: all.

    `hash` is empty for a person whom OIDC or a proxy signs in.
    """

    id: str = field(metadata=named("_id"))
    name: str
    role: str
    created_at: datetime
    hash: str = ""
    read_mail: bool = False
    inboxes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. `id`: SHA-256 of the secret in its cookie; `notice`: what the next page says, once."""

    id: str = field(metadata=named("_id"))
    user: str
    created_at: datetime
    expires_at: datetime
    client: str = ""
    notice: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what, when and why. Life: written once, never changed."""

    id: str = field(metadata=named("_id"))
    at: datetime
    who: str
    what: str
    about: str = ""
    why: str = ""


def key_of(name: str) -> str:
    """The id of a user: names differ in more than case."""
    return name.strip().casefold()


def hash_of(secret: str) -> str:
    """The name under which a random secret is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


_encode_user, _decode_user = to_plain(User, STORE), from_plain(User, STORE)
_encode_session, _decode_session = to_plain(Session, STORE), from_plain(Session, STORE)
_encode_entry, _decode_entry = to_plain(AuditEntry, STORE), from_plain(AuditEntry, STORE)


class Users:
    """Keeps the users of the console."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def get(self, name: str) -> User | None:
        """One user, by name in any case."""
        found = self._documents.get(USERS, key_of(name))
        return _decode_user(found) if found else None

    def all(self) -> Sequence[User]:
        """Every user, by name."""
        return [_decode_user(each) for each in self._documents.find(USERS, {}, sort=(("_id", 1),))]

    def exist(self) -> bool:
        """Whether there is a user."""
        return next(iter(self._documents.find(USERS, {}, limit=1)), None) is not None

    def add(self, user: User) -> bool:
        """Insert a user once; False when the name is taken."""
        return self._documents.insert(USERS, _encode_user(user))

    def replace(self, user: User) -> None:
        """Put a user in the place of the one with this name."""
        self._documents.replace(USERS, _encode_user(user))

    def remove(self, name: str) -> bool:
        """Remove a user; False when there is none."""
        return self._documents.delete(USERS, {"_id": key_of(name)}) > 0


class Sessions:
    """Keeps the sessions of the console, and the one-time token of its first user."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def get(self, secret: str) -> Session | None:
        """The session with this secret, whether it has ended or not."""
        found = self._documents.get(SESSIONS, hash_of(secret))
        return _decode_session(found) if found and found["_id"] != SET_UP else None

    def add(self, session: Session) -> None:
        """Keep a new session."""
        self._documents.insert(SESSIONS, _encode_session(session))

    def of(self, user: str) -> Sequence[Session]:
        """The sessions of a user, the newest first."""
        found = self._documents.find(SESSIONS, {"user": key_of(user)}, sort=(("created_at", -1),))
        return list(map(_decode_session, found))

    def notice(self, id_: str, text: str) -> None:
        """Note what the next page of a session says once."""
        self._documents.update(SESSIONS, {"_id": id_}, {"$set": {"notice": text}})

    def remove(self, id_: str) -> bool:
        """End a session; False when there is none."""
        return self._documents.delete(SESSIONS, {"_id": id_}) > 0

    def remove_of(self, user: str) -> int:
        """End all sessions of a user; how many."""
        return self._documents.delete(SESSIONS, {"user": key_of(user)})

    def remove_ended(self, now: datetime) -> int:
        """Remove those that have ended; how many."""
        return self._documents.delete(SESSIONS, {"expires_at": {"$lt": now}})

    def use_once(self, token: str, until: datetime) -> bool:
        """Note that a token of another kind was used; False when it was used before `until`."""
        return self._documents.insert(SESSIONS, {"_id": f"used-{hash_of(token)}", "expires_at": until})

    def offer_set_up(self, token: str) -> None:
        """Keep the hash of the token with which the first user may be made; an earlier one is void."""
        self._documents.replace(SESSIONS, {"_id": SET_UP, "token": hash_of(token)})

    def is_set_up_token(self, token: str) -> bool:
        """Whether this is the token that was offered last, and was not used."""
        found = self._documents.get(SESSIONS, SET_UP)
        return found is not None and found["token"] == hash_of(token)

    def use_set_up(self, token: str) -> bool:
        """Use the token, once."""
        return self._documents.delete(SESSIONS, {"_id": SET_UP, "token": hash_of(token)}) > 0


class Audit:
    """Keeps what people did."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def add(self, at: datetime, who: str, what: str, about: str, why: str) -> None:
        """Write an entry. Ids begin with the time, so that entries lie in its order."""
        id_ = f"{at:%Y%m%d%H%M%S%f}-{derived_id('audit', at.isoformat(), who, what, about)}"
        self._documents.insert(AUDIT, _encode_entry(AuditEntry(id_, at, who, what, about, why)))

    def recent(self, limit: int, before: str | None = None) -> Sequence[AuditEntry]:
        """The newest entries, those before an id."""
        where = {"_id": {"$lt": before}} if before else {}
        return list(map(_decode_entry, self._documents.find(AUDIT, where, sort=(("_id", -1),), limit=limit)))


class Access:
    """The three together."""

    def __init__(self, documents: Documents) -> None:
        self.users, self.sessions, self.audit = Users(documents), Sessions(documents), Audit(documents)
