"""Facts: what Intercom does where its description says nothing, as `doctor --probe` found it on a real workspace. None: not known."""

from __future__ import annotations

import html
import unicodedata
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from reconciler.core.model.spelling import blur, fold, skeleton, spell, stream_safe

# The name of the file, beside a manifest or in our own folder.
FILE = "intercom-facts.json"
# The workspace of the sandbox. It does what its settings say, so its answers prove nothing about Intercom.
LOCAL = "sandbox1"


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Facts(_Told):
    """What a probe found. Where nothing is known, a plan assumes what is safest."""

    name_folding: Annotated[
        Literal["case", "accents"] | None, Field(description="Which names are one tag: in any case, or also with and without accents.")
    ] = None
    name_blanks: Annotated[Literal["kept", "trimmed"] | None, Field(description="What becomes of blanks at the ends of a tag's name.")] = (
        None
    )
    name_html: Annotated[Literal["kept", "escaped"] | None, Field(description="What becomes of `&`, `<` and `>` in a tag's name.")] = None
    name_beyond: Annotated[
        Literal["taken", "cut", "refused"] | None, Field(description="What becomes of a tag's name that is longer than `name_length`.")
    ] = None
    name_length: Annotated[int | None, Field(ge=1, description="The longest name of a tag that was taken as written, in characters.")] = (
        None
    )
    name_spelling: Annotated[
        Literal["first", "last"] | None, Field(description="Which spelling stays when a tag is posted again in another case.")
    ] = None
    rename_taken: Annotated[
        Literal["refused", "twins", "merged"] | None, Field(description="What becomes of a tag that is renamed to the name of another one.")
    ] = None
    attached_again: Annotated[
        Literal["keeps", "moves"] | None, Field(description="What becomes of `applied_at` when a contact gets a tag that it has.")
    ] = None
    detached_missing: Annotated[int | None, Field(description="The status when a tag is taken from a contact that does not have it.")] = (
        None
    )
    shared_email: Annotated[
        Literal["never", "other_external_ids", "any_external_id"] | None,
        Field(description="When two users may have one e-mail: never, where both have an external_id, or where one has."),
    ] = None
    email_case: Annotated[Literal["kept", "lowered"] | None, Field(description="How an e-mail in capital letters is kept.")] = None
    lead_external_id: Annotated[
        Literal["taken", "dropped", "refused"] | None, Field(description="What becomes of the external_id of a lead.")
    ] = None
    unknown_key: Annotated[Literal["ignored", "refused"] | None, Field(description="An unknown key in the body of a contact.")] = None
    unknown_attribute: Annotated[
        Literal["ignored", "refused"] | None, Field(description="A custom attribute of a contact that nobody made.")
    ] = None
    company_null: Annotated[
        Literal["ignored", "cleared", "refused"] | None, Field(description="Null in a field of a company that has a value.")
    ] = None
    userless_tagged: Annotated[
        Literal["shown", "hidden"] | None, Field(description="A company without users in the list of those that carry a tag.")
    ] = None
    attribute_dots: Annotated[Literal["taken", "refused"] | None, Field(description="A dot in the name of a custom attribute.")] = None
    total_count: Annotated[
        Literal["exact", "capped"] | None, Field(description="Whether the count of a contact search goes beyond 10,000.")
    ] = None

    def fold(self, name: str) -> str:
        """The form in which names are one thing to Intercom, as far as is known."""
        return bare(fold(name)) if self.name_folding == "accents" else fold(name)

    def blur(self, name: str) -> str:
        """A form that is equal for all names that Intercom may take for one."""
        if self.name_folding is None:
            return blur(name)
        # No probe asks about Unicode's forms and invisible characters.
        text = skeleton(name if self.name_html == "kept" else html.unescape(html.unescape(name)))
        text = bare(text) if self.name_folding == "accents" else text
        if self.name_blanks == "kept":
            text = f"{name[: len(name) - len(name.lstrip(' '))]}{text}{name[len(name.rstrip(' ')) :]}"
        if self.name_beyond in ("cut", None):
            text = text[: self.name_length or _CUT]
        return text or name

    def keeps(self, name: str) -> bool:
        """Whether Intercom surely takes the name of a live tag as it is: nothing in it is what servers change, or the probe saw it stay."""
        return (
            (name.isprintable() and spell(name) == name and (name.isascii() or self.name_folding is not None))
            and (self.name_html == "kept" or _HTML.isdisjoint(name))
            and (self.name_blanks == "kept" or name == name.strip())
            and (self.name_beyond == "taken" or len(name) <= (self.name_length or _CUT))
        )

    def too_long(self, name: str) -> bool:
        """Whether a name is longer than what is taken as written."""
        return self.name_beyond in ("cut", "refused") and self.name_length is not None and len(name) > self.name_length


# Where the length at which names are cut is not known, two names must differ within so few characters.
_CUT = 40
# Signs that a server may write otherwise, as HTML has to.
_HTML = frozenset("&<>\"'")
UNKNOWN = Facts()


def bare(name: str) -> str:
    """A name without accents, and with its letters in their common form."""
    return "".join(char for char in unicodedata.normalize("NFKD", stream_safe(name)) if not unicodedata.combining(char))


class FactsFile(_Told):
    """The file of facts."""

    format_version: Literal["1.0"] = "1.0"
    app_id: Annotated[str, Field(description="The workspace that was asked.")]
    region: Annotated[Literal["us", "eu", "au"], Field(description="Where Intercom hosts it.")]
    api_version: Annotated[str, Field(description="The API version under which it was asked; under another one nothing of this counts.")]
    asked: Annotated[date, Field(description="When.")]
    facts: Facts
    unsettled: Annotated[dict[str, str], Field(description="What could not be settled there, and why.")] = {}

    def count_for(self, app_id: str) -> Facts:
        """The facts that count for a workspace: those of the sandbox count there alone."""
        return UNKNOWN if self.app_id == LOCAL != app_id else self.facts
