"""A gate of golden queries before a switch of encoders, from the shell and over HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crosslens.errors import InvalidRequest
from crosslens.evaluate.gatekeeping import Gate, read_gate
from crosslens.values import Kind
from service import Server
from shell import Shell
from tiny_bundle import proved_tiny

TITLES = [f"{colour} {thing}" for colour in ("red", "blue", "green") for thing in ("shoe", "hat")]


@pytest.fixture
def shop(shell: Shell, tmp_path: Path) -> Shell:
    rows = [{"id": title.replace(" ", "-"), "title": title} for title in TITLES]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert shell("import", tmp_path / "items.jsonl").code == 0
    for title, other in zip(TITLES, reversed(TITLES), strict=True):
        for name, right in (("shop", title), ("odd", other)):
            key = right.replace(" ", "-")
            assert shell("judge", "add", name, title, "--right", key).code == 0
    proved_tiny(shell.home / "bundles" / "tiny")
    return shell


def gate(shop: Shell, text: str) -> None:
    (shop.home / "gate.yaml").write_text(text)


def used(shop: Shell) -> str:
    rows = shop.json("model", "list")["models"]
    return next(row["name"] for row in rows if "cross-modal" in row["used_for"])


def test_a_bundle_that_falls_short_does_not_pass_and_changes_nothing(shop: Shell) -> None:
    gate(shop, "set: odd\nkind: hybrid\nfail_under: {hit@1: 0.5}\nfail_if_worse: [ndcg@10]")
    told = shop("model", "use", "tiny")
    assert told.code != 0
    assert "the gate does not let tiny pass: hit@1 is" in told.err
    assert "6 golden queries of odd" in told.err
    assert used(shop) == "crosslens-mini"
    found = shop.json("search", "red shoe", "--kind", "text2text")["hits"]
    assert found[0]["title"] == "red shoe"
    assert shop("index", "audit").code == 0


def test_a_bundle_that_is_good_enough_passes(shop: Shell) -> None:
    gate(shop, "set: shop\nkind: hybrid\nfail_under: {recall@10: 0.9}")
    assert shop("model", "use", "tiny").code == 0
    assert used(shop) == "tiny"


def test_the_service_asks_the_gate_too(shop: Shell) -> None:
    gate(shop, "set: odd\nkind: hybrid\nfail_under: {hit@1: 0.5}\nqueries: 4")
    with Server(shop.home) as server, server.client() as http:
        task = http.post("/model/tiny/use", json={}).json()["task"]
        while (now := http.get(f"/task/{task}").json())["ended"] is None:
            pass
        assert now["state"] == "failed"
        assert "4 golden queries of odd" in now["error"]
        answer = http.post("/search", json={"words": "red shoe", "kind": "text2text"}).json()
        assert answer["hits"][0]["title"] == "red shoe"
    assert used(shop) == "crosslens-mini"


def test_a_gate_is_read_with_its_defaults(tmp_path: Path) -> None:
    assert read_gate(tmp_path / "gate.yaml") is None
    (tmp_path / "gate.yaml").write_text("set: shop\nfail_if_worse: [ndcg@10]")
    assert read_gate(tmp_path / "gate.yaml") == Gate("shop", Kind.AUTO, None, {}, ("ndcg@10",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("set: shop", "gate.yaml:1: the file needs set, and fail_under or fail_if_worse"),
        ("set: s\nkind: dense\nfail_if_worse: [map]", "gate.yaml:2: kind is 'dense'"),
        ("set: s\nfail_under: {map: 2}", "gate.yaml:2: fail_under.map is 2"),
        ("set: s\nleast: {map: 1}\nfail_if_worse: []", "gate.yaml:2: least is not known"),
    ],
)
def test_a_gate_that_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "gate.yaml").write_text(text)
    with pytest.raises(InvalidRequest) as told:
        read_gate(tmp_path / "gate.yaml")
    assert told.value.message.startswith(said)
