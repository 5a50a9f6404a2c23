"""MongoDB: documents of one collection, kept apart by a unique index over `queryid`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from crosslens.documents.store import KEY
from crosslens.errors import Conflict, InvalidRequest, MissingExtra, Unavailable

_DUPLICATE: Final = 11_000
_UNFIT: Final = frozenset({2, 9, 52, 55, 57, 121, 10_334, 17_280, 17_419, 17_420})
"""Bad value, bad field name, failed validation, too large: the document's own fault."""
_REFUSED: Final = frozenset({13, 18})  # no right to do this; wrong user or password


class MongoDocuments:
    """
    A `DocumentStore` in a MongoDB collection.

    Args:
        uri: `mongodb://user:password@host:port/database.collection?options`, or mongodb+srv://.
        timeout_s: how long an answer may take.

    Raises:
        InvalidRequest: the URI names no database and collection, or is none.
        MissingExtra: pymongo is not installed.
        Conflict: the collection holds several documents with one `queryid`.
        Unavailable: the server does not answer, or does not let us in.
    """

    def __init__(self, uri: str, *, timeout_s: float = 10.0) -> None:
        self._library, self._bson_errors = _library()
        self._client = None
        milliseconds = round(timeout_s * 1_000)
        with self._translated():
            parts = self._library.uri_parser.parse_uri(uri)
            database, name = parts["database"], parts["collection"]
            if not database or not name:
                raise InvalidRequest(
                    "the MongoDB URI names no database and collection",
                    hint="for example mongodb://localhost:27017/shop.products",
                )
            self._client = self._library.MongoClient(
                uri.replace(f"/{database}.{name}", f"/{database}", 1),
                appname="crosslens",
                serverSelectionTimeoutMS=milliseconds,
                connectTimeoutMS=milliseconds,
                timeoutMS=3 * milliseconds,
            )
            self._collection = self._client[database][name]
        self.name = f"{database}.{name}"
        try:
            with self._translated():
                self._collection.create_index(KEY, unique=True)
        except BaseException:
            self.close()
            raise

    def put(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Replace or add documents in their order; see DocumentStore."""
        replace = self._library.ReplaceOne
        writes = [replace({KEY: told[KEY]}, dict(told), upsert=True) for told in documents]
        if writes:
            with self._translated():
                self._collection.bulk_write(writes, ordered=True)

    def held(self, keys: Collection[str]) -> set[str]:
        """Return those of the keys that are there."""
        with self._translated():
            found = self._collection.find({KEY: {"$in": list(keys)}}, {KEY: 1, "_id": 0})
            return {document[KEY] for document in found}

    def count(self) -> int:
        """Count documents."""
        with self._translated():
            return int(self._collection.count_documents({}))

    def close(self) -> None:
        """Release connections."""
        if self._client is not None:
            self._client.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        errors = self._library.errors
        try:
            yield
        except (self._bson_errors.BSONError, OverflowError) as exc:
            raise InvalidRequest(f"MongoDB cannot keep a document: {exc}") from exc
        except errors.DocumentTooLarge as exc:
            raise InvalidRequest(f"a document is larger than MongoDB takes: {exc}") from exc
        except (errors.InvalidURI, errors.ConfigurationError, errors.InvalidName) as exc:
            raise InvalidRequest(f"the MongoDB URI cannot be used: {exc}") from exc
        except errors.BulkWriteError as exc:
            failed = exc.details["writeErrors"][:1] or exc.details["writeConcernErrors"][:1]
            raise self._meaning(failed[0].get("code"), failed[0].get("errmsg", "")) from exc
        except errors.OperationFailure as exc:
            raise self._meaning(exc.code, str(exc)) from exc
        except errors.PyMongoError as exc:
            raise Unavailable(f"MongoDB does not answer: {exc}") from exc

    def _meaning(self, code: int | None, text: str) -> Conflict | InvalidRequest | Unavailable:
        if code == _DUPLICATE:
            return Conflict(
                f"the collection {self.name} holds several documents with one {KEY}: {text}",
                hint="remove the repetitions, or name another collection",
            )
        if code in _UNFIT:
            return InvalidRequest(f"MongoDB refused a document: {text}")
        if code in _REFUSED:
            return Unavailable(f"MongoDB does not let us in: {text}")
        return Unavailable(f"MongoDB failed: {text}")


def _library() -> tuple[Any, Any]:
    try:
        import bson.errors
        import pymongo.errors
        import pymongo.uri_parser
    except ImportError as exc:
        raise MissingExtra(
            "the MongoDB client is not installed", hint="pip install 'crosslens[mongo]'"
        ) from exc
    return pymongo, bson.errors
