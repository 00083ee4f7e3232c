"""The `configuration_versions` collection: the newest configurations, each as a whole, by revision.

To see what was different, and to go back. People are left out: they are many, and mail makes them too. Secrets are
references, as in every document of the configuration.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shared.config.model import Configuration
from shared.store.configuration_documents import Stored, from_documents
from shared.store.documents import Documents

VERSIONS: Final = "configuration_versions"
KEPT: Final = 100
"""Versions; older ones are removed when a new one is kept."""


class ConfigurationVersions:
    """Keeps versions and gives them back."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def keep(self, revision: int, stored: Stored) -> None:
        """Keep a version: a document for each section, because the size of one is limited."""
        self._documents.insert_many(
            VERSIONS,
            [
                {"_id": f"{revision}-{section}", "revision": revision, "section": section, "documents": things}
                for section, things in stored.items()
            ],
        )
        self._documents.delete(VERSIONS, {"revision": {"$lt": revision - KEPT + 1}})

    def get(self, revision: int) -> Configuration | None:
        """A version, None when it is not kept. Raises `InvalidConfiguration` when this program cannot read it."""
        found = list(self._documents.find(VERSIONS, {"revision": revision}))
        if not found:
            return None
        return from_sections({each["section"]: each["documents"] for each in found})


def from_sections(stored: Stored) -> Configuration:
    """The configuration of some sections, which it states."""
    return replace(from_documents(stored), sections=frozenset(stored))
