"""The benchmark itself, on a small load: the mix, the check of the content, and the comparison with others."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench import content, corpus, page, preload
from bench.processes import ROOT
from services.queues import QUEUES
from shared.app import App, Location
from shared.store.documents import Documents
from tests.desk import Desk
from tests.servers.presence import cannot_run
from tests.servers.rabbitmq_versions import missing, newest


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "--runs", "1", "--json", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=560, check=False)


def test_a_thousand_mails_have_the_mix() -> None:
    assert Counter(row.kind for row, _ in corpus.load(1, 1000)) == corpus.MIX


def test_the_load_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    assert list(corpus.load(3, 40)) == list(corpus.load(3, 40))
    assert list(corpus.load(3, 40)) != list(corpus.load(4, 40))


def received(desk: Desk, *, keep: int = 30) -> list[dict[str, Any]]:
    """A small load, processed; the last mails may be left out."""
    rows, raws = zip(*corpus.load(5, 30), strict=True)
    desk.receive(*raws[:keep])
    return [{name: getattr(row, name) for name in ("message_id", "parent", "needle")} for row in rows]


@pytest.fixture
def store(desk: Desk) -> Documents:
    return desk.store


def test_the_check_finds_nothing_to_complain_of_when_all_is_there(desk: Desk, store: Documents) -> None:
    found = content.check(store, received(desk))
    assert (found.recorded, found.needles, found.problems) == (30, 30, [])
    assert found.threaded == found.replies > 0


def test_the_check_sees_a_lost_mail(desk: Desk, store: Documents) -> None:
    assert "1 mails not recorded" in content.check(store, received(desk, keep=29)).problems


def test_the_check_sees_a_lost_text(desk: Desk, store: Documents) -> None:
    rows = received(desk)
    rows[3]["needle"] = "case-that-nobody-wrote"
    assert content.check(store, rows).problems == ["1 needles not found"]


def test_the_check_sees_a_reply_on_another_record(desk: Desk, store: Documents) -> None:
    rows = received(desk)
    reply = next(row for row in rows if row["parent"])
    reply["parent"] = next(
        row["message_id"] for row in rows if row["message_id"] not in {reply["parent"], reply["message_id"]}
    )
    assert content.check(store, rows).problems == ["1 replies not on their parent's record"]


def test_whole_processes_are_measured_in_turn_with_a_peer(tmp_path: Path) -> None:
    peer = 'echo {"name":"peer","mails_per_s":1.5,"cpu_ms_per_mail":2,"peak_rss_mb":3,"failures":0}'.replace('"', r"\"")
    sizes = ("--existing", "0", "--existing", "10")
    done = bench("--mails", "20", "--runs", "1", *sizes, "--vs", peer, "--work", str(tmp_path))
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["name"], row["existing"]) for row in rows] == [
        ("postroom embedded", 0),
        ("peer", 0),
        ("postroom embedded", 10),
        ("peer", 10),
    ]
    assert all(row["mails_per_s"] > 0 and row["cpu_ms_per_mail"] > 0 and row["problems"] == [] for row in rows)
    assert (tmp_path / "existing-10" / "postroom.sqlite").exists()


def test_the_scaled_form_is_measured_by_stage_and_hop(tmp_path: Path) -> None:
    if reason := missing(newest()):
        cannot_run(reason)
    done = bench("--mails", "20", "--runs", "1", "--rabbitmq", "--work", str(tmp_path))
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert row["problems"] == []
    assert {"cpu_ms_per_hop", "parser_ms", "record-writer_ms"} <= set(row)


def test_a_peer_that_fails_is_reported(tmp_path: Path) -> None:
    done = bench("--mails", "5", "--vs", "false", "--work", str(tmp_path))
    assert (done.returncode, "false: exit code 1" in done.stderr) == (2, True)


ROW = {"name": "A & B", "existing": 0, "mails_per_s": 230.4, "mails_per_s_range": [216, 233], "cpu_ms_per_mail": 4.7,
       "peak_mb": 104, "problems": [], "parser_ms": 1.5, "publish_ms": 0.5, "cpu_ms_per_hop": 0.2}  # fmt: skip
KILLS = {"form": "embedded", "mails": 10000, "kills": 60, "seconds": 90.4, "problems": []}


def test_the_page_has_a_place_for_each_measurement() -> None:
    text = page.PAGE.read_text("utf-8")
    assert re.findall(r"<!-- ([a-z-]+) -->", text) == [
        each for name in ("embedded", "rabbitmq", "stages", "kills") for each in (name, "end")
    ]


def test_what_was_measured_replaces_what_stands_in_its_place_alone() -> None:
    text = "a\n<!-- embedded -->\nold\n<!-- end -->\n<!-- kills -->\nb\n<!-- end -->\n"
    found = page.filled(text, {"embedded": [ROW]})
    assert "old" not in found
    assert "| A & B | 0 | 230 (216 - 233) | 4.7 | 104 |" in found
    assert found.endswith("<!-- kills -->\nb\n<!-- end -->\n")
    assert "| embedded | 10,000 | 60 | 90 | 0 |" in page.filled(text, {"kills": [KILLS]})


def test_stages_are_processes_and_their_sum() -> None:
    assert page.by_stage([ROW]).splitlines()[2] == "| 1.50 | 0.50 | 2.00 |"


def test_plots_are_pictures_with_the_values() -> None:
    drawn = page.pictures({"embedded": [ROW, ROW | {"existing": 1000, "mails_per_s": 200}], "stages": [ROW]})
    assert set(drawn) == {"rates", "growth", "stages"}
    assert {ET.fromstring(each).tag for each in drawn.values()} == {"{http://www.w3.org/2000/svg}svg"}
    assert "A &amp; B" in drawn["growth"]
    assert ">200<" in drawn["growth"]


def test_copies_make_as_many_records_as_were_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preload, "PATTERN", 4)
    preload.main(tmp_path, 10, 7)
    app = App.open(Location(tmp_path), QUEUES)
    records = sorted(app.documents.find("records", {}), key=lambda each: each["serial"])
    assert [each["number"] for each in records] == [f"INC{number}" for number in range(1, 11)]
    for record in records:
        mail = app.mails.get(record["origin"])
        assert mail is not None
        assert mail.records[0].id == record["_id"]
        assert app.mails.source(mail)
        assert app.records.count_activities(record["_id"]) == 1
    assert app.records.next_serial("incident") == 11
    app.close()
