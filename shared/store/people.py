"""The `people` collection: who writes to the desk and who works at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from shared.addresses import address_key, address_keys
from shared.contracts.change import NewPerson
from shared.contracts.mail import Address
from shared.ids import derived_id
from shared.store.documents import Document, Documents

CONFIGURED: Final = "configured"
"""Marks people who came from a configuration, not from mail: only they are exported and pruned."""
INTERNAL_SERVICES: Final = "internal-services"
"""The person that records of unknown senders belong to (IV-22)."""


def with_domain(address: Address | None, default_domain: str | None) -> Address | None:
    """`jsmith` becomes `jsmith@default.domain` when the inbox has a default domain (IV-06)."""
    if address is None or "@" in address.address or not default_domain:
        return address
    return Address(address.name, f"{address.address}@{default_domain}")


def person_id_for(address: str, *, plus_addressing: str) -> str:
    """The id of the person created for an unknown address: the same for two mails at once.

    Raises `IndexError` for an address that matches nobody.
    """
    return f"person-{derived_id('person', address_keys(address, plus_addressing=plus_addressing)[-1])[:16]}"


class People:
    """Looks people up; creates them once."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents

    def with_address(self, address: str, *, plus_addressing: str = "ignore") -> Document | None:
        """The person with this address; of several the oldest (VS-03), an exact match before a plus form."""
        for key in address_keys(address, plus_addressing=plus_addressing):
            found = self.documents.find("people", {"addresses": key}, sort=(("created_at", 1), ("_id", 1)), limit=1)
            if person := next(found, None):
                return person
        return None

    def get(self, person_id: str) -> Document | None:
        """One person."""
        return self.documents.get("people", person_id)

    def named(self, text: str, *, plus_addressing: str = "ignore") -> Document | None:
        """The person with this id, else with this address."""
        if found := self.get(text):
            return found
        return self.with_address(text, plus_addressing=plus_addressing) if "@" in text else None

    def create_once(self, person: NewPerson, at: datetime) -> bool:
        """Create the person unless there, with the address in the form that is compared."""
        key = address_key(person.address)
        return self.documents.insert(
            "people",
            {
                "_id": person.id,
                "name": person.name,
                "addresses": [key] if key else [],
                "kind": person.kind,
                "roles": list(person.roles),
                "permissions": [],
                "login_id": person.login_id,
                "active": True,
                "created_at": at,
            },
        )

    def make_user(self, person_id: str) -> None:
        """Give the role of a user to somebody who has others (VS-05)."""
        self.documents.update("people", {"_id": person_id}, {"$addToSet": {"roles": "user"}})

    def list(self, where: Mapping[str, Any], limit: int, skip: int = 0) -> Iterator[Document]:
        """People in order of their id."""
        return self.documents.find("people", where, sort=(("_id", 1),), limit=limit, skip=skip)

    def history(self, person_id: str, limit: int) -> Iterator[Document]:
        """The person's mails, newest first (IV-25)."""
        return self.documents.find("history", {"person_id": person_id}, sort=(("at", -1),), limit=limit)
