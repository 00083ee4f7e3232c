"""Questions about records that must not read all of them."""

from __future__ import annotations

from tests.desk import Desk


def test_a_page_of_records_is_cut_by_the_store(desk: Desk) -> None:
    asked: list[str] = []
    desk.app.records.documents.file.connection.set_trace_callback(asked.append)  # type: ignore[attr-defined]
    assert list(desk.app.records.list({"type": "incident", "status": {"$in": ["Logged"]}}, 5, 10)) == []
    (statement,) = asked
    assert statement.endswith("LIMIT 5 OFFSET 10")
