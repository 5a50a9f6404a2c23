"""
A stand-in for MongoDB: real sockets and its wire protocol (OP_MSG), one process, no disk.

It answers the commands that crosslens uses and refuses all others, keeps unique indexes, and takes
what it is sent only up to the limits that it announces. It is no MongoDB: no users, no replicas.
"""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import bson

from serving import serving

OP_QUERY, OP_REPLY, OP_MSG = 2004, 1, 2013
DUPLICATE, UNKNOWN, BAD = 11_000, 59, 2
MOST_BYTES = 1_000_000  # small, so that a document too large is small, too

Documents = list[dict[str, Any]]


class Refused(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class StandIn(socketserver.ThreadingTCPServer):
    """Collections by name, `database.collection`; `fail` makes the next commands of a name fail."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.collections: dict[str, Documents] = {}
        self.unique: dict[str, set[str]] = {}
        self.fail: dict[str, int] = {}
        self.commands: list[str] = []
        self.lock = threading.Lock()

    def uri(self, name: str) -> str:
        return f"mongodb://127.0.0.1:{self.server_address[1]}/{name}"

    def answer(self, command: Mapping[str, Any]) -> dict[str, Any]:
        name = next(iter(command))
        with self.lock:
            self.commands.append(name)
            try:
                if code := self.fail.pop(name, 0):
                    raise Refused(code, "it was told to fail")
                handler = getattr(self, f"_{name.lower()}", None)
                if handler is None:
                    raise Refused(UNKNOWN, f"no such command: '{name}'")
                return {**handler(command), "ok": 1.0}
            except Refused as exc:
                return {"ok": 0.0, "code": exc.code, "errmsg": str(exc), "codeName": "Refused"}

    def _hello(self, command: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "ismaster": True, "isWritablePrimary": True, "helloOk": True,
            "minWireVersion": 0, "maxWireVersion": 21, "maxBsonObjectSize": MOST_BYTES,
            "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 1_000,
            "logicalSessionTimeoutMinutes": 30,
        }  # fmt: skip

    _ismaster = _hello

    def _ping(self, command: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    _endsessions = _ping

    def _createindexes(self, command: Mapping[str, Any]) -> dict[str, Any]:
        documents = self._of(command, "createIndexes")
        for index in command["indexes"]:
            (field,) = index["key"]
            values = [document.get(field) for document in documents]
            if index.get("unique") and len(set(values)) < len(values):
                raise Refused(DUPLICATE, f"E11000 duplicate key error, index: {field}_1")
            self.unique.setdefault(_name(command, "createIndexes"), set()).add(field)
        return {"numIndexesBefore": 1, "numIndexesAfter": 2}

    def _update(self, command: Mapping[str, Any]) -> dict[str, Any]:
        documents = self._of(command, "update")
        matched, upserted, errors = 0, [], []
        for number, update in enumerate(command["updates"]):
            if any(name.startswith("$") for name in update["u"]):
                errors.append({"index": number, "code": 52, "errmsg": "field name with $"})
                break
            if len(bson.encode(update["u"])) > MOST_BYTES:
                errors.append({"index": number, "code": 10_334, "errmsg": "document too large"})
                break
            at = [n for n, document in enumerate(documents) if _fits(document, update["q"])]
            if at:
                documents[at[0]] = {"_id": documents[at[0]]["_id"], **update["u"]}
                matched += 1
            elif update.get("upsert"):
                new = {"_id": bson.ObjectId(), **update["u"]}
                documents.append(new)
                upserted.append({"index": number, "_id": new["_id"]})
        answer = {"n": matched + len(upserted), "nModified": matched, "upserted": upserted}
        return answer | ({"writeErrors": errors} if errors else {})

    def _find(self, command: Mapping[str, Any]) -> dict[str, Any]:
        found = [d for d in self._of(command, "find") if _fits(d, command.get("filter", {}))]
        wanted = [name for name, shown in command.get("projection", {}).items() if shown]
        kept = [{name: d[name] for name in wanted} if wanted else d for d in found]
        return {"cursor": {"id": 0, "ns": _name(command, "find"), "firstBatch": kept}}

    def _aggregate(self, command: Mapping[str, Any]) -> dict[str, Any]:
        match command["pipeline"]:
            case [{"$match": condition}, {"$group": {"_id": 1, "n": {"$sum": 1}}}]:
                count = sum(_fits(d, condition) for d in self._of(command, "aggregate"))
                batch = [{"_id": 1, "n": count}] if count else []
                return {"cursor": {"id": 0, "ns": "", "firstBatch": batch}}
        raise Refused(BAD, "only counting is understood")

    def _of(self, command: Mapping[str, Any], verb: str) -> Documents:
        return self.collections.setdefault(_name(command, verb), [])


def _name(command: Mapping[str, Any], verb: str) -> str:
    return f"{command['$db']}.{command[verb]}"


def _fits(document: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    for name, wanted in condition.items():
        value = document.get(name)
        if isinstance(wanted, Mapping):
            if set(wanted) != {"$in"}:
                raise Refused(BAD, f"only $in is understood, not {list(wanted)}")
            if value not in wanted["$in"]:
                return False
        elif value != wanted:
            return False
    return True


class _Session(socketserver.BaseRequestHandler):
    """One connection: message by message."""

    server: StandIn

    def handle(self) -> None:
        while (head := self._exactly(16)) is not None:
            length, request, _, code = struct.unpack("<iiii", head)
            body = self._exactly(length - 16)
            if body is None:
                return
            answer = bson.encode(self.server.answer(_command(code, body)))
            if code == OP_QUERY:
                payload, kind = struct.pack("<iqii", 8, 0, 0, 1) + answer, OP_REPLY
            else:
                payload, kind = struct.pack("<IB", 0, 0) + answer, OP_MSG
            self.request.sendall(
                struct.pack("<iiii", 16 + len(payload), 0, request, kind) + payload
            )

    def _exactly(self, count: int) -> bytes | None:
        parts = b""
        while len(parts) < count:
            try:
                part = self.request.recv(count - len(parts))
            except ConnectionError:
                return None
            if not part:
                return None
            parts += part
        return parts


def _command(code: int, body: bytes) -> dict[str, Any]:
    if code == OP_QUERY:  # only how a client says hello
        end = body.index(b"\0", 4) + 1 + 8
        return dict(bson.decode(body[end:]))
    assert code == OP_MSG, code
    (flags,), at, command = struct.unpack("<I", body[:4]), 4, {}
    end = len(body) - (4 if flags & 1 else 0)  # a checksum may follow
    while at < end:
        kind, at = body[at], at + 1
        (size,) = struct.unpack("<i", body[at : at + 4])
        part = body[at : at + size]
        if kind == 0:
            command |= bson.decode(part)
        else:
            split = part.index(b"\0", 4)
            command[part[4:split].decode()] = bson.decode_all(part[split + 1 :])
        at += size
    return command


def running() -> AbstractContextManager[StandIn]:
    """Serve on a free loopback port while the block runs."""
    return serving(StandIn())
