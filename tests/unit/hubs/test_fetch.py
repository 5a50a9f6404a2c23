"""Downloads from both hubs: resumed, verified, clear when they fail. The hubs answer in memory."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from crosslens.errors import BrokenBundle, InvalidRequest, NotFound, StorageFull, Unavailable
from crosslens.hubs.fetch import TRIES, fetch, fetched_before
from crosslens.hubs.find import Search, find_model
from crosslens.hubs.listing import Hub, list_files

NAME, COMMIT = "someone/model", "a" * 40
WEIGHTS = bytes(range(256)) * 40_000
FILES = {
    "config.json": b'{"model_type": "bert"}',
    "model.safetensors": WEIGHTS,
    "1_Pooling/config.json": b"{}",
    "vocab.txt": b"[PAD]\n",
    "README.md": b"---\nlicense: mit\n---\n",
}
UNWANTED = {
    "model.py": b"boom",
    "onnx/model.onnx": b"x",
    "pytorch_model.bin": b"x",
    "a/b/c.json": b"",
}


class _Broken(httpx.SyncByteStream):
    """A body that ends in the middle."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self.content
        raise httpx.ReadError("connection reset")


class FakeHub:
    """Answers as Hugging Face and as ModelScope do."""

    def __init__(self, files: dict[str, bytes] | None = None, *, breaks_at: int = 0) -> None:
        self.files = {**FILES, **UNWANTED} if files is None else files
        self.breaks_at = breaks_at
        self.ranges: list[str] = []
        self.lies: set[str] = set()

    def client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == f"/api/models/{NAME}/revision/main":
            return httpx.Response(200, json={"sha": COMMIT})
        if path == f"/api/models/{NAME}/tree/{COMMIT}":
            return httpx.Response(200, json=[self.entry(name) for name in self.files])
        if path == f"/api/v1/models/{NAME}/repo/files":
            listed = [self.ms_entry(name) for name in self.files]
            return httpx.Response(200, json={"Data": {"Files": listed}})
        if path == f"/api/v1/models/{NAME}/repo":
            return self.content(request, request.url.params["FilePath"])
        if path.startswith(f"/{NAME}/resolve/{COMMIT}/"):
            return self.content(request, path.split(f"{COMMIT}/")[1])
        return httpx.Response(404)

    def content(self, request: httpx.Request, name: str) -> httpx.Response:
        content = self.files[name]
        asked = request.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").removesuffix("-") or 0)
        self.ranges.append(asked)
        status = 206 if asked else 200
        if self.breaks_at and len(content) - start > self.breaks_at:
            return httpx.Response(status, stream=_Broken(content[start : start + self.breaks_at]))
        return httpx.Response(status, content=content[start:])

    def entry(self, name: str) -> dict[str, Any]:
        content = b"altered" if name in self.lies else self.files[name]
        entry: dict[str, Any] = {"type": "file", "path": name, "size": len(self.files[name])}
        if name.endswith(".safetensors"):
            return {**entry, "lfs": {"oid": hashlib.sha256(content).hexdigest()}}
        header = f"blob {len(content)}\0".encode()
        return {**entry, "oid": hashlib.sha1(header + content).hexdigest()}

    def ms_entry(self, name: str) -> dict[str, Any]:
        sha256 = hashlib.sha256(self.files[name]).hexdigest()
        return {"Type": "blob", "Path": name, "Size": len(self.files[name]), "Sha256": sha256}


def find(fake: FakeHub, downloads: Path, name: str = NAME, **search: Any) -> Any:
    with fake.client() as client:
        return find_model(client, name, Search(downloads, **search))


@pytest.mark.parametrize("kind", list(Hub))
def test_a_model_arrives_without_code_and_pickles(tmp_path: Path, kind: Hub):
    found = find(FakeHub(), tmp_path, hub=kind)
    names = {str(p.relative_to(found.path)) for p in found.path.rglob("*") if p.is_file()}
    assert names == {*FILES, ".listing.json"}
    assert found.name == NAME
    assert found.source.startswith(f"{kind}:{NAME}@")
    assert (found.path / "model.safetensors").read_bytes() == WEIGHTS


def test_a_broken_download_goes_on_where_it_stopped(tmp_path: Path):
    hub = FakeHub(breaks_at=4_000_000)
    found = find(hub, tmp_path)
    assert (found.path / "model.safetensors").read_bytes() == WEIGHTS
    assert [r for r in hub.ranges if r] == ["bytes=4000000-", "bytes=8000000-"]
    assert not list(tmp_path.rglob("*.part"))


