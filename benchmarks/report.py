"""From the results to the tables of docs/benchmarks.md: ``python -m benchmarks.report``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SPEED = ROOT / "benchmarks" / "results" / "speed.json"
SIMULATIONS = ROOT / "benchmarks" / "results" / "simulations.json"
IMPORT = ROOT / "benchmarks" / "results" / "import_speed.json"
LOAD = ROOT / "benchmarks" / "results" / "load.json"
SESSIONS = ROOT / "benchmarks" / "results" / "sessions.json"
REPAINT = ROOT / "benchmarks" / "results" / "repaint.json"
ENGINES = ROOT / "benchmarks" / "results" / "engines.json"
MEMORY = ROOT / "benchmarks" / "results" / "memory.json"
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


def load_tables(results: dict[str, Any]) -> str:
    """Return how long clicks took in a meeting, and what the server needed, by number of people."""
    rows = results["rows"]
    lines = {
        "seconds between two clicks of a person": [f"{row['every']:g}" for row in rows],
        "minutes": [f"{row['minutes']:g}" for row in rows],
        "clicks": [f"{row['clicks']:,}" for row in rows],
        "errors": [f"{sum(row['errors'].values()):,}" for row in rows],
        "until the first part of the page: median": [_ms(row, "first", "median") for row in rows],
        "until all of it: median": [_ms(row, "finished", "median") for row in rows],
        "until all of it: 95th percentile": [_ms(row, "finished", "p95") for row in rows],
        "until all of it: longest": [_ms(row, "finished", "max") for row in rows],
        "cores busy: server; people": [
            f"{row['cores']['server']:.2f}; {row['cores']['people']:.2f}" for row in rows
        ],
        "memory of the server": [
            "; ".join(f"{mb:,} MB {when}" for when, mb in row["memory_mb"].items()) for row in rows
        ],
    }
    head = ["a meeting", *(f"{row['people']} people" for row in rows)]
    return (
        f"{_measured(results)}\n\n{_table(head, ([name, *line] for name, line in lines.items()))}"
    )


def _ms(row: Row, what: str, which: str) -> str:
    return _seconds(row[what][which] / 1000)


def session_tables(results: dict[str, Any]) -> str:
    """Return what sessions leave behind in memory."""
    lines = [
        ["at rest, nothing asked yet", f"{results['rest_mb']:.0f} MB"],
        [f"after {results['warm_up']:,} sessions", f"{results['before_mb']:.0f} MB"],
        [
            f"after {results['count']:,} more",
            f"{results['after_mb']:.0f} MB ({results['growth']:+.1%})",
        ],
        [f"each of {results['opened']:,} open at once", f"{results['open_mb']:.1f} MB"],
        ["errors", f"{results['errors']:,}"],
    ]
    return f"{_measured(results)}\n\n{_table(['memory of the server', 'measured'], lines)}"


def _measured(results: dict[str, Any]) -> str:
    return (
        f"Measured {results['date']} on {results['machine']}; processes that wanted a core at the end: "
        f"{results['waiting']:.1f}."
    )


def repaint_tables(results: dict[str, Any]) -> str:
    """Return how long a click takes until its figure is painted, with ratios, and a first visit."""
    rows = results["rows"]
    empty = next(row for row in rows if row["page"] == "empty rerun")
    same = {
        row["patients"]: row
        for row in rows
        if (row["program"], row["page"]) == ("ours", "Survival")
    }
    lines = [
        [
            row["program"],
            row["page"],
            f"{row['patients']:,}" if row["patients"] else "–",
            f"{row['repainted']} of {row['clicks']}",
            *(_ms_or_none(row[name]) for name in ("median_ms", "p95_ms")),
            _times(row, empty),
            _times(row, same.get(row["patients"])) if row["page"] == "Survival" else "–",
        ]
        for row in rows
    ]
    head = ["program", "page", "patients", "repainted", "median", "95th percentile",
            "of an empty rerun", "of ours"]  # fmt: skip
    first = [[name, _ms_or_none(ms)] for name, ms in results["first_ms"].items()]
    tables = [_measured(results), _table(head, lines)]
    if first:
        tables.append(_table(["a new visitor, until the curves are painted", "median"], first))
    return "\n\n".join(tables)


def _ms_or_none(ms: float | None) -> str:
    return "–" if ms is None else _seconds(ms / 1000)


def _times(row: Row, other: Row | None) -> str:
    if other is None or not (row["median_ms"] and other["median_ms"]):
        return "–"
    return f"×{row['median_ms'] / other['median_ms']:.2g}"


def memory_tables(results: dict[str, Any]) -> str:
    """Return what a server holds by number of patients, and how long its curves take."""
    rows = results["rows"]
    lines = {
        "at rest": [f"{row['rest_mb']:,.0f} MB" for row in rows],
        "with one session on the Survival page": [f"{row['one_mb']:,.0f} MB" for row in rows],
        "each further session": [f"{row['session_mb']:,.1f} MB" for row in rows],
        "largest while one clicks": [f"{row['peak_mb']:,.0f} MB" for row in rows],
        "the first visitor of all, until the curves are painted": [
            _seconds(row["first_ms"] / 1000) for row in rows
        ],
        "a click, until the curves are painted (median)": [
            _seconds(row["click_ms"] / 1000) for row in rows
        ],
        "the same, of that of the smallest": [
            f"×{row['click_ms'] / rows[0]['click_ms']:.2g}" for row in rows
        ],
    }
    head = ["a server", *(f"{row['patients']:,} patients" for row in rows)]
    return f"{_measured(results)}\n\n{_table(head, ([k, *line] for k, line in lines.items()))}"


def engine_tables(results: dict[str, Any]) -> str:
    """Return the seconds of each question by engine and number of patients, what came back, and memory."""
    rows = results["rows"]
    lines = {
        question: [_seconds(row["answers"][question]["seconds"]) for row in rows]
        for question in rows[0]["answers"]
    }
    lines["all answers, as they came"] = [
        f"{sum(answer['bytes'] for answer in row['answers'].values()) / 1e6:,.2f} MB"
        for row in rows
    ]
    lines["memory of the program before and after"] = [
        f"{row['first_mb']:,.0f} → {row['memory_mb']:,.0f} MB" for row in rows
    ]
    head = ["a question", *(f"{row['engine']}, {row['patients']:,} patients" for row in rows)]
    return f"{_measured(results)}\n\n{_table(head, ([k, *line] for k, line in lines.items()))}"


def _block(tables: Callable[[dict[str, Any]], str], path: Path) -> str:
    results = json.loads(path.read_text("utf-8"))
    block = tables(results)
    dated = "date" in results and not block.startswith("Measured")
    return f"{_measured(results)}\n\n{block}" if dated else block


def written(document: str) -> str:
    """Return the document with the tables of the results between its markers."""
    for name, path, tables in (
        ("speed", SPEED, speed_tables),
        ("simulations", SIMULATIONS, simulation_tables),
        ("import", IMPORT, import_tables),
        ("load", LOAD, load_tables),
        ("sessions", SESSIONS, session_tables),
        ("repaint", REPAINT, repaint_tables),
        ("memory", MEMORY, memory_tables),
        ("engines", ENGINES, engine_tables),
    ):
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if document.count(start) != 1 or document.count(end) != 1:
            raise ValueError(f"{DOCUMENT.name}: {start} and {end} must stand there once each.")
        before, rest = document.split(start)
        _, after = rest.split(end)
        there = path.exists()
        block = _block(tables, path) if there else "Not measured yet."
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
