"""A gRPC server around the encode service: health, reflection, TLS, bounds, a graceful end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from crosslens.encode import wire_pb2 as wire
from crosslens.encode.wire_pb2_grpc import add_EncodeServiceServicer_to_server
from crosslens.errors import InvalidRequest, Unavailable
from crosslens.rpc.access import Access, Door
from crosslens.rpc.calls import Calls, Numbers
from crosslens.rpc.service import EncodeService, Limits, Models
from crosslens.rpc.status_page import StatusPage, Told

SERVICE = wire.DESCRIPTOR.services_by_name["EncodeService"].full_name
_LARGEST_REPLY = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Tls:
    """
    PEM files: a certificate with its chain, its key, and who signs callers' certificates.

    Attributes:
        callers: where it is given, callers must show a certificate that it signed.
    """

    certificate: Path
    key: Path
    callers: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """
        Read the files.

        Raises:
            InvalidRequest: one cannot be read, or does not fit the other.
        """
        try:
            pair = (self.key.read_bytes(), self.certificate.read_bytes())
            callers = self.callers.read_bytes() if self.callers else None
            return grpc.ssl_server_credentials([pair], callers, callers is not None)
        except (OSError, ValueError) as exc:
            raise InvalidRequest(f"the certificate for TLS cannot be read ({exc})") from exc


class Server:
    """
    An encode service that listens.

    Args:
        status: host and port on which it tells /health, /ready and /metrics over HTTP, if any.

    Raises:
        InvalidRequest: the certificate cannot be used.
        Unavailable: the address cannot be had.
    """

    def __init__(
        self,
        models: Models,
        door: Door,
        *,
        address: str,
        limits: Limits | None = None,
        tls: Tls | None = None,
        status: tuple[str, int] | None = None,
    ) -> None:
        limits, numbers = limits or Limits(), Numbers()
        self._ready = False
        self._server = grpc.server(
            ThreadPoolExecutor(limits.threads, thread_name_prefix="rpc"),
            interceptors=[Calls(numbers), Access(door)],
            options=_options(limits),
            maximum_concurrent_rpcs=limits.calls,
        )
        add_EncodeServiceServicer_to_server(EncodeService(models, limits), self._server)  # type: ignore[no-untyped-call]
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        self.port = self._listen(address, tls)
        told = Told(lambda: self._ready, numbers.page, door)
        self.status = StatusPage(*status, told) if status else None

    def start(self) -> None:
        """Answer; from now on it is ready."""
        self._server.start()
        self._tell(health_pb2.HealthCheckResponse.SERVING)
        self._ready = True

    def stop(self, *, grace_s: float) -> None:
        """Say that it is no longer ready, refuse new calls, and finish those that are in."""
        self._ready = False
        self._health.enter_graceful_shutdown()
        self._server.stop(grace_s).wait()
        if self.status is not None:
            self.status.close()

    def _tell(self, status: Any) -> None:
        for name in ("", SERVICE):
            self._health.set(name, status)

    def _listen(self, address: str, tls: Tls | None) -> int:
        self._tell(health_pb2.HealthCheckResponse.NOT_SERVING)
        credentials = tls.credentials() if tls else None
        try:
            if credentials is None:
                port: int = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, credentials)
        except RuntimeError as exc:
            raise Unavailable(
                f"cannot listen on {address}", hint="another program may have the port"
            ) from exc
        return port


def _options(limits: Limits) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_send_message_length", _LARGEST_REPLY),
        ("grpc.so_reuseport", 0),  # a second service on the port is an error, not a half of it
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 0),
    ]
