"""Fill `docs/benchmarks.md` with measurements: `python -m bench.page`.

Reads `bench/results/NAME.json`, which `python -m bench --json` or `python -m bench.kills` printed. What stands in the
page between `<!-- NAME -->` and `<!-- end -->` is replaced by its table, and the plots are drawn into `docs/images`. A
place without such a file stays as it is.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import plots

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE, IMAGES = ROOT / "bench" / "results", ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "images"
_PLACE = re.compile(r"(<!-- (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Row = Mapping[str, Any]


def main() -> int:
    """Fill every place for which there are results; 1 when there are none at all."""
    results = {path.stem: rows_of(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    if not results:
        sys.stderr.write(f"no results in {RESULTS}\n")
        return 1
    PAGE.write_text(filled(PAGE.read_text("utf-8"), results), "utf-8")
    IMAGES.mkdir(exist_ok=True)
    for name, drawn in pictures(results).items():
        (IMAGES / f"{name}.svg").write_text(drawn, "utf-8")
    return 0


def rows_of(text: str) -> list[Row]:
    """The objects of a file, one a line."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def filled(page: str, results: Mapping[str, Sequence[Row]]) -> str:
    """The page with the tables of these results."""

    def place(found: re.Match[str]) -> str:
        rows = results.get(found["name"])
        if not rows:
            return found[0]
        table = TABLES.get(found["name"], compared)(rows)
        return f"{found[1]}{table}\n{found[3]}"

    return _PLACE.sub(place, page)


def compared(rows: Sequence[Row]) -> str:
    """Contestants by number of existing records."""
    lines = ["| | records before | mails/s (range) | CPU ms a mail | peak MB |", "|---|---|---|---|---|"]
    for row in rows:
        low, high = row["mails_per_s_range"]
        figures = (
            f"{row['mails_per_s']:.0f} ({low:.0f} - {high:.0f}) | {row['cpu_ms_per_mail']:.1f} | {row['peak_mb']:.0f}"
        )
        lines.append(f"| {row['name']} | {row['existing']:,} | {figures} |")
        lines += [f"| PROBLEM: {problem} | | | | |" for problem in row["problems"]]
    return "\n".join(lines)


def stages_of(row: Row) -> dict[str, float]:
    """CPU ms a mail of each process of the RabbitMQ form."""
    return {key.removesuffix("_ms"): float(value) for key, value in row.items() if key.endswith("_ms")}


def by_stage(rows: Sequence[Row]) -> str:
    """The cost of a mail by stage, of the first row."""
    costs = stages_of(rows[0])
    head = " | ".join([*costs, "in all"])
    values = " | ".join([*(f"{value:.2f}" for value in costs.values()), f"{sum(costs.values()):.2f}"])
    return f"| {head} |\n|{'---|' * (len(costs) + 1)}\n| {values} |"


def kills(rows: Sequence[Row]) -> str:
    """Runs under kills."""
    lines = ["| form | mails | kills | seconds | lost, doubled or misplaced |", "|---|---|---|---|---|"]
    for row in rows:
        problems = "; ".join(row["problems"]) or "0"
        lines.append(f"| {row['form']} | {row['mails']:,} | {row['kills']} | {row['seconds']:.0f} | {problems} |")
    return "\n".join(lines)


TABLES: dict[str, Callable[[Sequence[Row]], str]] = {"stages": by_stage, "kills": kills}
"""Place → its table, where it is not the comparison of contestants."""


def pictures(results: Mapping[str, Sequence[Row]]) -> dict[str, str]:
    """The plots for which there are results, by name."""
    drawn = {}
    if rows := results.get("embedded"):
        first = {str(row["name"]): float(row["mails_per_s"]) for row in rows if row["existing"] == 0}
        drawn["rates"] = plots.bars("Mails a second, no records before", first)
        series: dict[str, list[tuple[float, float]]] = {}
        for row in rows:
            series.setdefault(str(row["name"]), []).append((row["existing"], row["mails_per_s"]))
        drawn["growth"] = plots.lines("Mails a second, by records that are there before", series)
    if rows := results.get("stages") or results.get("rabbitmq"):
        drawn["stages"] = plots.bars("CPU ms a mail, by process, on RabbitMQ", stages_of(rows[0]))
    return drawn


if __name__ == "__main__":
    sys.exit(main())
