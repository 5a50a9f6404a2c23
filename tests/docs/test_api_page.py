"""Every example of docs/api.md, run in order against one server."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crosslens.api.keys import KeyFile, Role
from crosslens.client import Client
from crosslens.settings import Settings, write_missing
from fakes import jpeg
from service import Server

PAGE = Path(__file__).parent.parent.parent / "docs" / "api.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)
BLOCKS = [(kind, code) for kind, code in FENCE.findall(PAGE.read_text("utf-8"))]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("api-page")
    write_missing(folder / "home", attributes={"colour": "keyword", "price": "number"})
    key = KeyFile(folder / "home" / "keys.json").new(Role.WRITE)[1]
    admin = KeyFile(folder / "home" / "keys.json").new(Role.ADMIN)[1]
    judged = folder / "home" / "judged" / "shop"
    judged.mkdir(parents=True)
    (judged / "queries.jsonl").write_text('{"id": "q1", "text": "red shoe"}\n', "utf-8")
    (judged / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tsku-1001\t1\n", "utf-8")
    (folder / "bag.jpg").write_bytes(jpeg((30, 60, 200), (300, 200)))
    (folder / "items.jsonl").write_text('{"id": "i1", "name": "imported sock"}\n', "utf-8")
    with Server(folder / "home") as server:
        yield {"url": server.url, "key": key, "admin": admin, "folder": folder}


def test_every_example_does_what_the_page_says(
    world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world["folder"])
    names: dict[str, Any] = {"url": world["url"], "key": world["key"]}
    names["admin_key"] = world["admin"]
    try:
        for kind, code in BLOCKS:
            if kind == "python":
                exec(compile(code, str(PAGE), "exec"), names)
            elif kind == "sh" and "URL=" not in code:
                _run(code, world)
    finally:
        names["client"].close()


def _run(code: str, world: dict[str, Any]) -> None:
    for command in re.split(r"^(?=curl )", code, flags=re.M):
        if not command.strip():
            continue
        given = f"URL={world['url']}\nKEY={world['key']}\nADMIN={world['admin']}\n"
        script = given + command.replace("curl ", "curl -f ", 1)
        ran = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, (command, ran.stdout, ran.stderr)
        if "-o " not in command and "/metrics" not in command and "DELETE" not in command:
            assert json.loads(ran.stdout) is not None, command


def test_the_page_names_every_path(world: dict[str, Any]) -> None:
    import httpx

    text = PAGE.read_text("utf-8")
    paths = httpx.get(f"{world['url']}/openapi.json").json()["paths"]
    for path in paths:
        told = re.escape(path).replace(r"\{product_id\}", r"(\d+|\{product_id\})")
        told = told.replace(r"\{n\}", r"(\d+|\{n\})")
        told = told.replace(r"\{name\}", r"[\w-]+").replace(r"\{set\}", r"([\w-]+|\{set\})")
        assert re.search(told, text), path


def test_the_page_names_settings_that_there_are() -> None:
    table = PAGE.read_text("utf-8").rsplit("## Limits", 1)[1]
    named = set(re.findall(r"`(\w+)`", table.split("|\n", 2)[2]))
    assert named <= set(Settings.model_fields), named - set(Settings.model_fields)


def test_the_page_names_methods_that_there_are() -> None:
    used = set(re.findall(r"\bclient\.(\w+)\(", PAGE.read_text("utf-8")))
    assert used <= set(dir(Client))
