"""
A stand-in for DashVector: its HTTP interface on a loopback port, one process, no disk.

Paths, bodies and answers are those that the vendor's client (dashvector 1.0.23) sends and reads;
limits are those that it states. Search is exact. Filters follow the grammar of Proxima, which the
vendor's pages describe; nothing here was compared with the service itself.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from serving import serving

KEY = "geheim"  # what callers must show
GONE, NO_PARTITION, TAKEN, TOO_FAST = -2021, -2022, -2025, -2034
UNFIT_VECTOR, UNFIT_FIELD, UNFIT_FILTER, UNFIT_NAME, UNFIT_TOP = -2011, -2017, -2015, -2042, -2041
NAME = re.compile(r"[a-zA-Z0-9_-]{3,32}")
FIELD = re.compile(r"[a-zA-Z0-9_-]{1,32}")
ID = re.compile(r"[a-zA-Z0-9_\-!@#$%+=.]{1,64}")
TYPES = {"STRING": str, "LONG": int, "INT": int, "BOOL": bool, "FLOAT": float}
Doc = dict[str, Any]


class Refused(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Collection:
    """Rows by part and id; what is written is shown after a while, in order."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = dict(schema)
        self.parts: dict[str, dict[str, Doc]] = {"default": {}}
        self.pending: list[tuple[float, Callable[[], None]]] = []
        self.writes = 0

    def later(self, lag_s: float, action: Callable[[], None]) -> None:
        self.writes += 1
        self.pending.append((time.monotonic() + lag_s, action))

    def part(self, name: str) -> dict[str, Doc]:
        while self.pending and self.pending[0][0] <= time.monotonic():
            self.pending.pop(0)[1]()
        if name not in self.parts:
            raise Refused(NO_PARTITION, f"no partition {name}")
        return self.parts[name]


class StandIn(ThreadingHTTPServer):
    """`lag_s`: how late writes are shown; `too_fast`: how many requests are turned away first."""

    daemon_threads = True
    key = KEY

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Door)
        self.collections: dict[str, Collection] = {}
        self.lock = threading.RLock()
        self.lag_s = 0.0
        self.too_fast = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, method: str, address: str, body: bytes) -> Any:
        parts = urlsplit(address)
        names = [unquote(part) for part in parts.path.split("/") if part]
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        told = json.loads(body) if body else {}
        if len(body) > 2 * 1024 * 1024:
            raise Refused(-2970, "the request is larger than 2 MiB")
        if self.too_fast:
            self.too_fast -= 1
            raise Refused(TOO_FAST, "too many requests")
        match (method, names):
            case ("GET", ["v1", "collections"]):
                return list(self.collections)
            case ("POST", ["v1", "collections"]):
                return self._create(told)
            case (_, ["v1", "collections", name, *rest]):
                if name not in self.collections:
                    raise Refused(GONE, f"no collection {name}")
                return self._inside(method, name, rest, asked, told)
        raise Refused(-2999, f"no such path: {method} {parts.path}")

    def _create(self, told: Mapping[str, Any]) -> None:
        if not NAME.fullmatch(told["name"]):
            raise Refused(UNFIT_NAME, f"bad name {told['name']}")
        if told["name"] in self.collections:
            raise Refused(TAKEN, "the collection exists")
        columns = {**told["vectors_schema"], **told.get("sparse_vectors_schema", {})}
        assert 1 <= len(columns) <= 4
        assert all(FIELD.fullmatch(name) for name in (*columns, *told["fields_schema"]))
        assert all(column["metric"] == "dotproduct" for column in columns.values())
        self.collections[told["name"]] = Collection(told)

    def _inside(  # noqa: C901 - a path per line
        self, method: str, name: str, rest: list[str], asked: dict[str, str], told: dict[str, Any]
    ) -> Any:
        collection = self.collections[name]
        match (method, rest):
            case ("GET", []):
                return {**collection.schema, "status": "SERVING"}
            case ("DELETE", []):
                del self.collections[name]
                return None
            case ("POST", ["partitions"]):
                collection.parts[told["name"]] = {}
                return None
            case ("GET", ["partitions", part]):
                collection.part(part)
                return "SERVING"
            case ("GET", ["partitions", part, "stats"]):
                return {"total_doc_count": len(collection.part(part))}
            case ("POST", ["docs", "upsert"]):
                return self._upsert(collection, told)
            case ("DELETE", ["docs"]):
                return self._delete(collection, told["ids"])
            case ("GET", ["docs"]):
                rows = collection.part(asked["partition"])
                return {id: rows[id] for id in asked["ids"].split(",") if id in rows}
            case ("POST", ["query"]):
                return query(collection, told)
        raise Refused(-2999, f"no such path: {method} {rest}")

    def _upsert(self, collection: Collection, told: Mapping[str, Any]) -> list[Doc]:
        rows = collection.part(told.get("partition") or "default")
        if not 1 <= len(told["docs"]) <= 1_024:
            raise Refused(-2036, "1 to 1024 rows")
        for doc in told["docs"]:
            check(collection.schema, doc)
        for doc in told["docs"]:
            collection.later(self.lag_s, lambda doc=doc: rows.update({doc["id"]: doc}))
        return [{"doc_op": "upsert", "id": d["id"], "code": 0, "message": ""} for d in told["docs"]]

    def _delete(self, collection: Collection, ids: list[str]) -> list[Doc]:
        rows = collection.part("default")
        if not 1 <= len(ids) <= 1_024:
            raise Refused(-2967, "1 to 1024 ids")
        codes = {id: 0 if id in rows else -2024 for id in ids}
        for id in ids:
            collection.later(self.lag_s, lambda id=id: rows.pop(id, None))
        return [{"doc_op": "delete", "id": id, "code": codes[id], "message": ""} for id in ids]


