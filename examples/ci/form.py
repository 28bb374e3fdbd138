"""What somebody filled in, as an edit of the manifest: `form.py number FILE`, `form.py edit FILE MANIFEST`.

FILE is JSON with `number` and `body`, as GitHub's event of an issue has them. What is written there goes to `reconciler` as arguments after
`--`, never through a shell, and no value of the list of people is printed.
"""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

# The questions of the form, as GitHub writes them over the answers.
WHAT, TAG, OTHER, PEOPLE = "What is to be done", "Tag", "The other name", "People"
NAME = re.compile(r"(?!.*\$\{)[^\x00-\x1f\x7f`|<>]{1,100}")
KEYS = ("external_id", "email")
MOST = 1000


def read(file):
    """The number of the issue, and the answers by their questions."""
    found = json.loads(Path(file).read_text(encoding="utf-8"))
    found = found.get("issue", found)
    parts = re.split(r"^### (.+?)\s*$", (found["body"] or "").replace("\r\n", "\n"), flags=re.MULTILINE)
    answers = {question: answer.strip() for question, answer in zip(parts[1::2], parts[2::2], strict=False)}
    return int(found["number"]), {question: "" if answer == "_No response_" else answer for question, answer in answers.items()}


def name(answers, question):
    """A name that somebody wrote."""
    found = answers.get(question, "")
    if not NAME.fullmatch(found):
        sys.exit(f'The answer to "{question}" is no name: write one line of at most 100 letters.')
    return found


def edit(number, answers, manifest):
    """Edit the manifest as the form asks."""
    what = answers.get(WHAT, "")
    if what == "New tag":
        tag("add", manifest, "--", name(answers, TAG))
    elif what == "Rename a tag":
        tag("rename", manifest, "--", name(answers, TAG), name(answers, OTHER))
    elif what == "Merge a tag into another":
        tag("merge", manifest, f"--into={name(answers, OTHER)}", "--", name(answers, TAG))
    elif what == "Add people to a tag":
        add_people(number, name(answers, TAG), answers.get(PEOPLE, ""), Path(manifest))
    else:
        sys.exit(f'"{WHAT}" has no answer that is known.')


def tag(verb, manifest, *rest):
    done = subprocess.run(["reconciler", "tag", verb, f"--in={manifest}", *rest], stdout=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(done.returncode)


def add_people(number, tag_name, text, manifest):
    """A list beside the manifest, and the entry that reads it."""
    text = re.sub(r"\A```\w*\n|\n```\Z", "", text)
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if any(map(str.strip, row))]
    if not rows or rows[0][0] not in KEYS:
        sys.exit(f'"{PEOPLE}" begins with a line that says what the first column is: {" or ".join(KEYS)}.')
    keys = list(dict.fromkeys(row[0] for row in rows[1:] if row[0]))
    if not 1 <= len(keys) <= MOST:
        sys.exit(f'"{PEOPLE}" has {len(keys)} rows: write 1 to {MOST}.')
    file = manifest / f"form-{number}.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([[rows[0][0]], *([key] for key in keys)])
    entry = {"from": file.name, "key": rows[0][0], "tags": [tag_name]}
    (manifest / f"form-{number}.yaml").write_text(f"contacts:\n  - {json.dumps(entry, ensure_ascii=False)}\n", encoding="utf-8")
    done = subprocess.run(["reconciler", "validate", str(manifest)], stdout=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(done.returncode)
    print(f"{file}: {len(keys)} people", file=sys.stderr)


verb, file, *more = sys.argv[1:]
number, answers = read(file)
if verb == "number":
    print(number)
else:
    os.environ.setdefault("CI", "true")  # `tag` shows no lines of the manifest then
    edit(number, answers, *more)
