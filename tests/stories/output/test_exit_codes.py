"""Verb × situation → exit code, and what was written meanwhile: to Intercom, and into the folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.cli import VERBS
from reconciler.ledger.homes.file import FileHome
from reconciler.ledger.homes.home import Waiting
from tests.desk.desk import Desk

SEED = {
    "tags": ["vip", "old"],
    "companies": [{"company_id": "6"}],
    "contacts": [{"external_id": "25", "name": "Wash", "email": "wash@serenity.example", "tags": ["old"]}],
}
SAME = "tags: [vip]\ncontacts: [{external_id: '25', name: Wash}]\n"
CHANGED = "tags: [vip, trial]\ncompanies: [{company_id: '6', name: Blue Sun}]\n"
GONE = "policy: {limits: {deletes: 0}}\ntags: [vip, {name: old, state: absent}]\n"
MISSING = "policy: {missing_contacts: error}\ntags: [vip, trial]\ncontacts: [{external_id: nobody}]\n"
OTHER = "workspace: {app_id: other}\n" + CHANGED
PROTECTED = "policy: {links: exact}\ntags: [vip]\ncontacts: [{external_id: '25', state: archived, protect: true}]\n"
DETACHED = "policy: {links: exact}\ntags: [vip, {name: old}]\ncontacts: [{external_id: '25', tags: []}]\n"

OWNERLESS = "contacts: [{external_id: '25', owner_id: '77'}]\n"
OWNED = "tags: [{name: vip, owner: '@acme/growth'}]\n"

Before = Callable[[Desk], object]


@dataclass(frozen=True)
class Row:
    """A verb in a situation: its exit code, how many writes reach Intercom, the files that are new, and words of its message."""

    situation: str
    verb: str
    code: int
    m: str = SAME
    before: Before = lambda desk: None
    writes: int = 0
    files: frozenset[str] = frozenset()
    says: str = ""

    @property
    def name(self) -> str:
        return f"{self.verb.split()[0] if self.verb else 'nothing'}: {self.situation}"


def plans(text: str, *more: str) -> Before:
    """A plan was saved, and nothing else happened since."""
    return lambda desk: desk.plan(*more, m=text)


def then(*steps: Before) -> Before:
    return lambda desk: [step(desk) for step in steps]


def edit(desk: Desk) -> None:
    plan = desk.saved()
    desk.write("plan.json", json.dumps({**plan, "changes": plan["changes"][:-1]}))


def approve(desk: Desk) -> None:
    desk.plan(m=GONE)
    desk.write("policy.yaml", "policy: {limits: {deletes: 0}}\n")
    allow(desk, "2100-01-01")


def allow(desk: Desk, expires: str) -> None:
    digest, _, people = desk.word().partition(":")
    entry = f'{{hash: "{digest}", people: {people}, reason: It ended, by: Inara Serra, expires: {expires}}}'
    desk.write("m.yaml", GONE + f"approvals:\n  - {entry}\n")


def variable(name: str, value: str) -> Before:
    return lambda desk: desk.patch.setenv(name, value)


def lives(**what: object) -> Before:
    return lambda desk: desk.seed(**what)


def fails(method: str, path: str, **how: object) -> Before:
    return lambda desk: desk.box.faults.add(method, path, times=None, **how)


def file(name: str, text: str) -> Before:
    return lambda desk: desk.write(name, text)


def apply_plan(desk: Desk) -> None:
    assert desk("apply", "plan.json") == 0


def hold_lock(desk: Desk) -> None:
    """Another run holds the lock, until this process ends."""
    waiting = Waiting(0, time.sleep, time.monotonic, time.time)
    desk.held = FileHome(desk.folder / HELD).lock("sandbox1", "zoe on a desk", waiting)


def applies(desk: Desk) -> None:
    """The manifest was applied."""
    assert desk("apply", "m.yaml", "--auto-approve") == 0
    desk.written()


def applies_elsewhere(desk: Desk) -> None:
    """A manifest in another folder was applied."""
    desk.write("other/m.yaml", SAME)
    assert desk("apply", "other", "--auto-approve") == 0


def applies_first(desk: Desk) -> None:
    """An earlier state of the manifest was applied."""
    merged = (desk.folder / "m.yaml").read_text()
    desk.write("m.yaml", CHANGED)
    applies(desk)
    desk.write("m.yaml", merged + "# merged")
    desk.seed(contacts=[{"external_id": "25", "name": "Hoban"}])


def applies_first_of_all(desk: Desk) -> None:
    """What was merged first was applied, and nothing moved."""
    merged = (desk.folder / "m.yaml").read_text()
    desk.write("m.yaml", CHANGED)
    applies(desk)
    desk.write("m.yaml", merged + "# merged")


HELD = ".reconciler"
MEMORY = frozenset({HELD, f"{HELD}/.gitignore", f"{HELD}/ledger.db", f"{HELD}/key"})
PLAN = frozenset({"plan.json"})
EXPORTED = frozenset({"out", "out/tags.yaml", "out/workspace.yaml"})
HTML = b"<html>Bad gateway</html>"
IN_USE = {"tags": [{"name": "old", "segments": ["Seg 1"]}]}
RENAMED = {"companies": [{"company_id": "6", "name": "Red"}]}
BASED = "plan m.yaml --base HEAD --fail-on unexplained"
OLD_STAYS = "tags: [vip, {name: old, members: free}]\n"

ROWS = (
    Row("nothing refused", "rehearse plan.json", 0, before=plans(CHANGED)),
    Row("something refused", "rehearse plan.json", 3, before=plans(OWNERLESS)),
    Row("refused by a gate", "rehearse plan.json", 3, before=plans(GONE), says="deletes"),
    Row("stale", "rehearse plan.json", 4, before=then(plans(CHANGED), file("m.yaml", SAME))),
    Row("edited", "rehearse plan.json", 65, before=then(plans(CHANGED), edit), says="was edited"),
    Row("no plan", "rehearse m.yaml", 65, says="is not a plan"),
    Row("without the token", "rehearse plan.json", 1, before=then(plans(CHANGED), variable("INTERCOM_ACCESS_TOKEN", ""))),
    Row("valid", "validate m.yaml", 0),
    Row("broken YAML", "validate m.yaml", 65, "tags: [vip\n", says="m.yaml:"),
    Row("an empty section", "validate m.yaml", 65, "tags:\n", says="m.yaml:1"),
    Row("no such file", "validate nowhere.yaml", 65, says="nowhere.yaml"),
    Row("nothing in it", "validate m.yaml", 65, "", says="m.yaml"),
    Row("one name twice", "validate m.yaml", 65, "tags: [vip, vip]\n", says="m.yaml:1"),
    Row("anchors and more", "validate m.yaml", 65, "tags: [&a vip, *a]\n  x", says="m.yaml:"),
    Row("a tab", "validate m.yaml", 65, "\ttags: []\n", says="m.yaml:1"),
    Row("an unknown key", "validate m.yaml", 65, "nosuch: 1\n", says="m.yaml:1"),
    Row("no path", "validate", 64),
    Row("nobody owns anything", "codeowners write m.yaml --check", 0),
    Row("an owner that is a team", "codeowners write m.yaml", 0, OWNED, files=frozenset({"CODEOWNERS"})),
    Row("owners that are not written", "codeowners write m.yaml --check", 2, OWNED),
    Row("an owner that nobody knows", "codeowners write m.yaml", 65, "tags: [{name: vip, owner: growth}]\n", says="--team"),
    Row("in its form", "fmt --check m.yaml", 0, "tags: [vip]\n"),
    Row("not in its form", "fmt --check m.yaml", 2, "tags:   [vip]\n"),
    Row("written in its form", "fmt m.yaml", 0, "tags:   [vip]\n", says="1 file changed"),
    Row("broken YAML", "fmt m.yaml", 65, "tags: [vip\n", says="m.yaml:"),
    Row("no such file", "fmt nowhere.yaml", 65, says="nowhere.yaml"),
    Row("an unknown option", "fmt m.yaml --live", 64),
    Row("warnings alone", "lint m.yaml", 0, says="2 warnings"),
    Row("an error", "lint m.yaml", 65, "policy: {lint: {owner: error}}\n" + SAME, says="1 error"),
    Row("broken YAML", "lint m.yaml", 65, "tags: [vip\n", says="m.yaml:"),
    Row("no rule", "lint m.yaml", 65, "policy: {lint: {owner: maybe}}\n" + SAME, says="m.yaml:1"),
    Row("no such file", "lint nowhere.yaml", 65, says="nowhere.yaml"),
    Row("no such policy", "lint m.yaml --policy nowhere.yaml", 65, says="nowhere.yaml"),
    Row("another workspace", "lint m.yaml --live", 3, OTHER, says="workspace"),
    Row("Intercom fails", "lint m.yaml --live", 1, before=fails("GET", "/tags", status=403)),
    Row("a format that is none", "lint m.yaml --format html", 64),
    Row("a schema", "schema", 0),
    Row("an argument too many", "schema m.yaml", 64),
    # plan
    Row("nothing to do", "plan m.yaml --detailed-exitcode", 0),
    Row("changes", "plan m.yaml", 0, CHANGED),
    Row("changes, asked for details", "plan m.yaml --detailed-exitcode", 2, CHANGED),
    Row("refused", "plan m.yaml", 0, GONE),
    Row("refused, asked for details", "plan m.yaml --detailed-exitcode", 3, GONE),
    Row("a contact missing", "plan m.yaml --detailed-exitcode", 3, MISSING),
    Row("another workspace", "plan m.yaml --detailed-exitcode", 3, OTHER),
    Row("protected", "plan m.yaml --detailed-exitcode", 3, PROTECTED),
    Row("saved", "plan m.yaml -o plan.json", 0, CHANGED, files=PLAN),
    Row("refused and saved", "plan m.yaml -o plan.json --detailed-exitcode", 3, GONE, files=PLAN),
    Row("reported", "plan m.yaml --report html=a.html --report json=b.json", 0, CHANGED, files=frozenset({"a.html", "b.json"})),
    Row("invalid", "plan m.yaml -o plan.json", 65, "tags: [vip\n"),
    Row("a file where no folder is", "plan m.yaml -o nowhere/plan.json", 64, CHANGED, says="folder"),
    Row("a folder where a file should be", "plan m.yaml -o .", 64, CHANGED),
    Row("no such format", "plan m.yaml --format nosuch", 64),
    Row("no path", "plan", 64),
    Row("no such path", "plan nowhere.yaml", 65, says="nowhere.yaml"),
    Row("a token for a host of somebody", "plan m.yaml --base-url http://example.com", 64, says="https"),
    Row("no such form of report", "plan m.yaml --report pdf=a.pdf", 64),
    Row("a report where no folder is", "plan m.yaml --report html=nowhere/a.html", 64),
    Row("--retry-ineffective with a saved plan", "apply plan.json --retry-ineffective", 64, SAME, lambda b: b.plan(m=SAME)),
    Row("--fail-on without --base", "plan m.yaml --fail-on unexplained", 64),
    Row("an unknown revision", "plan m.yaml --base nowhere", 1, before=lambda b: b.commit(m=SAME), says="fetch it first"),
    Row("no repository", "plan m.yaml --base HEAD", 1, says="git"),
    Row("--base that looks like an option", "plan m.yaml --base=--exec=x", 1),
    Row("unexplained", BASED, 3, DETACHED, lambda b: b.commit(m=DETACHED)),
    Row("explained", BASED, 0, CHANGED, lambda b: b.commit(m=SAME)),
    Row("nothing to do under --fail-on", BASED, 0, SAME, lambda b: b.commit(m=SAME)),
    Row("--embed-values without -o", "plan m.yaml --embed-values", 64),
    Row("--embed-values in CI", "plan m.yaml -o plan.json --embed-values", 64, before=variable("CI", "true")),
    Row("--show-personal in CI", "plan m.yaml --show-personal", 64, before=variable("CI", "1")),
    Row("--show-personal=ci in CI", "plan m.yaml --show-personal=ci", 0, before=variable("CI", "true")),
    Row("--show-personal=nonsense", "plan m.yaml --show-personal=nonsense", 64),
    Row("no policy file", "plan m.yaml --policy nowhere.yaml", 65),
    Row("a folder of policy files", "plan m.yaml --policy here", 65, before=file("here/p.yaml", "policy: {}\n")),
    Row("an invalid policy file", "plan m.yaml --policy p.yaml", 65, before=file("p.yaml", "policy: {limits: {deletes: -1}}\n")),
    Row("looser than the policy file", "plan m.yaml --policy p.yaml --detailed-exitcode", 3,
        "policy: {limits: {deletes: 20}}\n" + CHANGED, file("p.yaml", "policy: {}\n")),
    Row("a malformed approval", "plan m.yaml --approve yes", 64),
    Row("too many calls", "plan m.yaml --max-calls 1 --detailed-exitcode", 3, CHANGED),
    Row("few enough calls", "plan m.yaml --max-calls 5 --detailed-exitcode", 2, CHANGED),
    Row("--max-calls below zero", "plan m.yaml --max-calls=-1", 64),
    Row("no token", "plan m.yaml", 1, before=variable("INTERCOM_ACCESS_TOKEN", ""), says="no access token"),
    Row("a wrong token", "plan m.yaml", 1, before=variable("INTERCOM_ACCESS_TOKEN", "dG9rOg=="), says="not accepted"),
    Row("a page where a list should be", "plan m.yaml", 1, before=fails("GET", "^/tags", body=HTML), says="GET 127.0.0.1"),
    # show
    Row("a saved plan", "show plan.json", 0, before=plans(CHANGED)),
    Row("no such file", "show nowhere.json", 65),
    Row("not a plan", "show m.yaml", 65),
    Row("edited", "show plan.json", 65, before=then(plans(CHANGED), edit), says="was edited"),
    Row("of a later format", "show plan.json", 65, before=file("plan.json", '{"format_version": "2.0", "changes": []}')),
    # apply PLAN
    Row("a saved plan", "apply plan.json", 0, CHANGED, plans(CHANGED), writes=2, files=MEMORY),
    Row("a second time", "apply plan.json", 0, CHANGED, then(plans(CHANGED), apply_plan, lambda b: b.written())),
    Row("edited", "apply plan.json", 65, CHANGED, then(plans(CHANGED), edit)),
    Row("one to look at", "apply look.json", 65, CHANGED, lambda b: b("plan", "m.yaml", "--report", "json=look.json", m=CHANGED)),
    Row("no such plan", "apply nowhere.json", 65),
    Row("an unknown option", "apply plan.json --nosuch", 64, before=plans(CHANGED)),
    Row("an empty object", "apply plan.json", 65, before=file("plan.json", "{}"), says="plan.json"),
    Row("no JSON", "apply plan.json", 65, before=file("plan.json", "not json"), says="plan.json"),
    Row("hardly a plan", "apply plan.json", 65, says="plan.json",
        before=file("plan.json", '{"changes": [], "format_version": "1.0", "applicable": true}')),
    Row("the workspace moved", "apply plan.json", 4, CHANGED, then(plans(CHANGED), lives(**RENAMED)), says="company/6", files=MEMORY),
    Row("the manifest moved", "apply plan.json", 4, CHANGED, then(plans(CHANGED), file("m.yaml", SAME)), files=MEMORY, says="manifest"),
    Row("the manifest is gone", "apply plan.json", 65, CHANGED, then(plans(CHANGED), lambda b: (b.folder / "m.yaml").unlink())),
    Row("refused", "apply plan.json", 3, GONE, plans(GONE), says="--approve", files=MEMORY),
    Row("approved in the manifest", "apply plan.json", 0, GONE, approve, writes=1, files=MEMORY),
    Row("approved in the manifest, under --policy", "apply plan.json --policy policy.yaml", 3, GONE, approve, files=MEMORY),
    Row("approved until yesterday", "apply plan.json", 3, GONE, then(plans(GONE), lambda b: allow(b, "2020-01-01")), files=MEMORY),
    Row("another workspace", "apply plan.json", 3, CHANGED,
        then(plans(CHANGED), lambda b: b.seed(app={"id_code": "other2"}), lambda b: b.box.ws.prepare()), files=MEMORY, says="workspace"),
    Row("a part of a saved plan", "apply plan.json --target tag/*", 64, CHANGED, plans(CHANGED)),
    Row("too many calls", "apply plan.json --max-calls 1", 3, CHANGED, plans(CHANGED), files=MEMORY),
    Row("looser than the policy file", "apply plan.json --policy p.yaml", 3, "policy: {limits: {deletes: 20}}\n" + CHANGED,
        then(plans("policy: {limits: {deletes: 20}}\n" + CHANGED), file("p.yaml", "policy: {}\n")), files=MEMORY),
    Row("no token", "apply plan.json", 1, CHANGED, then(plans(CHANGED), variable("INTERCOM_ACCESS_TOKEN", ""))),
    Row("a page where a list should be", "apply plan.json", 1, CHANGED, then(plans(CHANGED), fails("GET", "^/tags", body=HTML)),
        files=MEMORY),
    Row("events where no folder is", "apply plan.json --events nowhere/e", 64, CHANGED, plans(CHANGED), says="folder"),
    # apply PATH
    Row("without a terminal", "apply m.yaml", 64, CHANGED, says="--auto-approve"),
    Row("unasked", "apply m.yaml --auto-approve", 0, CHANGED, writes=2, files=MEMORY),
    Row("nothing to do", "apply m.yaml --auto-approve", 0, files=MEMORY),
    Row("refused", "apply m.yaml --auto-approve", 3, GONE, says="--approve"),
    Row("a contact missing", "apply m.yaml --auto-approve", 3, MISSING),
    Row("another workspace", "apply m.yaml --auto-approve", 3, OTHER),
    Row("protected", "apply m.yaml --auto-approve", 3, PROTECTED),
    Row("invalid", "apply m.yaml --auto-approve", 65, "tags: [vip\n"),
    Row("in part", "apply m.yaml --auto-approve", 5, "tags: [vip, trial, {name: old, state: absent}]\n", lives(**IN_USE),
        writes=2, files=MEMORY),
    Row("for ever at the lock", "apply m.yaml --auto-approve --lock-timeout nan", 64, CHANGED),
    Row("events", "apply m.yaml --auto-approve --events e", 0, CHANGED, writes=2, files=MEMORY | {"e"}),
    Row("somebody else is at it", "apply m.yaml --auto-approve --lock-timeout 0", 6, CHANGED, hold_lock,
        files=MEMORY - {HELD, f"{HELD}/.gitignore"}, says="zoe on a desk"),
    # drift
    Row("nothing applied yet", "drift m.yaml", 2, CHANGED, says=""),
    Row("nothing applied yet, and as declared", "drift m.yaml", 0),
    Row("nothing moved", "drift m.yaml", 0, CHANGED, applies),
    Row("somebody edited it", "drift m.yaml", 2, CHANGED, then(applies, lives(**RENAMED))),
    Row("merged, and more people missing than an apply may leave out", "drift m.yaml", 0,
        CHANGED + f"contacts: [{', '.join(f'{{external_id: n{n}}}' for n in range(11))}]\n", applies_first_of_all),
    Row("merged, and a whole section emptied", "drift m.yaml", 0, "policy: {prune: {tags: owned}}\ntags: []\n", applies_first_of_all),
    Row("merged, and not applied", "drift m.yaml", 0, CHANGED + "contacts: [{external_id: '25', name: Wash}]\n", applies_first),
    Row("the plan that puts it right", "drift m.yaml --fix -o fix.json", 2, CHANGED, then(applies, lives(**RENAMED)),
        files=frozenset({"fix.json"})),
    Row("a fix that goes nowhere", "drift m.yaml --fix", 64, CHANGED),
    Row("of another workspace", "drift m.yaml", 3, OTHER),
    Row("invalid", "drift m.yaml", 65, "tags: [vip\n"),
    Row("only reads", "drift m.yaml --read-only", 0, says="0 writes possible"),
    # only reads, and only what a branch changed
    Row("only reads", "plan m.yaml --detailed-exitcode --read-only", 2, CHANGED, says="0 writes possible"),
    Row("only reads", "apply plan.json --read-only", 64, CHANGED, plans(CHANGED), says="the plan has 2 changes, and nothing was sent"),
    Row("only reads, of a manifest", "apply m.yaml --auto-approve --read-only", 64, CHANGED, says="nothing was written"),
    Row("only reads, and nothing to do", "apply m.yaml --auto-approve --read-only", 0, files=MEMORY, says="0 writes possible"),
    Row("what no base explains", "plan m.yaml --only explained", 64, CHANGED, says="--base REF"),
    Row("explained by no repository", "plan m.yaml --only explained --base HEAD", 1, CHANGED),
    # the ledger alone
    Row("declared and live", "explain tag/vip", 0),
    Row("close to what is there", "explain tag/vipp", 1, says="tag/vip"),
    Row("no address", "explain vip", 64),
    Row("of another workspace", "explain tag/vip m.yaml", 3, OTHER),
    Row("with itself", "diff plan.json plan.json", 0, CHANGED, plans(CHANGED)),
    Row("with another plan", "diff plan.json other.json", 2, CHANGED,
        then(plans(CHANGED), lambda b: b("plan", "m.yaml", "-o", "other.json", m=SAME))),
    Row("with nothing", "diff plan.json nowhere.json", 65, CHANGED, plans(CHANGED)),
    Row("with one thing", "diff plan.json", 64, CHANGED, plans(CHANGED)),

    Row("declared and live", "adopt --all m.yaml --auto-approve", 0, files=MEMORY),
    Row("nobody to ask", "adopt --all m.yaml", 64, says="--auto-approve"),
    Row("declared for another workspace", "adopt --all m.yaml --auto-approve", 3, OTHER),
    Row("live", "adopt tag/vip", 0, files=MEMORY),
    Row("not live", "adopt tag/vip tag/nope", 1, says="tag/nope"),
    Row("no ledger", "adopt tag/vip --ledger none", 64),
    Row("recorded", "forget tag/vip", 0, before=lambda desk: desk("adopt", "tag/vip")),
    Row("nothing recorded", "forget tag/vip", 1, says="no ledger"),
    Row("no such kind", "forget foo/bar", 64),
    Row("no ledger", "history", 0, says="no ledger"),
    Row("no such run", "history last", 64),
    # undo
    Row("taken back", "undo last", 0, CHANGED, applies),
    Row("taken back with a file", "undo last -o undo.json", 0, CHANGED, applies, files=frozenset({"undo.json"}), says="takes back the run"),
    Row("nobody knows the run", "undo 20200101T000000000-00000000", 64, CHANGED, applies, says="`reconciler history` lists them"),
    Row("nothing was ever applied", "undo last", 64, says="no ledger"),
    Row("without a memory", "undo last --ledger none", 64),
    Row("for another workspace", "undo last --app-id elsewhere", 3, CHANGED, applies, says="workspace"),
    # the manifest, the ledger and what they rest on
    Row("in the home folder", "apply m.yaml --auto-approve", 64, CHANGED, lambda b: b.patch.setenv("HOME", str(b.folder)), says="home"),
    Row("a second manifest without a name", "plan m.yaml", 65, CHANGED, applies_elsewhere, says="of its own"),
    Row("exported", "export -o out.yaml", 0, files=frozenset({"out.yaml"})),
    Row("no such section", "export --only people", 64),
    Row("a folder that is not empty", "init --yes -o .", 64),
    Row("declared", "tag add new --in m.yaml", 0),
    Row("declared already", "tag add vip --in m.yaml", 0),
    Row("all is well", "doctor m.yaml", 0),
    Row("no such form", "doctor --format nosuch", 64),
    # looking things up
    Row("found", "get tags vip", 0),
    Row("not found", "get tags nope", 1),
    Row("another workspace", "get tags --app-id other", 3),
    Row("no such section", "get people", 64),
    Row("attributes, as CSV", "get attributes --format csv --read-only", 0, says="0 writes possible, 2 reads"),
    Row("counted", "get tags --counts", 0, says="counting the uses of 2 tags: 8 reads"),
    Row("a count that fails", "get tags --counts", 1, before=fails("POST", "^/contacts/search", status=401)),
    Row("no such form", "get tags --format xml", 64),
    # what is live, as a manifest
    Row("to a new folder", "export -o out", 0, files=EXPORTED),
    Row("to nowhere", "export -o no/out", 64, says="no/out"),
    Row("into what is invalid", "export -o m.yaml", 65, "tags: [vip\n"),
    Row("of another workspace", "export --app-id other", 3),
    Row("of what cannot be read", "export", 1, before=fails("GET", "^/tags$", status=401)),
    Row("into a new folder", "init -o out --yes --ledger none", 0, files=EXPORTED | {"out/schema.json", "intercom-policy.yaml"}),
    Row("nobody to ask", "init -o out", 64),
    Row("into a folder with something in it", "init -o . --yes", 64),
    # tags of the manifest
    Row("new", "tag add trial", 0),
    Row("no such tag", "tag rename nope new", 64),
    Row("where nothing is valid", "tag retire old", 65, "tags: [vip\n"),
    Row("all of them", "tag report --read-only", 0, says="0 writes possible"),
    Row("no verb of it", "tag", 64),
    # the page of the taxonomy
    Row("written", "docs m.yaml", 0, files=frozenset({"TAXONOMY.md", "taxonomy.html"})),
    Row("not yet written", "docs m.yaml --check", 2, says="TAXONOMY.md would change"),
    Row("to nowhere", "docs m.yaml -o no/out", 64, says="no/out"),
    # whether all is well
    Row("well", "doctor", 0),
    Row("no token", "doctor", 1, before=variable("INTERCOM_ACCESS_TOKEN", "")),
    Row("a probe of no workspace", "doctor --probe --yes", 64),
    Row("a probe that may only read", "doctor --probe --yes --app-id sandbox1 --read-only", 64, says="--read-only: a probe makes things"),
    Row("a read", "api GET /me", 0),
    Row("a refused read", "api GET /contacts/nope", 1),
    Row("a read of nothing", "api GET", 64),
    Row("a write where only reads may be", "api POST /tags -f name=new --read-only", 64, says="0 writes possible, 0 reads"),
    Row("a read that climbs", "api GET /contacts/../me", 64),
    Row("a write in CI", "api POST /tags -f name=new", 64, before=variable("CI", "true")),
    Row("a write in CI that is meant", "api POST /tags -f name=new --allow-write", 0, before=variable("CI", "true"), writes=1),
    Row("whose token it is", "auth status", 0),
    Row("no token", "auth status", 1, before=variable("INTERCOM_ACCESS_TOKEN", "")),
    Row("a seed that is none", "sandbox seed m.yaml --data box.db", 64, "nonsense: [1]\n", files=frozenset({"box.db"})),
    Row("no such verb of it", "sandbox nosuch", 64),
    Row("help", "--help", 0),
    Row("help", "plan --help", 0),
    Row("which release", "--version", 0),
    Row("no file of it", "fleet validate", 65, says="fleet.yaml: there is no such file"),
    Row("nobody to ask", "fleet apply", 64, says="nobody can be asked here"),
    Row("no verb", "", 64),
    Row("an unknown verb", "destroy", 64),
    Row("an unknown option", "plan m.yaml --force", 64, CHANGED),
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_it_ends_with_its_code_and_leaves_what_it_says(row: Row, desk: Desk) -> None:
    desk.seed(**SEED)
    desk.write("m.yaml", row.m)
    row.before(desk)
    desk.box.forget_requests()
    before = desk.files()
    code = desk(*row.verb.split())
    assert code == row.code, desk.err
    assert len(desk.writes) == row.writes, desk.writes
    beside = ("-wal", "-shm", ".lock", "/last")
    left = {name for name in desk.files() - before if not name.endswith(beside) and not name.startswith(".reconciler/images")}
    assert left == row.files
    assert row.says in desk.err
    assert code in (0, 2) or "Traceback" not in desk.err
    assert code in (0, 2, 3) or desk.out == "" or row.verb.startswith(("apply", "api", "doctor", "lint", "rehearse"))


def test_every_verb_has_its_rows() -> None:
    assert {row.verb.split()[0] for row in ROWS if row.verb} >= set(VERBS)
    assert len(ROWS) >= 40
    assert len({row.name for row in ROWS}) >= len(ROWS) - 8, "two rows of one verb in one situation"
    assert {0, 1, 2, 3, 4, 5, 6, 64, 65} == {row.code for row in ROWS}


def test_what_is_refused_is_told_all_at_once(desk: Desk) -> None:
    desk.seed(**SEED)
    text = "policy: {missing_contacts: error, limits: {deletes: 0, creates: 0}}\ntags: [new, {name: old, state: absent}]\n"
    assert desk("apply", "m.yaml", "--auto-approve", m=text + "contacts: [{external_id: a}, {external_id: b}]\n") == 3
    assert len([line for line in desk.err.splitlines() if "refused: " in line]) == 4
    assert desk.writes == []


def test_a_plan_never_makes_the_folder_of_the_memory(desk: Desk) -> None:
    desk.seed(**SEED)
    assert desk.plan(m=CHANGED) == 2
    assert not Path(HELD).exists()