def check(schema: Mapping[str, Any], doc: Doc) -> None:  # noqa: C901
    if not ID.fullmatch(doc["id"]):
        raise Refused(-2016, f"bad id {doc['id']}")
    for name, column in schema["vectors_schema"].items():
        if len(doc["vectors"].get(name, [])) != column["dimension"]:
            raise Refused(UNFIT_VECTOR, f"vector {name} of another dimension")
    for name in schema.get("sparse_vectors_schema", {}):
        weights = doc["sparse_vectors"][name]
        if not weights or not all(0 <= int(term) < 2**32 for term in weights):
            raise Refused(-2951, "sparse terms are of 32 bits, at least one")
    for name, value in doc["fields"].items():
        kind = schema["fields_schema"][name]
        if kind == "ARRAY_STRING":
            good = isinstance(value, list) and len(value) <= 32
        else:
            good = type(value) is TYPES[kind]
        bits = {"LONG": 63, "INT": 31}.get(kind)
        if not good or (bits and not -(2**bits) <= value < 2**bits):
            raise Refused(UNFIT_FIELD, f"field {name} is {kind}, got {value!r}")


def query(collection: Collection, told: Mapping[str, Any]) -> list[Doc]:  # noqa: C901
    if not 1 <= told["topk"] <= 1_024:
        raise Refused(UNFIT_TOP, "topk is 1 to 1024")
    rows = list(collection.part(told.get("partition") or "default").values())
    if expression := told.get("filter"):
        if len(expression) > 40_960:
            raise Refused(UNFIT_FILTER, "the filter is too long")
        holds = parse(expression, collection.schema["fields_schema"])
        rows = [doc for doc in rows if holds(doc["fields"])]
    scores = np.zeros(len(rows), np.float64)
    kept = np.ones(len(rows), bool)
    for name, question in told.get("vectors", {}).items():
        asked = np.array(question["vector"], np.float32)
        if len(asked) != collection.schema["vectors_schema"][name]["dimension"]:
            raise Refused(UNFIT_VECTOR, f"vector {name} of another dimension")
        if rows:
            scores += np.array([doc["vectors"][name] for doc in rows], np.float32) @ asked
    for name, question in told.get("sparse_vectors", {}).items():
        asked = question["sparse_vector"]
        sums = [sum(w * doc["sparse_vectors"][name].get(t, 0.0) for t, w in asked.items())
                for doc in rows]  # fmt: skip
        scores += np.array(sums, np.float64)
        kept &= np.array(sums) > 0 if not told.get("vectors") else True
    order = np.argsort(-scores, kind="stable")
    if orders := told.get("order_by_fields"):
        (by,) = orders
        order = np.argsort([doc["fields"][by["field"]] for doc in rows], kind="stable")
    chosen = [n for n in order if kept[n]][: told["topk"]]
    wanted = told.get("output_fields")
    return [
        {"id": rows[n]["id"], "score": float(scores[n]),
         "fields": {k: v for k, v in rows[n]["fields"].items() if wanted is None or k in wanted}}
        for n in chosen
    ]  # fmt: skip


