"""Keys of mail services that post mail to HTTP intake, for command line and console: set, list, remove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from services.operator.errors import NotAvailable, UnknownName
from services.operator.view import values_of
from shared.config.values import Secret
from shared.contracts.errors import Misconfigured
from shared.store.intake_keys import IntakeKey, key_id

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    from shared.app import App

Service = Literal["mailgun", "sendgrid"]
SERVICES: Final[tuple[Service, ...]] = ("mailgun", "sendgrid")
"""Services that sign what they post. Postmark sends a token."""
_SHOWN: Final = ("inbox", "service", "key", "added_at", "added_by")


def set_key(app: App, inbox: str, service: Service, key: str, by: str) -> IntakeKey:
    """Keep the key by which a service signs what it posts to this inbox, in place of the one before.

    Mailgun's is a reference to a secret, SendGrid's the public key itself. Raises `UnknownName`, `NotAvailable`.
    """
    if app.directory.renew().inbox(inbox) is None:
        raise UnknownName(f"there is no inbox {inbox!r}; `postroom inbox list` shows those that are")
    _CHECKS[service](key)
    row = IntakeKey(
        id=key_id(inbox, service), inbox=inbox, service=service, key=key, added_at=app.clock.now(), added_by=by
    )
    app.intake_keys.put(row)
    return row


def remove_key(app: App, inbox: str, service: Service) -> None:
    """Remove the key of a service. Raises `NotAvailable` when there is none."""
    if not app.intake_keys.remove(inbox, service):
        raise NotAvailable(f"the inbox {inbox!r} has no key of {service}")


def _check_reference(key: str) -> None:
    try:
        Secret(key)
    except Misconfigured as error:
        raise NotAvailable(f"Mailgun's signing key: {error}") from error


def _check_public_key(key: str) -> None:
    try:
        elliptic_key(key)
    except ValueError:
        raise NotAvailable("SendGrid's verification key is a public key of an elliptic curve, in base64") from None


def elliptic_key(text: str) -> EllipticCurvePublicKey:
    """SendGrid's verification key: a public key of an elliptic curve, DER in base64. Raises `ValueError`."""
    import base64

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    key = load_der_public_key(base64.b64decode(text, validate=True))
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError("not a key of an elliptic curve")  # noqa: TRY004 - the text is wrong, not its type
    return key


_CHECKS: Final = {"mailgun": _check_reference, "sendgrid": _check_public_key}


def key_as_json(key: IntakeKey) -> dict[str, Any]:
    """The keys that scripts rely on; no secret is among them."""
    return values_of(key, _SHOWN)
