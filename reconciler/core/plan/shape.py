"""What a file must hold to be a plan: the keys that reports and apply rely on, whatever else it has."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Strict, ValidationError, model_validator


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class _Workspace(_Part):
    app_id: str
    region: str


class _Source(_Part):
    file: str | None
    line: int | None


class _Moved(_Part):
    path: str
    before: Any
    after: Any
    cause: str | None


class _Named(_Part):
    """A field of a saved plan, which holds no values."""

    model_config = ConfigDict(extra="forbid")

    path: str
    before_digest: str = ""
    cause: str | None


class _Change(_Part):
    address: str
    action: str
    target: str | None
    cause: str | None
    fields: list[_Moved | _Named]
    source: _Source | None
    people: int | None
    page: str | None = None
    uses: dict[str, int | None] = {}
    at_least: list[str] = []
    uncounted: list[str] = []
    id_digest: str | None = None


class _Refusal(_Part):
    gate: str
    message: str
    approve: str | None = None
    entries: list[str] = []


class _Unproven(_Part):
    address: str | None
    reason: str
    until: str | None


class _Note(_Part):
    topic: str
    address: str | None
    message: str
    source: _Source | None


class _Cost(_Part):
    calls: int
    seconds: float
    routes: dict[str, int] = {}
    reads: int = 0


class _People(_Part):
    losing: int
    exact: bool


class _Doubts(_Part):
    """JSON has lists where these are tuples, which pydantic takes only where it is not strict."""

    disproved: list[Annotated[tuple[str, str, str, float], Strict(False)]]
    undone: list[Annotated[tuple[str, str, str, str], Strict(False)]]


class _Manifest(_Part):
    paths: list[str]
    digest: str


class _Plan(_Part):
    workspace: _Workspace
    manifest: _Manifest | None = None
    run: str = ""
    applicable: bool = False
    salt: str = ""
    approved: list[str] = []
    files: dict[str, str] = {}
    changes: list[_Change]
    summary: dict[str, int]
    cost: _Cost
    refused: list[_Refusal]
    notes: list[_Note]
    held: bool = False
    retry: bool = False
    unproven: list[_Unproven] = []
    waiting: int = 0
    people: _People | None = None
    scope: dict[str, list[str]] = {}
    as_declared: dict[str, str] = {}
    doubts: _Doubts | None = None

    @model_validator(mode="after")
    def _says_of_what(self) -> _Plan:
        if not self.run and self.manifest is None:
            raise ValueError("names neither a manifest nor a run")
        return self

    @model_validator(mode="after")
    def _holds(self) -> _Plan:
        """What can be applied holds a digest of every value before it, and names what it is made anew from."""
        if self.applicable and not (self.run or (self.manifest and self.manifest.paths)):
            raise ValueError("names no path")
        fields = [field for change in self.changes for field in change.fields]
        if self.applicable and not self.salt:
            raise ValueError("holds nothing to compare its digests with")
        if self.applicable and not all(isinstance(field, _Named) and field.before_digest for field in fields):
            raise ValueError("holds no digest of a value before")
        return self


def is_plan(found: Any) -> bool:
    """Whether something from a JSON file has the shape of a plan."""
    try:
        _Plan.model_validate(found)
    except ValidationError:
        return False
    return True
