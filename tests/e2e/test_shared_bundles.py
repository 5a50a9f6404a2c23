"""Bundles that go from one home to another, through a folder, a bucket and a file."""

from __future__ import annotations

from pathlib import Path

import pytest

import servers
from shell import Shell
from tiny_bundle import write_tiny


@pytest.fixture(params=["folder", "bucket", "file"])
def place(request: pytest.FixtureRequest, shell: Shell, tmp_path: Path) -> str:
    if request.param == "bucket":
        s3: servers.S3Server = request.getfixturevalue("s3")
        shell.home.mkdir()
        (shell.home / "crosslens.toml").write_text(f's3_endpoint = "{s3.endpoint}"\n', "utf-8")
        return f"{s3.new_bucket()}/bundles"
    return str(tmp_path / {"folder": "shared", "file": "tiny.tar"}[request.param])


def test_a_bundle_goes_from_shelf_to_shelf(shell: Shell, place: str) -> None:
    write_tiny(shell.home / "bundles" / "tiny")
    pushed = shell("model", "push", "tiny", "--to", place, "--json")
    assert pushed.code == 0, pushed.err
    assert pushed.json["files"] == 5
    assert shell("model", "remove", "tiny").code == 0
    assert shell("model", "show", "tiny").code == 1
    if not place.endswith(".tar"):
        assert shell("model", "shared", "--at", place).out == "tiny\n"
    pulled = shell("model", "pull", "tiny", "--from", place, "--json")
    assert pulled.code == 0, pulled.err
    assert pulled.json == {"name": "tiny", "space": "tiny@1/fp32", "licence": "Apache-2.0"}
    assert shell("model", "show", "tiny").code == 0


def test_what_is_missing_is_named(shell: Shell, tmp_path: Path) -> None:
    nowhere = shell("model", "push", "crosslens-mini")
    assert nowhere.code == 2
    assert "set bundles_url" in nowhere.err
    absent = shell("model", "pull", "absent", "--from", tmp_path / "shared")
    assert absent.code == 1
    assert "absent" in absent.err


def test_built_in_bundles_and_those_in_use_are_not_removed(shell: Shell) -> None:
    built_in = shell("model", "remove", "crosslens-mini")
    assert built_in.code == 2
    assert "built in" in built_in.err
    write_tiny(shell.home / "bundles" / "tiny")
    (shell.home / "crosslens.toml").write_text('looks = "tiny"\n', "utf-8")
    in_use = shell("model", "remove", "tiny")
    assert in_use.code == 1
    assert "is in use" in in_use.err
    assert (shell.home / "bundles" / "tiny").exists()
