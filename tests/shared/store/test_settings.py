"""A setting that is read by itself is the one that the whole configuration has."""

from __future__ import annotations

import pytest

from shared.config.model import Settings
from shared.store.settings import timezone
from tests.builders import a_configuration, an_inbox
from tests.desk import Desk


@pytest.mark.parametrize("settings", [Settings(), Settings(timezone="Europe/Vienna")], ids=["default", "stated"])
def test_the_time_zone_is_that_of_the_configuration(desk: Desk, settings: Settings) -> None:
    desk.configure(a_configuration(an_inbox(), settings=settings))
    assert timezone(desk.store) == desk.app.directory.current().settings.timezone