def test_a_download_that_keeps_breaking_says_how_far_it_came_and_the_next_one_goes_on(
    tmp_path: Path,
):
    hub = FakeHub(breaks_at=1_000_000)
    with pytest.raises(Unavailable, match=f"broke off at {TRIES},000,000"):
        find(hub, tmp_path)
    assert not (Search(tmp_path).place(NAME) / "model.safetensors").exists()
    hub.breaks_at = 0
    assert (find(hub, tmp_path).path / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.ranges[-3:].count("") <= 3
    assert f"bytes={TRIES}000000-" in hub.ranges


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_with_another_digest_is_thrown_away(tmp_path: Path, name: str):
    hub = FakeHub()
    hub.lies.add(name)
    with pytest.raises(BrokenBundle, match="another digest"):
        find(hub, tmp_path)
    assert not (Search(tmp_path).place(NAME) / name).exists()


def test_what_is_there_is_not_fetched_again(tmp_path: Path):
    hub = FakeHub()
    find(hub, tmp_path)
    hub.ranges.clear()
    find(hub, tmp_path)
    assert hub.ranges == []


def test_offline_uses_what_was_fetched_and_says_what_is_missing(tmp_path: Path):
    nobody = httpx.MockTransport(lambda request: pytest.fail("asked the hub while offline"))
    client = httpx.Client(transport=nobody)
    search = Search(tmp_path, offline=True)
    with pytest.raises(NotFound, match="no complete download"):
        find_model(client, NAME, search)
    find(FakeHub(), tmp_path)
    assert find_model(client, NAME, search).name == NAME
    (search.place(NAME) / "vocab.txt").unlink()
    with pytest.raises(NotFound, match=r"vocab\.txt is missing"):
        fetched_before(search.place(NAME))


def test_without_a_connection_the_ways_out_are_said(tmp_path: Path):
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("name resolution failed")

    client = httpx.Client(transport=httpx.MockTransport(refuse))
    with pytest.raises(Unavailable, match=r"no connection to huggingface\.co") as failed:
        find_model(client, NAME, Search(tmp_path))
    assert "--offline" in str(failed.value.hint)


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [(404, NotFound, "no model"), (401, NotFound, "not for everybody"), (503, Unavailable, "503")],
)
def test_the_hubs_refusals_are_told_apart(
    tmp_path: Path, status: int, error: type[Exception], says: str
):
    client = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(status)))
    with pytest.raises(error, match=says):
        find_model(client, NAME, Search(tmp_path))


@pytest.mark.parametrize("answer", [{}, [], {"Data": None}, {"sha": 1}, "text"])
@pytest.mark.parametrize("kind", list(Hub))
def test_a_hub_that_answers_otherwise_is_not_trusted(tmp_path: Path, answer: Any, kind: Hub):
    told = httpx.MockTransport(lambda request: httpx.Response(200, json=answer))
    with pytest.raises((Unavailable, NotFound)):
        find_model(httpx.Client(transport=told), NAME, Search(tmp_path, hub=kind))


def test_a_model_of_pickles_is_refused_before_anything_is_fetched(tmp_path: Path):
    hub = FakeHub({"config.json": b"{}", "pytorch_model.bin": b"pickle"})
    with pytest.raises(InvalidRequest, match="are pickled"):
        find(hub, tmp_path)
    assert hub.ranges == []
    found = find(hub, tmp_path, pickled=True)
    assert (found.path / "pytorch_model.bin").read_bytes() == b"pickle"


def test_a_listing_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path):
    hub = FakeHub({**FILES, "../evil.json": b"{}", "/etc/evil.json": b"{}"})
    find(hub, tmp_path / "downloads")
    assert not list(tmp_path.rglob("evil.json"))


def test_a_full_disk_is_said_and_nothing_seems_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    hub = FakeHub()
    with hub.client() as client:
        listing = list_files(client, Hub.HUGGINGFACE, NAME)

        def full(self: Path, content: str, *more: object) -> int:
            raise OSError(errno.ENOSPC, "no space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(Path, "write_text", full)
            with pytest.raises(StorageFull, match="no room for someone/model"):
                fetch(client, listing, tmp_path / "m")
    with pytest.raises(NotFound):
        fetched_before(tmp_path / "m")


@pytest.mark.parametrize("name", ["../up", "/abs/olute", "a/b/c", "no-owner", "~/x", "a b/c"])
def test_a_name_that_is_neither_folder_nor_model_is_refused(tmp_path: Path, name: str):
    with pytest.raises(InvalidRequest):
        find(FakeHub(), tmp_path, name)


def test_progress_reaches_the_whole(tmp_path: Path):
    told: list[tuple[int, int]] = []
    with FakeHub(breaks_at=4_000_000).client() as client:
        listing = list_files(client, Hub.HUGGINGFACE, NAME)
        fetch(client, listing, tmp_path / "m", progress=lambda a, b: told.append((a, b)))
    total = sum(map(len, FILES.values()))
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert json.loads((tmp_path / "m" / ".listing.json").read_text())["revision"] == COMMIT
