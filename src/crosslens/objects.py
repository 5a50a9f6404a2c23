"""A bucket of an S3-compatible store: bytes under keys, and its failures in our words."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from crosslens.errors import (
    CrosslensError,
    InvalidRequest,
    MissingExtra,
    NotFound,
    StorageFull,
    Unavailable,
)

_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>.*))?")
_PIECE = 1 << 20
_ABSENT = {"404", "NoSuchKey", "NotFound"}
_FULL = {"507", "XMinioStorageFull", "InsufficientStorage", "QuotaExceeded", "EntityTooLarge"}
_REFUSED = {
    "401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken",
    "InvalidToken", "AuthorizationHeaderMalformed",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket and what the keys in it begin with; the prefix is empty or ends with a slash."""

    bucket: str
    prefix: str = ""

    @classmethod
    def of(cls, url: str) -> Place:
        """
        Read `s3://bucket/prefix`.

        Raises:
            InvalidRequest: it is not one.
        """
        found = _URL.fullmatch(url)
        if found is None:
            raise InvalidRequest(f"{url!r} is not a place of the form s3://bucket/prefix")
        prefix = (found["prefix"] or "").strip("/")
        return cls(found["bucket"], f"{prefix}/" if prefix else "")

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


@dataclass(frozen=True, slots=True)
class Stored:
    """
    What a store says of an object without reading it.

    Attributes:
        age_s: seconds since it was written, both by the store's clock.
    """

    key: str
    size: int
    age_s: float


