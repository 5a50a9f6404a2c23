"""What is traced: one search is one tree, one write can be followed to the index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from crosslens.encode.remote import EncodeClient
from crosslens.errors import InvalidRequest, NotFound
from crosslens.telemetry import callers, tracing
from encode_service import encoding
from house import House
from service import served
from serving import serving

memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
REMOTE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Iterator[Any]:
    exporter = memory.InMemorySpanExporter()
    end = tracing.begin("test", exporter=exporter)
    yield exporter
    end()


def by_name(spans: Any) -> dict[str, Any]:
    return {span.name: span for span in spans.get_finished_spans()}


def traces(spans: Any) -> set[int]:
    return {span.context.trace_id for span in spans.get_finished_spans()}


def path_of(span: Any, spans: Any) -> str:
    """Name a span and what it is a part of, outermost first."""
    known = {one.context.span_id: one for one in spans.get_finished_spans()}
    names = [span.name]
    while span.parent is not None and span.parent.span_id in known:
        span = known[span.parent.span_id]
        names.insert(0, span.name)
    return " > ".join(names)


def test_one_search_is_one_tree_with_its_stages(spans: Any, tmp_path: Path) -> None:
    with served(tmp_path) as service:
        service.add("red shoe")
        service.settle()
        spans.clear()
        service.search("shoe", kind="hybrid")
    assert len(traces(spans)) == 1
    paths = {path_of(span, spans) for span in spans.get_finished_spans()}
    search = "POST /search > wave > search"
    assert paths == {
        "POST /search",
        "POST /search > wave",
        search,
        f"{search} > encode",
        f"{search} > probe",
        f"{search} > rank",
        f"{search} > catalog.read",
        f"{search} > present",
    }
    door = by_name(spans)["POST /search"].attributes
    assert door["http.route"] == "/search"
    assert door["http.response.status_code"] == 200


def test_a_write_can_be_followed_by_product_and_revision(spans: Any, tmp_path: Path) -> None:
    with served(tmp_path) as service:
        service.add("red shoe")
        service.settle()
        service.http.patch("/product/1", json={"title": "blue shoe"})
        service.settle()
    told = [
        (span.name, event.attributes["crosslens.product"], event.attributes["crosslens.revision"])
        for span in spans.get_finished_spans()
        for event in span.events
    ]
    assert told == [
        (stage, 1, revision) for revision in (1, 2) for stage in ("catalog.write", "settle")
    ]
    paths = {path_of(span, spans) for span in spans.get_finished_spans()}
    assert "POST /product > catalog.write" in paths
    for stage in ("catalog.read", "encode", "index.upsert", "catalog.settle"):
        assert f"settle > {stage}" in paths


def test_a_trace_that_comes_along_is_gone_on_with(spans: Any, tmp_path: Path) -> None:
    with served(tmp_path) as service:
        service.http.post("/search", json={"words": "shoe"}, headers={"traceparent": REMOTE})
    assert 0x0AF7651916CD43DD8448EB211C80319C in traces(spans)
    assert by_name(spans)["POST /search"].parent.span_id == 0xB7AD6B7169203331


def test_a_wave_is_a_part_of_the_first_trace_and_linked_from_the_others(spans: Any) -> None:
    waiting = []
    for name in ("first", "second"):
        with tracing.span(name):
            waiting.append(callers.caller())
    with callers.on_behalf_of(waiting, "wave"):
        pass
    paths = {path_of(span, spans): span for span in spans.get_finished_spans()}
    assert set(paths) == {"first", "first > wave", "second", "second > wave"}
    [link] = paths["second > wave"].links
    assert link.context.span_id == paths["first > wave"].context.span_id
    assert paths["first > wave"].attributes["crosslens.questions"] == 2


def test_what_people_ask_and_what_products_are_called_is_not_told(
    spans: Any, tmp_path: Path
) -> None:
    with served(tmp_path) as service:
        service.add("silver teapot", source_key="sku-77")
        service.settle()
        service.search("teapot of my aunt")
        service.http.get("/product/list?title=teapot")
    told = " ".join(span.to_json() for span in spans.get_finished_spans())
    assert "teapot" not in told
    assert "sku-77" not in told


def test_a_stage_that_fails_says_so_and_not_why(spans: Any) -> None:
    with pytest.raises(NotFound), tracing.span("looking"):
        raise NotFound("no product of Maria's")
    [span] = spans.get_finished_spans()
    assert span.status.description == "NotFound"
    assert "Maria" not in span.to_json()


def test_another_process_encodes_within_the_same_trace(spans: Any, tmp_path: Path) -> None:
    with encoding(tmp_path) as house:
        client = house.client()
        words = client.model("tiny").words
        spans.clear()
        with callers.arrived("asking", {"x-request-id": "abc"}):
            words.encode_queries(["shoe"])
        client.close()
    assert len(traces(spans)) == 1
    paths = [path_of(span, spans) for span in spans.get_finished_spans()]
    assert "asking > EncodeText > EncodeText" in paths


def test_nothing_is_traced_where_the_share_is_none() -> None:
    exporter = memory.InMemorySpanExporter()
    end = tracing.begin("test", exporter=exporter, ratio=0.0)
    house = House()
    house.add("red shoe")
    house.worker().drain()
    end()
    assert exporter.get_finished_spans() == ()


def test_a_collector_is_sent_what_was_traced() -> None:
    with collector() as (url, received):
        end = tracing.begin("crosslens-api", url=url)
        with tracing.span("search"):
            pass
        end()
    assert [path for path, _ in received] == ["/v1/traces"]
    assert spans_of(received) == [("crosslens-api", "search")]


def test_a_process_is_traced_that_is_set_to_be(tmp_path: Path) -> None:
    with collector() as (url, received):
        with encoding(tmp_path, traces_url=url) as house:
            client = house.client()
            client.names()
            client.close()
        assert not tracing.is_on()
    assert ("crosslens-encoder", "ListModels") in spans_of(received)


def spans_of(received: list[tuple[str, bytes]]) -> list[tuple[str, str]]:
    """Return service and stage of everything that a collector received."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    told = []
    for _, content in received:
        for sent in ExportTraceServiceRequest.FromString(content).resource_spans:
            names = {a.key: a.value.string_value for a in sent.resource.attributes}
            spans = [span for scope in sent.scope_spans for span in scope.spans]
            told += [(names["service.name"], span.name) for span in spans]
    return told


def test_what_is_no_url_of_a_collector_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="traces_url"):
        tracing.begin("test", url="collector:4318")


def test_a_client_that_is_not_traced_sends_no_trace(tmp_path: Path) -> None:
    with encoding(tmp_path) as house:
        client: EncodeClient = house.client()
        assert client.names() == ["tiny"] or "tiny" in client.names()
        client.close()
    assert callers.told() == []


@contextmanager
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Listen as a collector does; yield its address and what it received."""
    received: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            import gzip

            content = self.rfile.read(int(self.headers["content-length"]))
            zipped = self.headers.get("content-encoding") == "gzip"
            received.append((self.path, gzip.decompress(content) if zipped else content))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}", received
