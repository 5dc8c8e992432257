"""A plan, in Markdown, for a pull request."""

from __future__ import annotations

from typing import Any

from deploy.ci.markdown import escape, fence, fold, quote_code
from deploy.ci.releases_command import Output


def render_plan(target: str, planned: Output, *, revision: str = "") -> str:
    """Render what ``releases plan -o json`` printed, or why it printed nothing."""
    plan = planned.document
    if not isinstance(plan, dict):
        problem = planned.problem or planned.text or "it printed nothing"
        return "\n\n".join(
            [
                f"### ⚠️ {quote_code(target)}: no plan",
                f"`releases plan` ended with status {planned.status}:",
                fence(problem),
            ]
        )
    name = f"{plan['target']['function']}:{plan['target']['alias']}"
    parts = [_render_title(name, plan), _render_facts(plan, revision)]
    if plan["refusals"]:
        parts.append(_render_list(plan["refusals"]))
    if plan["steps"]:
        parts.append("\n".join(f"{n}. {escape(step)}" for n, step in enumerate(plan["steps"], 1)))
    if plan["notes"]:
        parts.append("**Notes**\n\n" + _render_list(plan["notes"]))
    if plan["calls"]:
        calls = "\n".join(f"{count:>3} × {name}" for name, count in sorted(plan["calls"].items()))
        parts.append(fold("Calls to AWS, roughly", fence(calls)))
    return "\n\n".join(filter(None, parts))


def _render_title(name: str, plan: dict[str, Any]) -> str:
    if plan["refusals"]:
        return f"### ❌ {quote_code(name)} would be rejected"
    return f"### 🟢 {quote_code(name)}: what a release would do"


def _render_facts(plan: dict[str, Any], revision: str) -> str:
    facts = {
        "where": "/".join(filter(None, (plan["account"], plan["region"]))),
        "live": f"version {plan['stable']}" if plan["stable"] else "",
        "candidate": f"version {plan['candidate']}" if plan["candidate"] else "",
        "takes at least": _format_duration(plan["at_least"]) if plan["steps"] else "",
        "commit": revision[:12],
    }
    return " · ".join(f"{name} {escape(value)}" for name, value in facts.items() if value)


def _render_list(lines: list[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


def _format_duration(duration: str) -> str:
    """``PT1H30M`` as ``1h 30m``; nothing for no time at all."""
    if duration in {"PT0S", ""}:
        return ""
    text = duration.removeprefix("P").replace("T", " ").lower()
    for unit in "dhm":
        text = text.replace(unit, f"{unit} ")
    return " ".join(text.split())