class Bucket:
    """
    Objects under a place; safe to call from many threads and processes.

    An object appears whole or not at all. Keys and secrets come from where every program of S3
    looks for them: AWS_ACCESS_KEY_ID and its kin, ~/.aws, or the machine's role.

    Args:
        endpoint: URL of a store other than Amazon's.
        client: one to share; it takes a while to make.

    Raises:
        MissingExtra: boto3 is not installed.
    """

    def __init__(
        self, place: Place, *, endpoint: str = "", region: str = "", client: Any = None
    ) -> None:
        if importlib.util.find_spec("boto3") is None:
            raise MissingExtra(
                f"{place} needs boto3, which is not installed",
                hint="pip install 'crosslens[s3]'",
            )
        self.place = place
        with _explained(place):
            self._client = client or _client(endpoint, region)

    def __repr__(self) -> str:
        return f"Bucket({str(self.place)!r})"

    def at(self, prefix: str) -> Bucket:
        """Return the same bucket further in, over the same connections."""
        inner = Place(self.place.bucket, f"{self.place.prefix}{prefix}/")
        return Bucket(inner, client=self._client)

    def put(self, key: str, content: bytes, *, kind: str = "application/octet-stream") -> None:
        """
        Store bytes.

        Raises:
            StorageFull, Unavailable: they are not stored.
        """
        with _explained(self.place, key):
            self._client.put_object(**self._named(key), Body=content, ContentType=kind)

    def upload(self, key: str, path: Path) -> None:
        """Store a file, in parts where it is large; raises like `put`."""
        with _explained(self.place, key):
            self._client.upload_file(str(path), self.place.bucket, self.place.prefix + key)

    def get(self, key: str, *, at_most: int) -> bytes:
        """
        Read an object.

        Raises:
            NotFound: there is none.
            InvalidRequest: it has more bytes than that.
            Unavailable: it cannot be read.
        """
        with _explained(self.place, key):
            answer = self._client.get_object(**self._named(key))
            with closing(answer["Body"]) as body:
                content: bytes = body.read(at_most + 1)
        if len(content) > at_most:
            raise InvalidRequest(f"{self.place}/{key} has more than {at_most:,} bytes")
        return content

    def pieces(self, key: str) -> Iterator[bytes]:
        """Read an object piece by piece; raises like `get`."""
        with _explained(self.place, key):
            answer = self._client.get_object(**self._named(key))
            with closing(answer["Body"]) as body:
                yield from body.iter_chunks(_PIECE)

    def stored(self, key: str) -> Stored | None:
        """Say what is stored under a key, if anything."""
        try:
            with _explained(self.place, key):
                answer = self._client.head_object(**self._named(key))
        except NotFound:
            return None
        return Stored(key, answer["ContentLength"], _age_s(answer, answer["LastModified"]))

    def touch(self, key: str) -> None:
        """Make an object young again, without sending its bytes."""
        source = self._named(key)
        with _explained(self.place, key):
            kind = self._client.head_object(**source).get("ContentType", "")
            self._client.copy_object(
                **source, CopySource=source, MetadataDirective="REPLACE", ContentType=kind
            )

    def delete(self, key: str) -> None:
        """Forget an object; an unknown key is no error."""
        with _explained(self.place, key):
            self._client.delete_object(**self._named(key))

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield what is stored under keys that begin so, in order."""
        start = len(self.place.prefix)
        with _explained(self.place):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.place.bucket, Prefix=self.place.prefix + prefix
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    age_s = _age_s(page, entry["LastModified"])
                    yield Stored(entry["Key"][start:], entry["Size"], age_s)

    def link(self, key: str, *, lasts_s: int, kind: str) -> str:
        """Return a URL under which anyone may fetch an object for so long."""
        with _explained(self.place, key):
            link: str = self._client.generate_presigned_url(
                "get_object",
                Params={**self._named(key), "ResponseContentType": kind},
                ExpiresIn=lasts_s,
            )
        return link

    def probe(self) -> dict[str, str]:
        """
        Ask whether the bucket is there and may be read, and say where it is.

        Raises:
            Unavailable: it is not; the hint says what to do.
        """
        with _explained(self.place):
            self._client.list_objects_v2(
                Bucket=self.place.bucket, Prefix=self.place.prefix, MaxKeys=1
            )
        return {"at": str(self.place)}

    def close(self) -> None:
        """Release connections."""
        self._client.close()

    def _named(self, key: str) -> dict[str, str]:
        return {"Bucket": self.place.bucket, "Key": self.place.prefix + key}


def _client(endpoint: str, region: str) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=5,
        read_timeout=30,
        retries={"max_attempts": 4, "mode": "standard"},
        max_pool_connections=64,
        signature_version="s3v4",
        # stores other than Amazon's know neither buckets as host names nor its newer checksums
        s3={"addressing_style": "path" if endpoint else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session = boto3.session.Session(region_name=region or None)
    where = session.region_name or "us-east-1"
    return session.client("s3", region_name=where, endpoint_url=endpoint or None, config=config)


def _age_s(answer: Any, written: datetime) -> float:
    shown = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    now = parsedate_to_datetime(shown) if shown else datetime.now(written.tzinfo)
    return (now - written).total_seconds()


@contextmanager
def _explained(place: Place, key: str = "") -> Iterator[None]:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as exc:
        raise _in_our_words(place, key, exc.response.get("Error", {})) from exc
    except Boto3Error as exc:  # of an upload, with what was answered behind it
        if isinstance(exc.__context__, ClientError):
            error = exc.__context__.response.get("Error", {})
            raise _in_our_words(place, key, error) from exc
        raise _away(place, exc) from exc
    except BotoCoreError as exc:
        raise _away(place, exc) from exc


def _in_our_words(place: Place, key: str, error: dict[str, str]) -> CrosslensError:
    code, said = error.get("Code", ""), error.get("Message", "")
    if code == "NoSuchBucket":
        return Unavailable(f"the store has no bucket {place.bucket}", hint="make it first")
    if code in _ABSENT:
        return NotFound(f"nothing is stored under {place}/{key}")
    if code in _FULL:
        return StorageFull(f"the store has no room in {place} ({said}); nothing was written")
    if code in _REFUSED:
        return Unavailable(
            f"the store refuses {place} ({code}: {said})",
            hint="check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the rights of that key",
        )
    return Unavailable(f"the store failed at {place} ({code}: {said})", hint="try again")


def _away(place: Place, exc: Exception) -> CrosslensError:
    if type(exc).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
        return Unavailable(
            f"{place} needs a key and there is none",
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    return Unavailable(
        f"the store of {place} does not answer ({exc})", hint="check s3_endpoint and the network"
    )
