"""The pipelines that `init` lays down: the templates of `examples/ci/`, for the folder of a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

# The policy that every plan is held to, outside of the manifest.
POLICY = "intercom-policy.yaml"
# Where the templates are installed, and where they lie in a clone.
_INSTALLED = Path(__file__).parents[1] / "pipelines"
_CLONED = Path(__file__).parents[2] / "examples" / "ci"
# What the templates call the folder of the manifest.
_FOLDER = "intercom"

_JOBS = ("plan", "apply", "nightly", "adopt", "retire", "accept", "fix", "approve")
# For each service: where a file goes in the repository, and its template.
PIPELINES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "github": {f".github/workflows/intercom-{job}.yml": f"github/intercom-{job}.yml" for job in _JOBS},
        "gitlab": {".gitlab-ci.yml": "gitlab/.gitlab-ci.yml", "ci/intercom.sh": "plain.sh"},
        "plain": {"ci/intercom.sh": "plain.sh"},
        "none": {},
    }
)
# How a template names the folder, and how it names another one.
_NAMES = (
    ("intercom/**", "{folder}/**"),
    ("MANIFEST:-intercom}", "MANIFEST:-{folder}}}"),
    ("          command: ", "          manifest: {folder}\n          command: "),
    ("  RECONCILER_LEDGER: git\n", "  RECONCILER_LEDGER: git\n  MANIFEST: {folder}\n"),
)


def read_pipeline(service: str, folder: str) -> Mapping[str, str]:
    """The files of a service, and the policy, by their places in the repository. `folder` is that of the manifest in there."""
    root = _INSTALLED if _INSTALLED.is_dir() else _CLONED
    templates = {**PIPELINES[service], POLICY: POLICY}
    return {place: _for_folder((root / name).read_text(encoding="utf-8"), folder) for place, name in templates.items()}


def _for_folder(text: str, folder: str) -> str:
    for name, other in _NAMES if folder != _FOLDER else ():
        text = text.replace(name, other.format(folder=folder))
    return text
