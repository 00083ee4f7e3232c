"""One mail stops nobody, whatever it does to its reader: under a limit of memory, on both brokers."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from shared.intake import RawMail
from shared.store.dead_letters import LetterQuery
from tests.builders import a_mail
from tests.conformance.lanes import BROKERS, url_of
from tests.growth import CONSTRUCTIONS
from tests.harness.bench import ROOT, Bench, Scene
from tests.harness.faulty import a_faulty_mail
from tests.harness.mails import Sent, many
from tests.servers.rabbitmq import RabbitNodes
from tests.system.test_faults import end, eventually, watching

pytestmark = pytest.mark.timeout(1200)
"""Seconds: a machine may be busy."""
MEMORY_BYTES = 1_500_000_000
MEANWHILE = a_mail("Meanwhile.\n", Message_ID="<meanwhile@customer.example>")
REASONS = {
    "spin": "parse-time",
    "eat": "parse-memory",
    "abort": "parse-crash",
    "segfault": "parse-crash",
    "kill": "parse-crash",
    "recurse": "parse-crash",
}
"""What a mail does, and the bound that its dead letter names."""


@pytest.fixture(params=BROKERS)
def broker_url(request: pytest.FixtureRequest, rabbit_nodes: RabbitNodes) -> Iterator[str | None]:
    """None: the embedded broker."""
    with url_of(request.param, rabbit_nodes) as url:
        yield url


def harmful(names: Sequence[str], *, odd: bool = True) -> list[Sent]:
    """Mails that end whoever parses them."""
    mails = [(name, a_faulty_mail(name, odd=odd, Message_ID=f"<{name}@customer.example>")) for name in names]
    return [Sent(name, raw, "dead") for name, raw in mails]


def postroom(scene: Scene, *words: str | Path) -> None:
    """A command on the same folder, in another process; it succeeds."""
    argv = [sys.executable, "-m", "services.cli.main", *map(str, words), "--data", str(scene.folder / "data")]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def publish(scene: Scene, sent: Sent, folder: Path) -> None:
    """Hand in one more mail from another process; the node of the tests has other tiers than the command's."""
    scene.sent = [*scene.sent, sent]
    if scene.broker_url is None:
        (folder / "one.eml").write_bytes(sent.raw)
        postroom(scene, "publish", folder / "one.eml")
        return
    with scene.app() as app:
        app.intake.hand_over([RawMail(sent.raw)])


def reasons(scene: Scene) -> list[str]:
    """The bounds that the dead letters name."""
    with scene.app() as app:
        letters = list(app.dead_letters.find(LetterQuery()))
        assert [app.dead_letters.message(letter).attempt for letter in letters] == [0] * len(letters)
    return sorted(letter.reason.split(": ")[1] for letter in letters)


def test_mails_that_break_their_reader_are_one_dead_letter_each_and_stop_nobody(
    bench: Bench, broker_url: str | None, tmp_path: Path
) -> None:
    may_go_on = tmp_path / "go"
    waiting = Sent("waiting", a_faulty_mail(f"wait {may_go_on}"), "recorded")
    bad = [*harmful(list(REASONS)), waiting]
    sent = [each for pair in zip(many(len(bad)), bad, strict=True) for each in pair]
    scene = bench.scene(sent, seeded=False, broker_url=broker_url, plants=("parser-process",), fresh_parser=True)
    scene.run(until="handed in")
    pid = scene.start(until="stopped", memory_limit=MEMORY_BYTES)
    eventually((tmp_path / "go.busy").exists)
    publish(scene, Sent("meanwhile", MEANWHILE, "recorded"), tmp_path)
    may_go_on.touch()
    with watching(scene) as seen:
        eventually(lambda: seen.finished() == len(scene.sent))
    end(scene, pid)
    scene.run()
    assert scene.breaches() == []
    assert reasons(scene) == sorted(REASONS.values())
    if broker_url is None:
        postroom(scene, "doctor")


def test_a_mail_that_looks_plain_and_kills_its_worker_does_so_once(bench: Bench, broker_url: str | None) -> None:
    """The second time it is parsed in the parser process."""
    scene = bench.scene(
        [*many(12), *harmful(["kill"], odd=False)],
        seeded=False,
        broker_url=broker_url,
        plants=("parser-anywhere",),
        fresh_parser=True,
    )
    ends = [scene.run()]
    while ends[-1] and len(ends) < 9:
        ends.append(scene.run())
    assert ends == [-signal.SIGKILL, 0]
    assert scene.breaches() == []
    assert reasons(scene) == ["parse-crash"]


PARTS = 4
GROWN = (
    *(pytest.param(100_000, slice(part, None, PARTS), id=f"100 KB, part {part + 1}") for part in range(PARTS)),
    pytest.param(2_000_000, slice(None), id="2 MB", marks=pytest.mark.slow),
)
"""Bytes, and which of the constructions: parts, so that several processes of a test run have something to do."""


@pytest.mark.parametrize(("size", "part"), GROWN)
def test_mails_that_grow_are_read_or_refused_and_stop_nobody(
    bench: Bench, size: int, part: slice, tmp_path: Path
) -> None:
    """All constructions of `tests.growth`, so large, through every stage of a process, which lives to the end."""
    grown = [Sent(name, grow(size), "") for name, grow in list(CONSTRUCTIONS.items())[part]]
    scene = bench.scene([*grown, *many(3)], seeded=False, fresh_parser=True)
    scene.run(until="handed in")
    pid = scene.start(until="stopped", memory_limit=MEMORY_BYTES)
    with watching(scene) as seen:
        eventually(lambda: seen.finished() > 1)
        publish(scene, Sent("meanwhile", MEANWHILE, "recorded"), tmp_path)
        eventually(lambda: seen.finished() == len(scene.sent), 1000)
    end(scene, pid)
    assert scene.breaches() == []
