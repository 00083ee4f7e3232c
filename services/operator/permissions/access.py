"""Who may use the console, and for what: users, roles, passwords, sessions, and the record of what people did.

The command line makes users with these functions, and the console signs them in.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from enum import IntEnum, StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final

from services.operator.errors import NotAvailable, UnknownName
from shared.lazy_dataclass import dataclass
from shared.store.access import Session, User, hash_of, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from argon2 import PasswordHasher

    from services.operator.permissions.writes import Write
    from shared.app import App

SESSION_HOURS: Final = 12
MIN_PASSWORD: Final = 10
"""Characters of a password (NIST SP 800-63B asks for 8 and no rules about kinds of characters)."""
MAX_PASSWORD: Final = 1000
MAX_NAME: Final = 100
SECRET_BYTES: Final = 32


class Role(StrEnum):
    """What a user is, from the least rights to the most."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


class Right(IntEnum):
    """What an endpoint asks of the person."""

    PUBLIC = 0
    SIGNED_IN = 1
    VIEW = 2
    READ_MAIL = 3
    OPERATE = 4
    ADMINISTER = 5


_RIGHTS: Final = {
    Role.VIEWER: frozenset({Right.PUBLIC, Right.SIGNED_IN, Right.VIEW}),
    Role.OPERATOR: frozenset({Right.PUBLIC, Right.SIGNED_IN, Right.VIEW, Right.READ_MAIL, Right.OPERATE}),
    Role.ADMINISTRATOR: frozenset(Right),
}


@dataclass(frozen=True, slots=True)
class SignedInPerson:
    """Who is signed in. `inboxes`: the only ones whose mail and state the person sees; None: all."""

    name: str
    role: Role
    rights: frozenset[Right]
    inboxes: frozenset[str] | None = None

    def may(self, right: Right) -> bool:
        """Whether the person has a right."""
        return right in self.rights

    def sees(self, inbox: str | None) -> bool:
        """Whether the person may see what belongs to an inbox; a mail of no inbox is for those who see all."""
        return self.inboxes is None or inbox in self.inboxes


def person_of(user: User) -> SignedInPerson:
    """The rights of a user. Whoever is limited to inboxes has no right to administer."""
    role = Role(user.role)
    rights = _RIGHTS[role] | ({Right.READ_MAIL} if user.read_mail else set())
    inboxes = frozenset(user.inboxes) or None
    return SignedInPerson(user.name, role, rights - {Right.ADMINISTER} if inboxes else rights, inboxes)


def add_user(
    app: App, name: str, role: str, password: str = "", *, read_mail: bool = False, inboxes: Sequence[str] = ()
) -> User:
    """Make a user. Raises `NotAvailable` for a name that is taken or not fit, `UnknownName` for a role or an inbox."""
    if not name.strip() or len(name) > MAX_NAME or not name.strip().isprintable() or "/" in name:
        raise NotAvailable(f"a user's name has 1 to {MAX_NAME} printable characters, without /")
    hashed = hashed_password(password) if password else ""
    user = User(key_of(name), name.strip(), _role(role), app.clock.now(), hashed, read_mail, _inboxes(app, inboxes))
    if not app.access.users.add(user):
        raise NotAvailable(f"there is a user {name.strip()!r} already")
    return user


def _role(named: str) -> Role:
    try:
        return Role(named)
    except ValueError:
        raise UnknownName(f"there is no role {named!r}; known are {', '.join(Role)}") from None


def _inboxes(app: App, names: Sequence[str]) -> tuple[str, ...]:
    known = {each.name for each in app.directory.current().inboxes}
    if unknown := [name for name in names if name not in known]:
        raise UnknownName(f"there is no inbox {unknown[0]!r}; known are {', '.join(sorted(known)) or 'none'}")
    return tuple(dict.fromkeys(names))


def user_named(app: App, name: str) -> User:
    """The user with this name. Raises `NotAvailable`."""
    if found := app.access.users.get(name):
        return found
    raise NotAvailable(f"there is no user {name!r}")


def set_password(app: App, name: str, password: str) -> None:
    """Change a password; every session of the user ends. Raises `NotAvailable`."""
    app.access.users.replace(replace(user_named(app, name), hash=hashed_password(password)))
    app.access.sessions.remove_of(name)


def remove_user(app: App, name: str) -> None:
    """Remove a user with all sessions. Raises `NotAvailable`; the last administrator stays."""
    user = user_named(app, name)
    administrators = [each.id for each in app.access.users.all() if person_of(each).may(Right.ADMINISTER)]
    if administrators == [user.id]:
        raise NotAvailable(f"{user.name!r} is the last administrator; make another one first")
    app.access.users.remove(name)
    app.access.sessions.remove_of(name)


def hashed_password(password: str) -> str:
    """The Argon2id hash of a password. Raises `NotAvailable` for one that is too short or too long."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise NotAvailable(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    return _hasher().hash(password)


def checked_password(app: App, name: str, password: str) -> User | None:
    """The user whose name and password these are. An unknown name takes as long as a wrong password."""
    from argon2.exceptions import InvalidHashError, VerificationError

    user = app.access.users.get(name)
    try:
        _hasher().verify((user.hash if user else "") or _unknown_hash(), password[:MAX_PASSWORD])
    except (VerificationError, InvalidHashError):
        return None
    return user


def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _unknown_hash() -> str:
    """A hash that no password fits, for names that do not exist."""
    return _hasher().hash(secrets.token_urlsafe(SECRET_BYTES))


def sign_in(app: App, user: User, client: str) -> str:
    """Begin a session; the secret of its cookie."""
    secret, now = secrets.token_urlsafe(SECRET_BYTES), app.clock.now()
    app.access.sessions.remove_ended(now)
    session = Session(hash_of(secret), user.id, now, now + timedelta(hours=SESSION_HOURS), client)
    app.access.sessions.add(session)
    return secret


def signed_in(app: App, secret: str) -> tuple[Session, User] | None:
    """The session with this secret, and its user; None when it has ended."""
    session = app.access.sessions.get(secret)
    if session is None or session.expires_at <= app.clock.now():
        return None
    user = app.access.users.get(session.user)
    return (session, user) if user else None


def offered_set_up(app: App) -> str | None:
    """A one-time token with which the first user may be made; None when there is a user."""
    if app.access.users.exist():
        return None
    token = secrets.token_urlsafe(SECRET_BYTES)
    app.access.sessions.offer_set_up(token)
    return token


def set_up(app: App, token: str, name: str, password: str) -> User:
    """Make the first user, an administrator, with a token that is used up by it. Raises `NotAvailable`."""
    hashed_password(password)  # before the token is used up
    if app.access.users.exist() or not app.access.sessions.use_set_up(token):
        raise NotAvailable("this token is not valid, or was used; `postroom console` prints a new one at its start")
    return add_user(app, name, Role.ADMINISTRATOR, password)


def note(app: App, who: str, what: Write, about: str = "", why: str = "") -> None:
    """Keep who did what, to what, when and why."""
    app.access.audit.add(app.clock.now(), who, what, about, why)
