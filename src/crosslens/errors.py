"""
What can go wrong, whose fault it is, and whether trying again helps.

    CrosslensError
    ├── InvalidRequest            the caller's input; never retried
    │   ├── InvalidFilter         a filter expression or an unknown attribute
    │   ├── UnreadablePicture     bytes that are not a picture we accept
    │   ├── WrongSpace            a query vector of another space than the field's
    │   └── TooLarge              more bytes than are taken in at once
    ├── Unauthenticated           no key, or one that is not known
    ├── Forbidden                 the key's role does not permit this
    ├── NotFound                  no such product, bundle, file
    ├── Conflict                  the world changed meanwhile; read again
    │   └── OutOfDate             it is not at the revision that the caller has seen
    ├── Overloaded                a full queue; retry later
    │   └── RateLimited           this caller asks too often
    ├── Unavailable               a dependency is away or busy; retry later
    │   ├── CannotDraw            no memory for a picture, or its service fails; fit to be shown
    │   └── LostRace              another transaction won; repeat this one
    ├── StorageFull               no space left; nothing half-written
    ├── MissingExtra              an optional part is not installed
    ├── BrokenBundle              a model folder that is incomplete or altered
    ├── IndexBroken               the vector index contradicts itself; rebuild it
    └── UnusableVector            not finite, no length, wrong shape: stopped at the seam

The code of an error is stable, its message is not.
"""

from __future__ import annotations


class CrosslensError(Exception):
    """
    Any failure that crosslens explains.

    Args:
        message: what is, in one sentence, naming the field.
        hint: what to do about it.
    """

    code = "error"
    retriable = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class InvalidRequest(CrosslensError):
    """The input names something impossible."""

    code = "invalid_request"


class InvalidFilter(InvalidRequest):
    """A filter that cannot be read, or an attribute that is not declared."""

    code = "invalid_filter"


class UnreadablePicture(InvalidRequest):
    """Bytes that are not a picture we accept."""

    code = "unreadable_picture"


class WrongSpace(InvalidRequest):
    """A vector of one space was offered to a field of another."""

    code = "wrong_space"


class TooLarge(InvalidRequest):
    """More bytes than are taken in at once."""

    code = "too_large"


class Unauthenticated(CrosslensError):
    """The caller showed no key, or one that is not known."""

    code = "unauthenticated"


class Forbidden(CrosslensError):
    """The caller is known, and may not do this."""

    code = "forbidden"


class NotFound(CrosslensError):
    """No such thing."""

    code = "not_found"


class Conflict(CrosslensError):
    """The thing changed since it was read."""

    code = "conflict"


class OutOfDate(Conflict):
    """It is no longer at the revision that the caller has seen."""

    code = "out_of_date"


class Overloaded(CrosslensError):
    """A bounded queue is full or a deadline passed."""

    code = "overloaded"
    retriable = True


class RateLimited(Overloaded):
    """This caller asks more often than it may."""

    code = "rate_limited"


class Unavailable(CrosslensError):
    """A dependency does not answer or is held by another process."""

    code = "unavailable"
    retriable = True


class LostRace(Unavailable):
    """A transaction that the database undid in favour of another; repeating it helps."""


class CannotDraw(Unavailable):
    """A picture cannot be drawn now; the message tells nothing of the machine."""

    code = "cannot_draw"


class StorageFull(CrosslensError):
    """The disk has no room left."""

    code = "storage_full"


class MissingExtra(CrosslensError):
    """An optional dependency is not installed."""

    code = "missing_extra"


class BrokenBundle(CrosslensError):
    """A bundle is incomplete, altered or does not pass its goldens."""

    code = "broken_bundle"


class IndexBroken(CrosslensError):
    """The vector index cannot be read; it is derived, so rebuild it."""

    code = "index_broken"


class UnusableVector(CrosslensError):
    """A vector that must not reach an index."""

    code = "unusable_vector"
