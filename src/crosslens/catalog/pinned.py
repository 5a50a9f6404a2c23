"""Connections that end at a deadline and lead to addresses that were checked before."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from crosslens.catalog.urls import RefusedUrl
from crosslens.errors import Unavailable

if TYPE_CHECKING:
    import httpcore


class Deadline:
    """The moment at which a fetch has to be over."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """
        Return the seconds that are left, more than 0.

        Raises:
            Unavailable: there are none.
        """
        left = self._end - self._clock()
        if left <= 0:
            raise Unavailable(f"the picture was not fetched within {self._seconds:g} s")
        return left


class Pinned:
    """A network backend of httpcore that connects to checked addresses, whatever the name is."""

    def __init__(
        self,
        network: httpcore.NetworkBackend,
        addresses: Sequence[str],
        *,
        deadline: Deadline,
        connect_timeout_s: float,
    ) -> None:
        self._network = network
        self._addresses = addresses
        self._deadline = deadline
        self._connect_timeout_s = connect_timeout_s

    def connect_tcp(self, host: str, port: int, **_: object) -> httpcore.NetworkStream:
        """Connect to the first address that answers; the name is for TLS only."""
        *others, last = self._addresses
        for address in others:
            with _tried():
                return self._connect(address, port)
        return self._connect(last, port)

    def _connect(self, address: str, port: int) -> httpcore.NetworkStream:
        timeout = min(self._connect_timeout_s, self._deadline.left())
        stream = self._network.connect_tcp(address, port, timeout=timeout)
        return cast("httpcore.NetworkStream", _Timed(stream, self._deadline))


class _Timed:
    """A stream whose every wait ends at the deadline, so that a slow drip does too."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left())

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> _Timed:
        try:
            stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        except BaseException:
            self._stream.close()
            raise
        return _Timed(stream, self._deadline)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


@contextmanager
def _tried() -> Iterator[None]:
    import httpcore

    try:
        yield
    except (httpcore.ConnectError, httpcore.ConnectTimeout):
        return


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Turn what httpcore raises into errors that say nothing of addresses."""
    import httpcore

    try:
        yield
    except httpcore.TimeoutException as exc:
        raise Unavailable(f"the server of {where} did not answer in time") from exc
    except (httpcore.NetworkError, httpcore.ProtocolError) as exc:
        if isinstance(exc.__cause__, ssl.SSLCertVerificationError):
            raise RefusedUrl(f"the server of {where} has no valid certificate") from exc
        raise Unavailable(f"the server of {where} cannot be reached or broke off") from exc
