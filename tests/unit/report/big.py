"""Large and hostile plans for the reports that are pages."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.plan.schema import ChangeDocument, NoteDocument, PlanDocument, RefusalDocument
from tests.unit.report.plans import a_change, a_field, a_note, a_plan

PAGE = "https://app.intercom.com/a/apps/ecahpwf5/"
HOSTILE = (
    "a|b", "```", "``` `` `", "</details>", "</pre></details>", "<!-- x -->", "<!-- reconciler:plan -->", "--> <!--", "@serenity/crew",
    "#12", "GH-12", "serenity/crew#12", "<img src=x onerror=window.pwned=1>", "<script>window.pwned=1</script>",
    "</script><script>window.pwned=1</script>", "[x](javascript:window.pwned=1)", "![x](https://evil.example/x.png)",
    "https://github.com/serenity/crew/issues/12", "www.evil.example", "*b*", "__b__", "~~b~~", "\\", "\\|", "|\\", "`a`|`b`",
    "&lt;b&gt;&#64;crew", "\x00\x1b[31m", "a\nb\n\n# c", "\u202eabc", "\ud800", "::error::x", "##[add-mask]x",
    "\" onmouseover=window.pwned=1 x=\"", "{{ 7*7 }}{% raw %}", "]]>", "<svg/onload=window.pwned=1>", "\U0001f331\u2692\ufe0f", "1. x",
    "- x", "> x", "    x", "1a2b3c4d5e6f", "wash@serenity.example", "", " ", "$(id)", ":smile:",
    "<a href='javascript:window.pwned=1'>x</a>",
)  # fmt: skip


def a_large_plan(number: int) -> PlanDocument:
    """Tags, companies and contacts with links, as a team of some size would plan them, and refused for two reasons."""
    changes = [*_tags(number // 50), *_companies(number // 5)]
    changes += _people(number - len(changes))
    over = "9000 attaches, the limit is 1000; if they are meant, approve"
    refused: list[RefusalDocument] = [{"gate": "limits.attaches", "message": over, "approve": "1a2b3c4d5e6f:600"}]
    refused.append({"gate": "protect", "message": "growth.yaml:4: this tag is protected", "approve": None})
    notes = [a_note("missing", f"contact/{n}", "not found; left out", n) for n in range(number // 100)]
    people = {"losing": 3210, "exact": False}
    return a_plan(*changes, refused=refused, notes=notes, people=people)


def _tags(number: int) -> Iterator[ChangeDocument]:
    for n in range(number):
        uses = {"contacts": 600 + n, "companies": 4, "conversations": 50, "content items": None}
        more = {"people": 600 + n, "uses": uses, "uncounted": ["tickets"], "page": f"{PAGE}settings/data/tags"} if n % 3 == 0 else {}
        yield a_change(("delete", "create", "rename")[n % 3], f"tag/\U0001f331campaign {n}", line=n + 1, **more)


def _companies(number: int) -> Iterator[ChangeDocument]:
    for n in range(number):
        fields = (a_field("plan", "plan1", "plan2"), a_field("custom_attributes.paid_subscriber", None, True), a_field("size", n, n + 1))
        yield a_change("update", f"company/{n}", *fields, line=100 + n, page=f"{PAGE}companies/5f3e2d1c{n:08}", cause="drift")


def _people(number: int) -> Iterator[ChangeDocument]:
    for n in range(number):
        who = f"contact/h***@serenity.example#{n // 4:08x}"
        action = "detach" if n % 7 == 0 else "attach"
        yield a_change(action, who, target=f"tag/campaign {n % 4}", line=3000 + n // 4, page=f"{PAGE}users/63a07ddf05a32042df{n // 4:06}")


def a_hostile_plan(text: str) -> PlanDocument:
    """The text in every place that others can write, the places that only we write included."""
    change = a_change("update", f"tag/{text}", a_field(text, text, {text: [text]}, text), cause=text, page=text, origin=text, people=3)
    change |= {"source": {"file": text, "line": 3}, "uses": {text: None}, "uncounted": [text]}
    link = a_change("attach", f"contact/{text}", target=f"tag/{text}", page=f"javascript:{text}")
    equal = [a_change("detach", f"{text}/{n}{text}", target=text, cause=text, page=text, remark=text) for n in range(5)]
    equal[0]["source"] = {"file": text, "line": 7}
    note: NoteDocument = {"topic": text, "address": text, "message": text, "source": {"file": text, "line": 1}}
    refused: list[RefusalDocument] = [{"gate": text, "message": text, "approve": text}]
    plan = a_plan(change, link, *equal, a_change("create", f"{text}/x"), refused=refused, notes=[note, a_note("policy", None, text)])
    plan |= {"workspace": {"app_id": text, "region": text}, "manifest": {"paths": [text, text], "digest": text}, "partial": True}
    return {**plan, "scope": {"target": [text], "exclude": []}, "cost": {"calls": 3, "seconds": 1.0, "routes": {text: 3}}}
