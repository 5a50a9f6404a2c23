"""What a page is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from crosslens.client import Client
from crosslens.ui.words import Texts, Voice


@dataclass(frozen=True, slots=True)
class Visit:
    """
    Somebody looks at the page.

    Attributes:
        connect: returns the client of this visitor.
        say: speaks the language of this visitor.
    """

    connect: Callable[[], Client]
    say: Voice

    @property
    def client(self) -> Client:
        """The service, as this visitor may use it."""
        return self.connect()


@dataclass(frozen=True, slots=True)
class Page:
    """
    One page: a file of `ui/pages` whose name `PAGE` is one of these.

    Attributes:
        path: in the address.
        order: among the others in the navigation; the first is what opens.
        texts: what it says beside what all pages say; `title` is its name.
        show: draws it.
    """

    path: str
    order: int
    texts: Texts = field(repr=False)
    show: Callable[[Visit], None] = field(repr=False)
