"""The versions of the API that the sandbox speaks, as numbers in their order."""

from __future__ import annotations

from reconciler.sandbox.request import Refusal

V2_14, V2_15, V2_16, PREVIEW = 14, 15, 16, 99

# "Unstable" was Preview's earlier name and still works (developers.intercom.com, Preview introduction).
NUMBERS = {"2.14": V2_14, "2.15": V2_15, "2.16": V2_16, "Preview": PREVIEW, "Unstable": PREVIEW}


def version_of(header: str | None, default: str) -> int:
    """The header beats the app's own setting (developers.intercom.com, Update your API version)."""
    name = header or default
    if name not in NUMBERS:
        raise Refusal(400, "intercom_version_invalid", f"The requested version '{name}' is not one of {', '.join(NUMBERS)}")
    return NUMBERS[name]
