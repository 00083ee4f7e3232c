"""Single settings as they are stored, for commands that only look.

Reading the whole configuration takes them longer than everything else that they do.
"""

from __future__ import annotations

from typing import Final

from shared.store.documents import Documents

SETTINGS: Final = "settings"
"""The collection of the settings, and the `_id` of its one document."""
TIMEZONE: Final = "UTC"
"""Where none is stored; the model's own default."""


def has_configuration(documents: Documents) -> bool:
    """Whether a configuration was stored, be it the default one."""
    return documents.get(SETTINGS, SETTINGS) is not None


def timezone(documents: Documents) -> str:
    """The time zone in which times are shown."""
    stored = (documents.get(SETTINGS, SETTINGS) or {}).get("timezone")
    return stored if isinstance(stored, str) else TIMEZONE
