"""What an encode service tells over HTTP."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from crosslens.api.keys import KeyFile, Role
from crosslens.errors import Unavailable
from crosslens.telemetry import configure
from encode_service import EncodeHouse, encoding
from servers import free_port


def address(house: EncodeHouse) -> str:
    assert house.server.status is not None
    return f"http://127.0.0.1:{house.server.status.port}"


def test_it_is_alive_and_ready_and_counts_its_calls(tmp_path: Path) -> None:
    with encoding(tmp_path, rpc_status_port=0) as house:
        client = house.client()
        client.model("tiny").words.encode_queries(["shoe"])
        client.close()
        assert httpx.get(f"{address(house)}/health").json() == {"status": "alive"}
        assert httpx.get(f"{address(house)}/ready").json() == {"status": "ready"}
        assert httpx.get(f"{address(house)}/elsewhere").status_code == 404
        told = httpx.get(f"{address(house)}/metrics").text
    assert 'crosslens_encode_calls_total{call="EncodeText",status="OK"} 1.0' in told
    assert re.search(r'crosslens_encode_seconds_count\{call="EncodeText"\} 1.0', told)


def test_numbers_are_for_those_who_may_call(tmp_path: Path) -> None:
    _, secret = KeyFile(tmp_path / "keys.json").new(Role.READ, "prometheus")
    with encoding(tmp_path, open_door=False, rpc_status_port=0) as house:
        url = f"{address(house)}/metrics"
        assert httpx.get(url).status_code == 401
        answer = httpx.get(url, headers={"authorization": f"Bearer {secret}"})
        assert answer.status_code == 200
        assert httpx.get(f"{address(house)}/health").status_code == 200


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    port = free_port()
    with (
        encoding(tmp_path / "one", rpc_status_port=port),
        pytest.raises(Unavailable, match=f"port {port}"),
        encoding(tmp_path / "two", rpc_status_port=port),
    ):
        pass


def test_a_line_of_the_encoder_has_the_id_of_the_request_that_it_works_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from crosslens.telemetry import callers

    configure(format="json", level="info")
    with encoding(tmp_path) as house:
        client = house.client()
        with callers.arrived("asking", {"x-request-id": "abc"}):
            client.names()
        client.close()
    configure()
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert ("ListModels", "abc") in [(line.get("call"), line.get("request")) for line in said]
