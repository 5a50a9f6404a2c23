"""What a door is told when it opens: who may come in, and how much."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from crosslens.errors import Forbidden, InvalidRequest, Unauthenticated
from crosslens.settings import Settings

if TYPE_CHECKING:
    from crosslens.api.services import Bounds
    from crosslens.rpc.server import Tls


def bounds(settings: Settings, *, open_door: bool) -> Bounds:
    """Say how much a door over HTTP takes; an open one lets in anyone while there is no key."""
    from crosslens.api.services import Bounds

    return Bounds(
        max_body_bytes=settings.max_body_bytes,
        max_import_bytes=settings.max_import_bytes,
        max_pending_bytes=settings.max_pending_bytes,
        body_timeout_s=settings.body_timeout_s,
        patience_s=settings.request_patience_s,
        max_batch=settings.max_batch,
        max_queries=settings.max_queries,
        search_threads=settings.search_threads or max(2, os.cpu_count() or 1),
        searches=settings.searches,
        write_threads=settings.write_threads,
        writes=settings.writes,
        rate_per_s=settings.rate_per_s,
        burst=settings.rate_burst,
        cors_origins=settings.cors_origins,
        max_variant_bytes=settings.max_variant_bytes,
        open_door=open_door,
    )


def rpc_door(keys_path: Path, *, open_door: bool) -> Callable[[str | None, bool], None]:
    """Let in who has an API key, the same ones as over HTTP."""
    from crosslens.api.keys import KeyFile, Role

    keys = KeyFile(keys_path)

    def admit(token: str | None, admin: bool) -> None:
        if token is None and open_door and not keys.all():
            return
        key = keys.find(token or "")
        if key is None:
            message = "no API key" if token is None else "the API key is not known"
            raise Unauthenticated(message, hint="send authorization: Bearer KEY")
        needed = Role.ADMIN if admin else Role.READ
        if not key.role.permits(needed):
            raise Forbidden(f"this needs the role {needed}, the key has {key.role}")

    return admit


def tls(settings: Settings) -> Tls | None:
    """
    Read how the encode service proves itself; None where it does not.

    Raises:
        InvalidRequest: there is a certificate without a key, or a key without one.
    """
    from crosslens.rpc.server import Tls

    certificate, key = settings.rpc_certificate, settings.rpc_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise InvalidRequest("TLS needs both rpc_certificate and rpc_key")
    return Tls(certificate, key, settings.rpc_callers)
