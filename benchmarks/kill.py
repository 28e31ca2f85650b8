"""Kill an import at random moments and look at what it leaves: ``python -m benchmarks.kill [TIMES]``.

A process that has loaded the importer forks one child per trial. The child imports a study with another
content than the one that is served, and gets SIGKILL after a random time: every second trial anywhere
from the first moment to a little beyond the end, the others once the import begins to publish, which is
the short part in which the store changes. Each time the store is opened, the served snapshot verified
and queried, and what died is tidied away.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "kill.json"
SOURCE = ROOT / "data" / "demo" / "short2025"
STUDY = "short2025"

_KEPT = {
    ".lock", ".jobs", "audit.jsonl", "audit.head", f"{STUDY}.json", f"{STUDY}.history.jsonl",
}  # fmt: skip


def two_contents(folder: Path) -> list[Path]:
    """Write two folders of the same study, a few patients each, that differ in one age."""
    folders = []
    for age in ("41", "42"):
        made = folder / f"study {age}"
        made.mkdir(parents=True)
        shutil.copy(SOURCE / "study.json", made)
        lines = (SOURCE / "patients.csv").read_text("utf-8").splitlines()[:11]
        patients = {line.split(",")[0] for line in lines}
        first = lines[1].split(",")
        lines[1] = ",".join([first[0], age, *first[2:]])
        (made / "patients.csv").write_text("\n".join(lines) + "\n", "utf-8")
        for name in ("mrd_assessments.csv", "treatments.csv", "outcomes.csv"):
            rows = (SOURCE / name).read_text("utf-8").splitlines()
            kept = [row for row in rows if row.split(",")[0] in patients]
            (made / name).write_text("\n".join(kept) + "\n", "utf-8")
        folders.append(made)
    return folders


def run(times: int, seed: int, folder: Path) -> dict[str, Any]:
    """Kill an import so many times and return what was found.

    Returns
    -------
    dict
        kills, finished (before the signal came), ``served`` 'old' and 'new' (after a kill), and `faults`:
        what was wrong, which has to be empty.
    """
    from data.importing.jobs import tidy
    from data.importing.publish import import_folder
    from data.store import SnapshotError, find, records

    store, contents = folder / "store", two_contents(folder)
    hashes = [import_folder(made, STUDY, store)[0].hash for made in contents]
    draw, found, faults = random.Random(seed), Counter[str](), list[str]()
    with _forker(store) as talk:
        longest = {
            when: max(talk(contents[i % 2], when, 60.0)[1] for i in range(3))
            for when in ("start", "publish")
        }
        for trial in range(times):
            served = find(STUDY, folder=store).hash
            other = contents[1 - hashes.index(served)]
            _forget_all_but(served, store)
            when = "start" if trial % 2 else "publish"
            ended, _ = talk(other, when, draw.uniform(0, longest[when]))
            try:
                tidy(store)
                now = find(STUDY, folder=store)
                (row,) = records(now, "SELECT count(*) AS n FROM subjects")
                if row["n"] != 10:
                    faults.append(f"trial {trial}: {row['n']} patients")
                which = "old" if now.hash == served else "new"
                found[f"{ended}, {which} served"] += 1
                # However busy the machine is, about half of the kills come before the pointer.
                longest[when] *= 1.1 if which == "old" else 0.9
                faults += [f"trial {trial}: {name} is left" for name in _debris(store)]
            except (SnapshotError, OSError) as error:
                faults.append(f"trial {trial}: {error}")
    return {"times": times, "seed": seed, "found": dict(sorted(found.items())), "faults": faults}


def _forget_all_but(served: str, store: Path) -> None:
    """Delete the other snapshot, so that importing it is publishing anew."""
    from data.importing.history import delete
    from data.store import snapshots

    for snapshot in snapshots(store):
        if snapshot.hash != served:
            delete(STUDY, snapshot.hash, "kill", store)


def _debris(store: Path) -> list[str]:
    """Return what is in the store and belongs to no snapshot."""
    from data.store import snapshots

    known = set(_KEPT)
    for snapshot in snapshots(store):
        known |= {snapshot.path.name, snapshot.path.with_suffix(".json").name}
    here = {path.name for path in store.iterdir()} | {p.name for p in (store / ".jobs").iterdir()}
    return sorted(here - known)


@contextmanager
def _forker(store: Path) -> Iterator[Any]:
    """Start the process that imports and kills; yield how to ask it for one trial."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.kill", "--fork", str(store)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None

    def talk(source: Path, when: str, seconds: float) -> tuple[str, float]:
        print(json.dumps([str(source), when, seconds]), file=process.stdin, flush=True)
        ended, took = json.loads(process.stdout.readline())  # type: ignore[union-attr]
        return str(ended), float(took)

    try:
        yield talk
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def fork(store: Path, asked: IO[str]) -> None:
    """Do one trial per line: fork, import in the child, kill it, tell how it ended and when."""
    # This process opens no database: DuckDB's threads would not live on in a child.
    from data.importing import publish

    for line in asked:
        source, when, seconds = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _import(publish, Path(source), store, writing, at_once=when == "start")
        os.close(writing)
        os.read(reading, 1)
        begun = time.monotonic()
        ended = _killed(child, begun + seconds)
        os.close(reading)
        print(json.dumps([ended, time.monotonic() - begun]), flush=True)


def _killed(child: int, until: float) -> str:
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "finished" if status == 0 else "failed"
        time.sleep(max(0.0, min(0.0005, until - time.monotonic())))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "killed"


def _import(publish: Any, source: Path, store: Path, writing: int, *, at_once: bool) -> None:
    """Import in a child that has been forked, saying when the clock starts; never returns."""
    commit = publish.commit

    def told(*arguments: Any, **options: Any) -> Any:
        if not at_once:
            os.write(writing, b".")
        return commit(*arguments, **options)

    publish.commit = told
    if at_once:
        os.write(writing, b".")
    status = 1
    try:
        publish.import_folder(source, STUDY, store)
        status = 0
    finally:
        os._exit(status)


def main(times: int = 1000) -> int:
    """Kill so many imports, write the result, and return 1 if anything was wrong."""
    with tempfile.TemporaryDirectory() as folder:
        result = run(times, 2025, Path(folder))
    RESULT.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result, indent=1))
    return bool(result["faults"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fork"]:
        fork(Path(sys.argv[2]), sys.stdin)
    else:
        sys.exit(main(*map(int, sys.argv[1:])))
