"""An encode service over a shelf with the tiny bundle, on a free port of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosslens.encode.remote import EncodeClient
from crosslens.rpc.server import Server
from crosslens.settings import load
from crosslens.wiring import App, build
from tiny_bundle import proved_tiny


@dataclass(frozen=True)
class EncodeHouse:
    app: App
    server: Server
    url: str

    def client(self, **options: Any) -> EncodeClient:
        return EncodeClient(self.url, **options)


@contextmanager
def encoding(home: Path, *, open_door: bool = True, **settings: Any) -> Iterator[EncodeHouse]:
    """Run an encode service in this process."""
    if not (home / "bundles" / "tiny").exists():
        proved_tiny(home / "bundles" / "tiny")
    fixed = {"cross_modal": "tiny", "rpc_port": 0, "threads": 2}
    with build(load(home, **(fixed | settings))) as app:
        server = app.encode_server(open_door=open_door)
        server.start()
        scheme = "grpcs" if app.settings.rpc_certificate else "grpc"
        try:
            yield EncodeHouse(app, server, f"{scheme}://localhost:{server.port}")
        finally:
            server.stop(grace_s=1)
