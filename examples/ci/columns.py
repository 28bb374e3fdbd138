"""columns.py OUT ENV...: the plans of several environments, plan-ENV-*.json and plan-ENV.md in OUT, side by side in plan.md."""

import json
import sys
from pathlib import Path

# GitHub takes 65,536 characters for a comment.
MOST = 64_000
MARKER = "<!-- reconciler:plan -->\n"


def main(out: Path, environments: list[str]) -> None:
    found = {name: plan_of(out, name) for name in environments}
    actions = dict.fromkeys(action for plan in found.values() if plan for action, number in plan["summary"].items() if number)
    rows = [(action, [plan and plan["summary"].get(action, 0) for plan in found.values()]) for action in actions]
    rows += [("calls", [plan and plan["cost"]["calls"] for plan in found.values()])]
    rows += [("people who lose something", [plan and plan.get("people", {}).get("losing", 0) for plan in found.values()])]
    rows += [("refused", [plan and (len(plan["refused"]) or "no") for plan in found.values()])]
    lines = [f"| | {' | '.join(environments)} |", f"| --- {'| --- ' * len(environments)}|"]
    lines += [
        f"| {name} | {' | '.join('no plan' if cell is None else f'{cell:,}' if isinstance(cell, int) else cell for cell in cells)} |"
        for name, cells in rows
    ]
    text = MARKER + "\n".join(lines) + "\n"
    for name in environments:
        path = out / f"plan-{name}.md"
        report = path.read_text(encoding="utf-8").removeprefix(MARKER) if path.exists() else "There is no report: the log says why.\n"
        part = f"\n<details><summary>{name}</summary>\n\n{report}\n</details>\n"
        text += part if len(text) + len(part) < MOST else f"\nThe report for {name} is too long for here: it is a file of this run.\n"
    (out / "plan.md").write_text(text, encoding="utf-8")


def plan_of(out, name):
    """The plan of an environment; None where none was made."""
    path = next(iter(sorted(out.glob(f"plan-{name}-*.json"))), None)
    return json.loads(path.read_text(encoding="utf-8")) if path else None


main(Path(sys.argv[1]), sys.argv[2:])
