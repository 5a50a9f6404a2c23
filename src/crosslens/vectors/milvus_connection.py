"""The one connection to Milvus: opened, asked, closed, and what its errors mean."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from crosslens.errors import InvalidRequest, MissingExtra, StorageFull, Unavailable
from crosslens.vectors.following import CollectionGone
from crosslens.vectors.milvus_abilities import abilities_of

_CHANNEL: Final = {
    # Frequent pings make Milvus Lite hang up during long calls.
    "grpc.keepalive_time_ms": 600_000,
    "grpc.keepalive_permit_without_calls": 0,
    # A server that comes back is missed for two seconds at most, not for two minutes.
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 2_000,
}

_GONE: Final = frozenset({100, 1600})  # no such collection, no such alias
_SLOW: Final = frozenset({"create_collection", "drop_collection", "flush", "load_collection"})
_SLOW_FACTOR: Final = 30
_DISTRUSTED: Final = ("certificate_verify_failed", "security handshaker", "handshake failed")
_REFUSED: Final = ("auth check failure", "missing authorization", "permission deny")

_users: Counter[str] = Counter()  # of Milvus Lite files, which all users in a process share
_opening: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Access:
    """
    How a server is spoken with.

    Attributes:
        token: `user:password`, or an API key.
        authority: PEM file of who signed the server's certificate; None: as the machine knows.
        timeout_s: how long a call may take, tries included; making, dropping, loading and flushing
            may take 30 times that.
        consistency: Strong: what was written is found at once, by everybody; Session, Bounded and
            Eventually find it a little later, and answer sooner.
    """

    token: str = ""
    authority: Path | None = None
    timeout_s: float = 10.0
    consistency: str = "Strong"


class Connection:
    """
    A client of a Milvus server, or of Milvus Lite inside this process.

    Args:
        uri: `http://host:19530`, `https://…` for TLS, or a file that ends in `.db` for Milvus Lite.
        token, timeout_s: in place of those of `access`.

    Raises:
        InvalidRequest: the URI is neither.
        MissingExtra: the client library is not installed.
        Unavailable: Milvus does not answer, is too old, or another process holds the file.
    """

    def __init__(
        self,
        uri: str,
        *,
        token: str | None = None,
        timeout_s: float | None = None,
        access: Access | None = None,
    ) -> None:
        asked = access or Access()
        self.library = _library()
        self.consistency = asked.consistency
        self._in_process = _is_file(uri)
        self._uri = str(Path(uri).absolute()) if self._in_process else uri
        self._timeout_s = timeout = asked.timeout_s if timeout_s is None else timeout_s
        tls = {"server_pem_path": str(asked.authority)} if asked.authority else {}
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it raises what it logs
        if self._in_process:
            _prepare_file(Path(self._uri))
        with _opening, self._translated():
            self._client = self.library.MilvusClient(
                self._uri,
                token=token or asked.token,
                timeout=timeout,
                grpc_options=_CHANNEL,
                dedicated=True,
                **tls,
            )
            _users[self._uri] += 1
            self.version = str(self._client.get_server_version(timeout=timeout))
        self.can = abilities_of(self.version, lite=self._in_process)

    def ask(self, call: str, *args: Any, **kwargs: Any) -> Any:
        """
        Call a method of the client.

        Raises:
            CollectionGone: it names a collection or an alias that does not exist.
            StorageFull: Milvus Lite has no room left on its disk.
            Unavailable: anything else; the message says what.
        """
        timeout = self._timeout_s * (_SLOW_FACTOR if call in _SLOW else 1)
        with self._translated():
            return getattr(self._client, call)(*args, timeout=timeout, **kwargs)

    def pages(self, name: str, **kwargs: Any) -> Iterator[list[dict[str, Any]]]:
        """Yield all rows of a collection in pages; see `ask` for errors."""
        pages = self.ask("query_iterator", name, **kwargs)
        try:
            while page := self._next(pages):
                yield page
        finally:
            pages.close()

    def close(self) -> None:
        """Close the connection; the last user in this process lets the file go for others."""
        with _opening:
            self._client.close()
            _users[self._uri] -= 1
            if self._in_process and not _users[self._uri]:
                _lite_servers().release_server(self._uri)

    def _next(self, pages: Any) -> list[dict[str, Any]]:
        with self._translated():
            return list(pages.next())

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (self.library.MilvusException, grpc.RpcError, grpc.FutureTimeoutError) as exc:
            raise self._meaning(exc) from exc
        except (OSError, ValueError) as exc:
            if "closed channel" not in str(exc) and not isinstance(exc, OSError):
                raise
            raise Unavailable(f"Milvus at {self._uri} failed: {exc}") from exc

    def _meaning(self, exc: Any) -> StorageFull | Unavailable:
        text = _said(exc)
        if getattr(exc, "code", None) in _GONE:
            return CollectionGone(f"Milvus at {self._uri}: {text}")
        if any(sign in text.lower() for sign in _REFUSED):
            return Unavailable(
                f"Milvus at {self._uri} refuses the token ({text})",
                hint="check milvus_token: user:password, or an API key",
            )
        if any(sign in text.lower() for sign in _DISTRUSTED):
            return Unavailable(
                f"the certificate of Milvus at {self._uri} is not trusted ({text})",
                hint="milvus_ca names the PEM file of who signed it",
            )
        if "Open local milvus failed" in text:
            return Unavailable(
                f"the index in {self._uri} cannot be opened; is it in use by another process?",
                hint="stop that one, or let several processes share a Milvus server",
            )
        if "No space left" in text:
            return StorageFull(f"no space is left on the disk of {self._uri}: {text}")
        return Unavailable(f"Milvus at {self._uri} failed: {text}")


def _said(exc: Any) -> str:
    """Return what went wrong; the client hides behind what it was."""
    details = getattr(exc.__cause__, "details", None)
    return f"{exc} {details()}" if callable(details) else str(exc)


def _library() -> Any:
    try:
        import pymilvus
    except ImportError as exc:
        raise _missing() from exc
    return pymilvus


def _lite_servers() -> Any:
    try:
        from milvus_lite.server_manager import server_manager_instance
    except ImportError as exc:
        raise _missing() from exc
    return server_manager_instance


def _missing() -> MissingExtra:
    return MissingExtra("the Milvus index is not installed", hint="pip install 'crosslens[milvus]'")


def _is_file(uri: str) -> bool:
    if uri.startswith(("http://", "https://", "tcp://", "unix:")):
        return False
    if uri.endswith(".db"):
        return True
    raise InvalidRequest(
        f"the Milvus URI is {uri!r}; allowed are http(s)://host:port and files that end in .db",
        hint="for example milvus:http://localhost:19530 or milvus:./catalogue.db",
    )


def _prepare_file(file: Path) -> None:
    _lite_servers()
    logging.getLogger("milvus_lite.server_manager").setLevel(logging.CRITICAL)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise Unavailable(f"the folder {file.parent} of the index cannot be made: {exc}") from exc