TOKEN = re.compile(
    r"\s*(?:(?P<text>'[^']*')|(?P<number>-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?P<sign><=|>=|!=|=|<|>)"
    r"|(?P<mark>[(),])|(?P<word>[A-Za-z_][\w-]*))"
)
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip
Test = Callable[[Mapping[str, Any]], bool]


def parse(expression: str, types: Mapping[str, str]) -> Test:
    """Read a filter; a comparison with a field that a row lacks is false."""
    return _Parser(expression, types).whole()


class _Parser:
    def __init__(self, expression: str, types: Mapping[str, str]) -> None:
        self.types = types
        self.tokens: list[str] = []
        at = 0
        while at < len(expression):
            found = TOKEN.match(expression, at)
            if found is None:
                raise Refused(UNFIT_FILTER, f"bad filter at {expression[at : at + 20]!r}")
            self.tokens.append(found[0].strip())
            at = found.end()

    def whole(self) -> Test:
        test = self.either()
        if self.tokens:
            raise Refused(UNFIT_FILTER, f"bad filter at {self.tokens[0]!r}")
        return test

    def either(self) -> Test:
        tests = [self.both()]
        while self.peek() == "or":
            self.take()
            tests.append(self.both())
        return lambda row: any(test(row) for test in tests)

    def both(self) -> Test:
        tests = [self.single()]
        while self.peek() == "and":
            self.take()
            tests.append(self.single())
        return lambda row: all(test(row) for test in tests)

    def single(self) -> Test:  # noqa: C901
        if self.peek() == "(":
            self.take()
            test = self.either()
            self.take(")")
            return test
        field = self.take()
        if field not in self.types:
            raise Refused(UNFIT_FILTER, f"no field {field}")
        match self.take():
            case "is":
                absent = self.peek() != "not"
                self.take() if absent else (self.take(), self.take())
                return lambda row: (row.get(field) is None) == absent
            case "in":
                return self.among(field, inside=True)
            case "contain_any":
                return self.listing(field, holding=True)
            case "not":
                if self.take() == "in":
                    return self.among(field, inside=False)
                return self.listing(field, holding=False)
            case sign:
                value, compare = self.literal(field), SIGNS[sign]
                if self.types[field] in ("STRING", "BOOL") and sign not in ("=", "!="):
                    raise Refused(UNFIT_FILTER, f"{sign} is for numbers")
                return lambda row: row.get(field) is not None and compare(row[field], value)

    def among(self, field: str, *, inside: bool) -> Test:
        values = self.values(field)
        return lambda row: row.get(field) is not None and (row[field] in values) == inside

    def listing(self, field: str, *, holding: bool) -> Test:
        values = set(self.values(field))
        return lambda row: row.get(field) is not None and bool(values & set(row[field])) == holding

    def values(self, field: str) -> list[Any]:
        self.take("(")
        found = [self.literal(field)]
        while self.take() == ",":
            found.append(self.literal(field))
        return found

    def literal(self, field: str) -> Any:
        token, kind = self.take(), self.types[field]
        if kind in ("STRING", "ARRAY_STRING") and token.startswith("'"):
            return token[1:-1]
        if kind in ("LONG", "INT") and re.fullmatch(r"-?\d+", token):
            return int(token)
        if kind == "BOOL" and token in ("true", "false"):
            return token == "true"
        raise Refused(UNFIT_FILTER, f"{token} is no {kind}")

    def peek(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def take(self, wanted: str = "") -> str:
        if not self.tokens or (wanted and self.tokens[0] != wanted):
            raise Refused(UNFIT_FILTER, f"expected {wanted or 'more'}")
        return self.tokens.pop(0)


class _Door(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet per answer, or each waits for the caller's acknowledgement
    disable_nagle_algorithm = True

    def _go(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("dashvector-auth-token") != KEY:
            self._reply(401, {})
            return
        with self.server.lock:
            try:
                output = self.server.answer(self.command, self.path, body)
                answer = {"code": 0, "message": "Success", "request_id": "1", "output": output}
            except Refused as exc:
                answer = {"code": exc.code, "message": str(exc), "request_id": "1"}
        self._reply(200, answer)

    do_GET = do_POST = do_PUT = do_DELETE = _go  # noqa: N815

    def _reply(self, status: int, answer: Mapping[str, Any]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def running() -> AbstractContextManager[StandIn]:
    """Serve on a free loopback port while the block runs."""
    return serving(StandIn())
