"""Routes as data: how things are listed, written and linked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from reconciler.core.model.address import LinkName

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Listing:
    """A route that answers with many."""

    # The method and the path.
    route: str
    # The keys of an answer that may hold the array.
    items: tuple[str, ...] = ("data",)
    # How the next page is asked for; `one`: there is none.
    style: Literal["one", "pages", "cursor", "search"] = "one"
    # How many a page holds.
    per_page: int = 150
    # It shows every live thing, so that absence from it is proof.
    whole: bool = False
    # How many things can be reached this way, if not all,
    most: int | None = None
    # and the listing that reaches the others.
    scroll: Listing | None = None
    # What it does not show, in words.
    blind: str = ""

    def hides(self, total: int) -> bool:
        """Whether there may be more than the listing reaches: a total that stops at the cap is no count."""
        return self.most is not None and total >= self.most


@dataclass(frozen=True)
class Write:
    """A route that changes something."""

    # The method and the path.
    route: str
    # A template, in which "{id}", "{key}", "{source}", "{target}", "{name}" and "{actor}" are filled in late.
    body: Body | None = None
    # The fields that are merged into the body; None: all that the change has.
    carries: frozenset[str] | None = frozenset()

    @property
    def is_by_name(self) -> bool:
        """Whether it says by a name what is meant, and not by an id."""
        return "{name}" in (self.body or {}).values()


@dataclass(frozen=True)
class Bulk:
    """One call that makes many links to the same target."""

    # The call.
    write: Write
    # The key of its array in body and reply.
    items: str
    # How many links it makes at most.
    size: int
    # The first API version that has it.
    since: str


@dataclass(frozen=True)
class LinkKind:
    """A pair of kinds that can be linked, and how to see, make and undo such a link."""

    # The kind that lists the links.
    source: str
    # The kind at the other end.
    target: str
    # The manifest's key of the list.
    field: str
    # Makes a link.
    attach: Write
    # Undoes one.
    detach: Write
    # Finds the objects of the other ends in the body of a source, under the key of `field`, and says whether these are all.
    read_embedded: Callable[[Body], tuple[Iterable[Any], bool]]
    # All links of one source.
    listing: Listing | None = None
    # Makes many links.
    bulk_attach: Bulk | None = None
    # Undoes many.
    bulk_detach: Bulk | None = None
    # A call that changes nothing and shows which target a name means, for links that can be written only by that.
    names: Write | None = None
    # The message of a 404 that is about the source.
    lost_source: str = ""
    # How many links a source can have.
    most: int | None = None
    # The listing says of each link when it was made, and by whom.
    has_dates: bool = False
    # A thing shows no more than so many of its own, None where it shows all.
    most_shown: int | None = None

    @cached_property
    def name(self) -> LinkName:
        return LinkName(self.source, self.field)


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """A body template with its "{placeholders}" replaced by values."""
    if isinstance(template, str) and template.startswith("{") and template.endswith("}"):
        return values[template[1:-1]]
    if isinstance(template, Mapping):
        return {key: fill(item, values) for key, item in template.items()}
    if isinstance(template, (list, tuple)):
        return [fill(item, values) for item in template]
    return template
