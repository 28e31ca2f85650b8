"""From the results to the tables of docs/benchmarks.md: ``python -m benchmarks.report``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SPEED = ROOT / "benchmarks" / "results" / "speed.json"
SIMULATIONS = ROOT / "benchmarks" / "results" / "simulations.json"
IMPORT = ROOT / "benchmarks" / "results" / "import_speed.json"
DOCUMENT = ROOT / "docs" / "benchmarks.md"


_PARTS = {"count": "counting in DuckDB", "survival": "Kaplan-Meier", "log_rank": "log-rank"}

Row = dict[str, Any]


def speed_tables(results: dict[str, Any]) -> str:
    """Return seconds with ratios to ours, our time by part, and memory, each by number of patients."""
    lines: dict[str, list[Row]] = {}
    for row in results["rows"]:
        lines.setdefault(row["program"], []).append(row)
    first = next(iter(lines.values()))
    head = [f"{row['rows']:,} patients".replace(",", " ") for row in first]
    cap, versions = results["cap"], results["versions"]
    timed = (
        [
            f"{name} ({versions[name]})",
            *(_timed(*pair, cap) for pair in zip(row, first, strict=True)),
        ]
        for name, row in lines.items()
    )
    parts = (
        [f"{name}: {words}", *(_part(cell, part) for cell in row)]
        for name, row in lines.items()
        if name.startswith("ours")
        for part, words in _PARTS.items()
    )
    memory = ([name, *map(_memory, row)] for name, row in lines.items())
    return "\n\n".join(
        (
            _table(["Kaplan-Meier and log-rank", *head], timed),
            _table(["of which", *head], parts),
            _table(["memory", *head], memory),
        )
    )


def _timed(row: Row, ours: Row, cap: float) -> str:
    if row["seconds"] is None:
        return f"left out, above {cap:.0f} s"
    once = ", one run" if row["runs"] == 1 else ""
    return f"{_seconds(row['seconds'])} (×{row['seconds'] / ours['seconds']:.2g}{once})"


def _part(row: Row, part: str) -> str:
    return "–" if row["seconds"] is None else _seconds(row["parts"][part])


def _memory(row: Row) -> str:
    value = row.get("memory_mb")
    return "–" if value is None else f"{value:.0f} MB"


def simulation_tables(results: dict[str, Any]) -> str:
    """Return coverage and error of type I, with the shares that have no interval or P value."""
    return "\n\n".join(
        (
            _shares(results["coverage"], ("survival", "n"), "program", "coverage", 0.95),
            _shares(results["type_1_error"], ("sizes",), "test", "rejected", 0.05),
        )
    )


def _shares(
    rows: Sequence[Row], setting: Sequence[str], column: str, value: str, aim: float
) -> str:
    words = {"survival": "true S", "n": "patients", "sizes": "patients"}
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        line = lines.setdefault(tuple(_setting(row[name]) for name in setting), {})
        none = f" ({row['none']:.1%})" if row["none"] >= 0.0005 else ""
        line[row[column]] = f"{row[value]:.1%}{none}"
        line["error"] = f"{math.sqrt(aim * (1 - aim) / row['replicates']):.1%}"
    columns = list(dict.fromkeys(row[column] for row in rows))
    return _table(
        [*(words[name] for name in setting), *columns, f"Monte Carlo error at {aim:.0%}"],
        ([*key, *(line[name] for name in (*columns, "error"))] for key, line in lines.items()),
    )


def _setting(value: float | list[int]) -> str:
    return " and ".join(map(str, value)) if isinstance(value, list) else f"{value:g}"


def import_tables(results: dict[str, Any]) -> str:
    """Return what an import took as a whole, and when each of its steps began."""
    peaks = "; ".join(f"{name} {mb:,} MB" for name, mb in results["peak_mb"].items())
    whole = [
        ["patients", f"{results['patients']:,}"],
        ["rows", f"{sum(results['rows'].values()):,}"],
        ["from start to end", _seconds(results["seconds"])],
        ["computing time of all cores", _seconds(results["cpu_seconds"])],
        ["processes that wanted a core at the start", f"{results['load']:.0f}"],
        ["largest memory", peaks],
    ]
    steps = ([words, f"{at:.1f} s"] for words, at in results["steps"].items())
    return "\n\n".join(
        (_table(["import", "measured"], whole), _table(["step", "begins at"], steps))
    )


def written(document: str) -> str:
    """Return the document with the tables of the results between its markers."""
    for name, path, tables in (
        ("speed", SPEED, speed_tables),
        ("simulations", SIMULATIONS, simulation_tables),
        ("import", IMPORT, import_tables),
    ):
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if document.count(start) != 1 or document.count(end) != 1:
            raise ValueError(f"{DOCUMENT.name}: {start} and {end} must stand there once each.")
        before, rest = document.split(start)
        _, after = rest.split(end)
        block = tables(json.loads(path.read_text("utf-8")))
        document = f"{before}{start}\n{block}\n{end}{after}"
    return document


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.{int(seconds < 0.01)}f} ms"


def main() -> None:
    """Write the tables into docs/benchmarks.md."""
    DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
