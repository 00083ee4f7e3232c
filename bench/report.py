"""Rows of measurements, their medians and spread, as a table or as JSON."""

from __future__ import annotations

import json
import os
import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from bench import embedded, rabbit
from shared.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement of one contestant. `rate` mails a second, `cpu_ms` a mail, `peak_mb`."""

    name: str
    existing: int
    rate: float
    cpu_ms: float
    peak_mb: float
    problems: Sequence[str] = ()
    more: Mapping[str, float] = field(default_factory=dict)


def of_embedded(run: embedded.Run, existing: int) -> Row:
    """A run of the embedded default."""
    more = {
        "publish_ms": run.publish.cpu * 1000 / run.mails,
        "work_ms": run.work.cpu * 1000 / run.mails,
        "publish_seconds": run.publish.seconds,
        "work_seconds": run.work.seconds,
    }
    return _row("postroom embedded", existing, run, run.content.problems, more)


def of_rabbit(run: rabbit.Run, existing: int) -> Row:
    """A run on RabbitMQ."""
    stages = {f"{stage}_ms": cpu * 1000 / run.mails for stage, cpu in run.stages.items()}
    more = {**run.hop, "publish_ms": run.publish.cpu * 1000 / run.mails, **stages}
    return _row("postroom rabbitmq", existing, run, run.content.problems, more)


def _row(
    name: str, existing: int, run: embedded.Run | rabbit.Run, problems: Sequence[str], more: Mapping[str, float]
) -> Row:
    cost = run.cost
    return Row(name, existing, run.mails / cost.seconds, cost.cpu * 1000 / run.mails, cost.peak_mb, problems, more)


def of_peer(answer: Mapping[str, Any], command: str, existing: int) -> Row:
    """What another program says of itself: `mails_per_s`, `cpu_ms_per_mail`, `peak_rss_mb`, `failures`."""
    failed = [f"{answer['failures']} mails failed"] if answer.get("failures") else []
    name = str(answer.get("name") or shlex.split(command)[0])
    rate, cpu, peak = (float(answer.get(key) or 0) for key in ("mails_per_s", "cpu_ms_per_mail", "peak_rss_mb"))
    return Row(name, existing, rate, cpu, peak, failed)


def summary(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Medians for each contestant and number of existing records, with the smallest and the largest rate."""
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.name, row.existing), []).append(row)
    return [_median(name, existing, group) for (name, existing), group in groups.items()]


def _median(name: str, existing: int, rows: Sequence[Row]) -> dict[str, Any]:
    rates = sorted(row.rate for row in rows)
    more = {key: round(statistics.median(row.more[key] for row in rows), 3) for key in rows[0].more}
    return {
        "name": name,
        "existing": existing,
        "runs": len(rows),
        "mails_per_s": round(statistics.median(rates), 1),
        "mails_per_s_range": [round(rates[0], 1), round(rates[-1], 1)],
        "cpu_ms_per_mail": round(statistics.median(row.cpu_ms for row in rows), 2),
        "peak_mb": round(max(row.peak_mb for row in rows), 1),
        "problems": sorted({problem for row in rows for problem in row.problems}),
        **more,
    }


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """For people."""
    head = f"{'':28} {'records':>8} {'mails/s':>9} {'(range)':>17} {'CPU ms':>8} {'peak MB':>8}"
    return "\n".join([head, *map(_line, found), load()])


def _line(row: Mapping[str, Any]) -> str:
    low, high = row["mails_per_s_range"]
    line = f"{row['name']:28} {row['existing']:8} {row['mails_per_s']:9} {f'({low} - {high})':>17}"
    line += f" {row['cpu_ms_per_mail']:8} {row['peak_mb']:8}"
    details = [
        f"{key} {value}" for key, value in row.items() if key.endswith(("_ms", "_seconds", "_hop", "hops_per_s"))
    ]
    notes = [", ".join(details)] if details else []
    return "\n    ".join([line, *notes, *[f"PROBLEM: {problem}" for problem in row["problems"]]])


def load() -> str:
    """What else the machine had to do."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end"


def lines(found: Sequence[Mapping[str, Any]]) -> str:
    """For machines: one object a line."""
    return "\n".join(json.dumps({**row, "load": round(os.getloadavg()[0], 2)}) for row in found)
