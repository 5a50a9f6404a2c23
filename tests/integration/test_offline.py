"""The reference's offline stages: preprocess → build → push, and what its own lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crosslens.corpora.records import BadRecord, Row, Where
from crosslens.corpora.shards import read_sheet, shard_entries
from crosslens.documents.memory import MemoryDocuments
from crosslens.indexing.building import Builder
from crosslens.indexing.encoded_fields import PictureField, WordField
from crosslens.indexing.pushed_rows import IndexTarget, OwnRows, spec_of
from crosslens.indexing.pushing import DocumentTarget, Pusher
from crosslens.values import Modality, Space
from crosslens.vectors.memory import MemoryIndex
from fakes import FakePictureEncoder, FakeTextEncoder, jpeg
from shell import Shell

if TYPE_CHECKING:
    from milvus_server import MilvusServer

WORDS, LOOKS = Space("words@1", 8), Space("looks@1", 6)


@pytest.fixture
def texts() -> FakeTextEncoder:
    return FakeTextEncoder(WORDS)


def docs(folder: Path, count: int, **extra: Any) -> Path:
    path = folder / "docs.jsonl"
    lines = [json.dumps({"id": n, "title": f"title {n}", **extra}) for n in range(count)]
    path.write_text("\n".join(lines), "utf-8")
    return path


def build(path: Path, out: Path, *fields: Any, **options: Any) -> tuple[Any, list[BadRecord]]:
    from crosslens.corpora.jsonl import json_rows

    bad: list[BadRecord] = []
    sheet = Builder(fields, on_bad=bad.append, **options).run(path, json_rows(path), out)
    return sheet, bad


def entries(folder: Path) -> list[dict[str, Any]]:
    return [dict(r.values) for r in shard_entries(folder, read_sheet(folder)) if isinstance(r, Row)]


@pytest.mark.parametrize("count", [1, 9, 10, 11, 20, 27])
def test_the_last_partial_batch_is_pushed_too(
    tmp_path: Path, texts: FakeTextEncoder, count: int
) -> None:
    """The reference lost it: of 25,000 pictures 423, of fewer than 1,025 all but one (M1)."""
    title = WordField("title", "title_emb", texts)
    sheet, _ = build(docs(tmp_path, count), tmp_path / "out", title, shard_size=10, batch=4)
    assert [shard.written for shard in sheet.shards] == [10] * (count // 10) + [count % 10] * bool(
        count % 10
    )
    index = MemoryIndex(spec_of(sheet.columns))
    documents = MemoryDocuments()
    targets = (
        IndexTarget(index, OwnRows(sheet.columns, ["title"], str.split)),
        DocumentTarget(documents),
    )
    for target in targets:
        pushed = Pusher(target, batch=10).run(shard_entries(tmp_path / "out", sheet))
        assert (pushed.read, pushed.held, pushed.total) == (count, count, count)
        assert pushed.complete
    assert {key for key, _, _ in index.revisions()} == {int(key) for key in documents.documents}


def test_pushing_twice_repeats_nothing_and_both_stores_agree(
    tmp_path: Path, texts: FakeTextEncoder
) -> None:
    """The reference appended: a second run doubled the documents (M2)."""
    sheet, _ = build(docs(tmp_path, 7), tmp_path / "out", WordField("title", "t_emb", texts))
    index, documents = MemoryIndex(spec_of(sheet.columns)), MemoryDocuments()
    for _ in range(2):
        for target in (
            IndexTarget(index, OwnRows(sheet.columns, ["title"], str.split)),
            DocumentTarget(documents),
        ):
            assert Pusher(target, batch=3).run(shard_entries(tmp_path / "out", sheet)).complete
    assert index.counts().products == documents.count() == 7
    assert documents.documents["3"] == {"id": 3, "title": "title 3", "queryid": "3"}
    assert [c.product_id for c in index.matching(["3"], limit=5)] == [3]


def test_a_target_that_loses_entries_makes_the_push_fail(
    tmp_path: Path, texts: FakeTextEncoder
) -> None:
    class Forgetful(MemoryDocuments):
        def put(self, documents: Any) -> None:
            super().put(documents[:-1])

    sheet, _ = build(docs(tmp_path, 5), tmp_path / "out", WordField("title", "t_emb", texts))
    pushed = Pusher(DocumentTarget(Forgetful())).run(shard_entries(tmp_path / "out", sheet))
    assert (pushed.read, pushed.held, pushed.complete) == (5, 4, False)


def test_vectors_come_back_exactly(tmp_path: Path, texts: FakeTextEncoder) -> None:
    build(docs(tmp_path, 3, note="kept"), tmp_path / "out", WordField("title", "t_emb", texts))
    meant = texts.encode_items([f"title {n}" for n in range(3)]).array.tolist()
    import numpy as np

    found = [np.array(entry["t_emb"], np.float32).tolist() for entry in entries(tmp_path / "out")]
    assert found == meant
    assert entries(tmp_path / "out")[1].keys() == {"id", "title", "note", "t_emb"}


def test_one_corrupt_picture_costs_one_entry_and_not_the_shard(tmp_path: Path) -> None:
    """In the reference it ended the shard (M13)."""
    (tmp_path / "good.jpg").write_bytes(jpeg())
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    rows = [{"id": 1, "image": "good.jpg"}, {"id": 2, "image": "bad.jpg"}, {"id": 3},
            {"id": 4, "image": "away.jpg"}, {"id": 5, "image": ["good.jpg", "good.jpg"]},
            {"id": 6, "image": []}]  # fmt: skip
    path = tmp_path / "docs.jsonl"
    path.write_text("\n".join([*map(json.dumps, rows), "{broken"]), "utf-8")
    image = PictureField("image", "image_emb", FakePictureEncoder(LOOKS))
    sheet, bad = build(path, tmp_path / "out", image, keep=["id"])
    assert [(entry["id"], len(entry["image_emb"])) for entry in entries(tmp_path / "out")] == [
        (1, LOOKS.dim), (5, 2), (6, 0),
    ]  # fmt: skip
    assert sorted(one.where.line or 0 for one in bad) == [2, 3, 4, 7]
    assert (sheet.shards[0].read, sheet.shards[0].written, sheet.shards[0].bad) == (7, 3, 4)


def test_a_build_goes_on_after_the_last_whole_shard(tmp_path: Path, texts: FakeTextEncoder) -> None:
    import threading

    from crosslens.corpora.jsonl import json_rows

    path, stop = docs(tmp_path, 25), threading.Event()
    field = WordField("title", "t_emb", texts)
    halting = Builder([field], shard_size=10, on_progress=lambda read: stop.set())
    first = halting.run(path, json_rows(path), tmp_path / "out", stop)
    assert (len(first.shards), first.whole) == (1, False)
    (tmp_path / "out" / ".shard-00001.jsonl.abc.unfinished").write_text("half")
    calls = texts.calls
    sheet, _ = build(path, tmp_path / "out", field, shard_size=10)
    assert (sheet.whole, texts.calls - calls) == (True, 2)
    assert [entry["id"] for entry in entries(tmp_path / "out")] == list(range(25))
    again, _ = build(path, tmp_path / "out", field, shard_size=10)
    assert (again, texts.calls - calls) == (sheet, 2)


def test_shards_made_otherwise_are_not_mixed(tmp_path: Path, texts: FakeTextEncoder) -> None:
    from crosslens.errors import Conflict

    path = docs(tmp_path, 3)
    build(path, tmp_path / "out", WordField("title", "t_emb", texts))
    other = FakeTextEncoder(Space("other@1", 8))
    with pytest.raises(Conflict, match="spaces differ"):
        build(path, tmp_path / "out", WordField("title", "t_emb", other))
    docs(tmp_path, 4)
    with pytest.raises(Conflict, match="bytes"):
        build(path, tmp_path / "out", WordField("title", "t_emb", texts))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    with pytest.raises(Conflict, match="something else"):
        build(path, tmp_path / "full", WordField("title", "t_emb", texts))


def test_vectors_of_a_wrong_length_are_never_pushed(tmp_path: Path, texts: FakeTextEncoder) -> None:
    sheet, _ = build(docs(tmp_path, 3), tmp_path / "out", WordField("title", "t_emb", texts))
    shard = tmp_path / "out" / sheet.shards[0].file
    lines = shard.read_text().splitlines()
    wrong = {**json.loads(lines[1]), "t_emb": [1.0]}
    shard.write_text("\n".join([lines[0], json.dumps(wrong), json.dumps({"id": 9})]))
    pushed = Pusher(DocumentTarget(MemoryDocuments())).run(shard_entries(tmp_path / "out", sheet))
    assert (pushed.read, pushed.bad, pushed.complete) == (1, 2, False)
    shard.unlink()
    pushed = Pusher(DocumentTarget(MemoryDocuments())).run(shard_entries(tmp_path / "out", sheet))
    assert (pushed.read, pushed.complete) == (0, False)


def test_ids_that_no_index_can_have_are_named(tmp_path: Path, texts: FakeTextEncoder) -> None:
    path = tmp_path / "docs.jsonl"
    ids: list[Any] = [1, "2", "sku-3", -4, 5.5, None, 2**63, "9" * 5_000]
    path.write_text("\n".join(json.dumps({"id": id, "title": "t"}) for id in ids))
    sheet, _ = build(path, tmp_path / "out", WordField("title", "t_emb", texts))
    bad: list[BadRecord] = []
    index = MemoryIndex(spec_of(sheet.columns))
    target = IndexTarget(index, OwnRows(sheet.columns, ["title"], str.split))
    pushed = Pusher(target, on_bad=bad.append).run(shard_entries(tmp_path / "out", sheet))
    assert (pushed.read, pushed.held, pushed.bad) == (2, 2, 6)
    assert len({one.where.line for one in bad}) == 6


def test_pictures_alone_can_be_pushed(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    path = tmp_path / "docs.jsonl"
    path.write_text('{"id": 7, "image": "a.jpg", "name": "a.jpg"}')
    image = PictureField("image", "image_emb", FakePictureEncoder(LOOKS))
    sheet, _ = build(path, tmp_path / "out", image)
    index = MemoryIndex(spec_of(sheet.columns))
    target = IndexTarget(index, OwnRows(sheet.columns, ["name"], str.split))
    assert Pusher(target).run(shard_entries(tmp_path / "out", sheet)).complete
    assert set(index.vectors([(7, 0)], Modality.PICTURE, LOOKS)) == {(7, 0)}


def test_preprocessed_ids_follow_names(shell: Shell, tmp_path: Path) -> None:
    """In the reference they came from the order of the directory, and names collided (M13)."""
    for name in ("b/same.jpg", "a/same.jpg", "c.png"):
        (tmp_path / "shop" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "shop" / name).write_bytes(jpeg())
    told = shell.json(
        "preprocess", tmp_path / "shop", tmp_path / "docs.jsonl",
        "--base-url", "https://shop.example/p/", "--start-id", 5,
    )  # fmt: skip
    assert told == {"read": 3, "written": 3, "bad": 0}
    found = [json.loads(line) for line in (tmp_path / "docs.jsonl").read_text().splitlines()]
    assert [(one["id"], one["image"], one["url"]) for one in found] == [
        (5, "shop/a/same.jpg", "https://shop.example/p/a/same.jpg"),
        (6, "shop/b/same.jpg", "https://shop.example/p/b/same.jpg"),
        (7, "shop/c.png", "https://shop.example/p/c.png"),
    ]


def test_questions_become_entries_with_answers(shell: Shell, tmp_path: Path) -> None:
    good = {"qid": "a", "category": "生活-证件", "title": "如何补办\n身份证", "answer": "去派出所"}
    rows = [good, {"qid": "b", "category": "x", "title": "", "desc": "", "answer": "?"}]
    (tmp_path / "qa.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    told = shell.json("preprocess", tmp_path / "qa.jsonl", tmp_path / "docs.jsonl")
    assert told == {"read": 2, "written": 1, "bad": 1}
    entry = json.loads((tmp_path / "docs.jsonl").read_text("utf-8"))
    assert entry == {
        "id": 0, "key": "a", "title": "如何补办 身份证", "description": "去派出所",
        "category": ["生活", "证件"],
    }  # fmt: skip


def test_a_wrong_line_number_is_never_made_up() -> None:
    bad = Pusher(DocumentTarget(MemoryDocuments())).run([BadRecord(Where(Path("x"), 3), "no")])
    assert (bad.read, bad.bad, bad.complete) == (0, 1, False)


@pytest.fixture
def built(shell: Shell, tmp_path: Path) -> Path:
    """Three entries with words and a picture each, encoded by the built-in bundle."""
    shop = tmp_path / "shop"
    shop.mkdir()
    for n in range(3):
        (shop / f"{n}.jpg").write_bytes(jpeg((80 * n, 30, 30)))
    shell.json("preprocess", shop, tmp_path / "docs.jsonl")
    told = shell.json(
        "build", tmp_path / "docs.jsonl", tmp_path / "out", "--text", "title", "--pictures",
        "image", "--shard-size", 2,
    )  # fmt: skip
    assert (told["written"], told["shards"], told["whole"]) == (3, 2, True)
    return tmp_path / "out"


@pytest.mark.milvus
def test_the_shell_pushes_to_milvus(shell: Shell, built: Path, tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed")
    to = f"milvus:{tmp_path}/pushed.db/shop"
    for _ in range(2):
        told = shell.json("push", built, "--to", to)
        assert (told["read"], told["held"], told["total"], told["complete"]) == (3, 3, 3, True)


def test_the_shell_pushes_to_mongodb(shell: Shell, built: Path) -> None:
    pytest.importorskip("pymongo", reason="pymongo is not installed")
    import mongo_stand_in

    with mongo_stand_in.running() as server:
        for _ in range(2):
            told = shell.json("push", built, "--to", server.uri("demo.txt_to_img_demo"))
            assert (told["read"], told["held"], told["total"]) == (3, 3, 3)
        kept = server.collections["demo.txt_to_img_demo"]
    assert [one["queryid"] for one in kept] == ["0", "1", "2"]
    assert not [name for one in kept for name in one if name.endswith("_emb")]


def test_the_shell_refuses_other_targets(shell: Shell, built: Path) -> None:
    for to in ("redis://x", "milvus://localhost:19530", "milvus:"):
        ran = shell("push", built, "--to", to)
        assert ran.code == 2, to
        assert "hint" in ran.err


def test_built_vectors_of_an_export_go_into_the_index_of_the_home(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    rows = [{"id": "a", "title": "red shirt", "image": "a.jpg"}, {"id": "b", "title": "no picture"}]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    shell.json("import", tmp_path / "items.jsonl", "--no-index")
    shell.json("export", tmp_path / "export")
    products = tmp_path / "export" / "products.jsonl"
    shell.json("build", products, tmp_path / "out", "--text", "title", "--pictures", "images")
    told = shell.json("push", tmp_path / "out", "--to", "index")
    assert (told["read"], told["held"], told["total"]) == (2, 2, 2)
    audited = shell("index", "audit")
    assert audited.code == 0, audited.err
    shell.json("product", "edit", 1, "--title", "blue shirt")
    ran = shell("push", tmp_path / "out", "--to", "index")
    assert ran.code == 1
    assert "product 1 is at revision 2, its vectors are of 1" in ran.err


@pytest.mark.milvus
def test_pictures_alone_go_to_milvus_as_in_the_reference(shell: Shell, tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed")
    (tmp_path / "shop").mkdir()
    for n in range(3):
        (tmp_path / "shop" / f"{n}.jpg").write_bytes(jpeg((80 * n, 30, 30)))
    shell.json("preprocess", tmp_path / "shop", tmp_path / "docs.jsonl")
    shell.json("build", tmp_path / "docs.jsonl", tmp_path / "out", "--pictures", "image")
    told = shell.json("push", tmp_path / "out", "--to", f"milvus:{tmp_path}/m.db/txt_to_img_demo")
    assert (told["read"], told["held"], told["complete"]) == (3, 3, True)


@pytest.mark.milvus
def test_a_real_milvus_gets_every_entry_once(
    shell: Shell, built: Path, milvus_server: MilvusServer
) -> None:
    settings = {k: v for k, v in milvus_server.settings.items() if k != "index_url"}
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    shell.home.mkdir(exist_ok=True)
    (shell.home / "crosslens.toml").write_text("\n".join(lines), "utf-8")
    for _ in range(2):
        told = shell.json("push", built, "--to", f"milvus:{milvus_server.uri}/pushed")
        assert (told["read"], told["held"], told["total"], told["complete"]) == (3, 3, 3, True)


@pytest.mark.milvus
def test_a_collection_of_other_spaces_is_left_alone(
    shell: Shell, built: Path, tmp_path: Path
) -> None:
    pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed")
    to = f"milvus:{tmp_path}/m.db/shop"
    shell.json("push", built, "--to", to)
    shell.json("build", tmp_path / "docs.jsonl", tmp_path / "other", "--text", "title")
    ran = shell("push", tmp_path / "other", "--to", to)
    assert ran.code == 2
    assert "the index keeps words of" in ran.err
