"""Run crosslens as a user does, and read its answers."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crosslens.cli.main import run


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """Commands against one home, in this process; stdout and stderr are kept apart."""

    home: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> Ran:
        self.capture.readouterr()
        code = run(["--home", str(self.home), *map(str, arguments)])
        out, err = self.capture.readouterr()
        return Ran(code, out, err)

    def json(self, *arguments: object) -> Any:
        ran = self(*arguments, "--json")
        assert ran.code == 0, ran.err
        return ran.json


def start(home: Path, *arguments: object) -> subprocess.Popen[str]:
    """Start crosslens as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "crosslens", "--home", str(home), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
