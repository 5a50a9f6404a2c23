"""kill -9 at random moments: what was acknowledged is there, and the audit is clean after it."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from fakes import jpeg
from shell import Shell, start

PICTURES = 2_400
KILLS = 20

IMPORTER = """
import sys, threading
from pathlib import Path
from crosslens import settings, wiring
from crosslens.corpora.sources import open_source

with wiring.build(settings.load(Path(sys.argv[1]))) as app:
    def acknowledged(phase, done):
        if phase == "read":
            print(done, flush=True)
    print("ready", flush=True)
    app.import_all(open_source(Path(sys.argv[2])), threading.Event(), on_progress=acknowledged)
print("end", flush=True)
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for n in range(PICTURES):
        colour = (n % 251, n * 7 % 251, n * 13 % 251)
        (folder / f"shirt-{n:04}.jpg").write_bytes(jpeg(colour, (64, 64)))
    return folder


def stored(home: Path) -> int:
    if not (home / "catalog.db").exists():
        return 0
    with closing(sqlite3.connect(home / "catalog.db")) as connection:
        made = (
            "SELECT 1 FROM sqlite_master WHERE name = 'products'"  # killed before its tables were
        )
        if connection.execute(made).fetchone() is None:
            return 0
        return connection.execute("SELECT count(*) FROM products WHERE NOT retired").fetchone()[0]


@pytest.mark.slow
def test_a_killed_import_loses_no_acknowledged_product(
    shell: Shell, pictures: Path, tmp_path: Path
) -> None:
    random.seed(20)
    script = tmp_path / "importer.py"
    script.write_text(IMPORTER, "utf-8")
    acknowledged = kills = 0
    while kills < KILLS:
        child = subprocess.Popen(
            [sys.executable, script, shell.home, pictures], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(random.uniform(0.05, 0.5))
        child.kill()
        printed = child.communicate()[0].split()
        kills += 1
        acknowledged = max([acknowledged, *map(int, filter(str.isdecimal, printed))])
        assert stored(shell.home) >= acknowledged
    counts = shell.json("import", pictures)
    assert counts["read"] == counts["stored"] + counts["skipped"] + counts["failed"] == PICTURES
    assert stored(shell.home) == PICTURES
    settle(shell)
    assert shell("doctor").code == 0


@pytest.mark.slow
def test_a_killed_worker_loses_no_change(shell: Shell, pictures: Path) -> None:
    random.seed(21)
    shell.json("import", pictures, "--no-index")
    for life in range(KILLS):
        child = start(shell.home, "index", "work")
        if life % 2:
            until = time.monotonic() + 60
            while not holds_changes(shell.home, child.pid) and time.monotonic() < until:
                time.sleep(0.02)
        time.sleep(random.uniform(0.0, 0.8))
        child.kill()
        child.communicate()
    settle(shell)
    assert shell.json("index", "audit")["products"] == PICTURES
    assert shell.json("search", "shirt", "--limit", 5)["hits"]


def holds_changes(home: Path, process: int) -> bool:
    """Whether a process has taken changes to settle."""
    with closing(sqlite3.connect(home / "catalog.db", timeout=60)) as connection:
        taken = "SELECT count(*) FROM changes WHERE lease_owner LIKE ?"
        return connection.execute(taken, [f"%/{process}/%"]).fetchone()[0] > 0


def settle(shell: Shell) -> None:
    """Start again after the last kill, as a user would, and compare."""
    shell.json("index", "work")
    backlog = shell.json("index", "status")
    assert (backlog["waiting"], backlog["leased"], backlog["parked"]) == (0, 0, 0)
    assert shell("index", "audit").code == 0
