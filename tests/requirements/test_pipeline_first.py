"""First light: one mail of each fate, through the whole pipeline."""

from __future__ import annotations

import pytest

from tests.builders import a_mail
from tests.desk import Desk


@pytest.mark.req("IV-30", "IV-31")
def test_a_mail_becomes_an_incident_with_the_mail_in_its_activities(desk: Desk) -> None:
    (mail,) = desk.receive(a_mail("Fire!\n", subject="Help"))
    record = desk.record("incident")
    assert mail["outcome"] == "recorded"
    assert (record["subject"], record["description"].strip(), record["status"]) == ("Help", "Fire!", "Logged")
    (activity,) = desk.activities(record)
    assert (activity["kind"], activity["mail_id"], activity["text"].strip()) == ("email", mail["_id"], "Fire!")
