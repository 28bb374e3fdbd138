"""CODEOWNERS: who reviews which file of a manifest, from the `owner:` of its entries; as GitHub and GitLab read it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set

# Where such a file may lie in a repository; the first one counts (GitHub: About code owners; GitLab: Code Owners).
PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
BEGIN = "# reconciler: from here to its end this is written by `reconciler codeowners write`"
END = "# reconciler: end"
# A user, a team, or an e-mail.
OWNER = re.compile(r"@[\w.-]+(/[\w.-]+)*|[^\s@=#]+@[\w.-]+")
_TEAM = re.compile(r"^#   (.+) = (\S+)$", re.MULTILINE)


def read_teams(text: str) -> Mapping[str, str]:
    """Which team or user stands for an owner, as the file says between our marks."""
    return {match[1]: match[2] for match in _TEAM.finditer(_split(text)[1])}


def write_owners(text: str, files: Mapping[str, Set[str]], teams: Mapping[str, str]) -> str:
    """The file with a line for each of these files (paths from the root of the repository), whose owners are words of a manifest.

    What stands outside of our marks stays; without marks the lines come last, and there the last line that matches a path counts.
    """
    before, _, after = _split(text)
    owners_named = {owner for owners in files.values() for owner in owners}
    lines = [BEGIN, *(f"#   {owner} = {teams[owner]}" for owner in sorted(owners_named) if owner in teams)]
    for file in sorted(files):
        reviewers = dict.fromkeys(teams.get(owner, owner) for owner in sorted(files[file]))
        lines.append(" ".join(("/" + re.sub(r"([ \\#])", r"\\\1", file), *reviewers)))
    gap = "\n" if before and not before.endswith("\n\n") else ""
    block = "\n".join([*lines, END, ""])
    return before + gap + block + after if files else before + after


def _split(text: str) -> tuple[str, str, str]:
    """What stands before our marks, between them and after them."""
    before, mark, rest = text.partition(BEGIN + "\n")
    between, _, after = rest.partition(END + "\n")
    return (before, between, after) if mark else (text if not text or text.endswith("\n") else text + "\n", "", "")


def find_owners(text: str, file: str) -> tuple[str, ...]:
    """Who owns a file, a path from the root of the repository: by the last line that matches it."""
    last: tuple[str, ...] = ()
    for pattern, owners in _rules(text):
        if _matches(pattern, file):
            last = owners
    return last


def _rules(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for line in text.splitlines():
        words = re.findall(r"(?:\\.|[^\s\\])+", line.strip())
        # A section of GitLab is no path.
        if words and not words[0].startswith(("#", "[", "^[")):
            owners = words[1:]
            comment = next((i for i, word in enumerate(owners) if word.startswith("#")), len(owners))
            yield re.sub(r"\\(.)", r"\1", words[0]), tuple(owners[:comment])


def _matches(pattern: str, file: str) -> bool:
    """Whether a pattern is about a file, by the rules of .gitignore; `!` and `[…]` have no meaning here, as on GitHub."""
    is_rooted = "/" in pattern.rstrip("/")
    parts = [_part(part) for part in re.split(r"(/\*\*/|\*\*/|/\*\*|\*|\?)", pattern.strip("/"))]
    start = "" if is_rooted else "(?:.*/)?"
    # A folder owns all below it; `docs/*` only what lies in it.
    end = "" if pattern.endswith("/*") else "/.*" if pattern.endswith("/") else "(?:/.*)?"
    return re.fullmatch(start + "".join(parts) + end, file) is not None


def _part(part: str) -> str:
    return {"/**/": "/(?:.*/)?", "**/": "(?:.*/)?", "/**": "/.*", "*": "[^/]*", "?": "[^/]"}.get(part) or re.escape(part)
