"""How a release ended, in Markdown, for the summary of a job."""

from __future__ import annotations

from typing import Any, Final

from deploy.ci.markdown import escape, fence, fold, quote_code

WORDS: Final = {
    "succeeded": "released",
    "rolled_back": "rolled back",
    "rejected": "rejected, nothing was touched",
    "not_rolled_back": "NOT rolled back: look at the alias",
    "killed": "terminated: look at the alias",
}
"""What the outcomes of ``releases`` mean."""

_ICONS: Final = {"succeeded": "✅", "rolled_back": "↩️", "rejected": "❌"}
_ALARM: Final = "🚨"


def render_ending(
    release_id: str, ending: dict[str, Any], *, explanation: str = "", page: str = ""
) -> str:
    """Render the ending of ``releases watch -o json``, with what ``explain`` prints."""
    status = ending.get("status") or {}
    target = status.get("target") or {}
    name = ":".join(filter(None, (target.get("function"), target.get("alias")))) or release_id
    outcome = ending["outcome"]
    is_idle = outcome == "succeeded" and ending["note"].startswith("Nothing to do")
    words = "nothing to do" if is_idle else WORDS.get(outcome, outcome)
    title = f"{_ICONS.get(outcome, _ALARM)} {words}"
    parts = [f"### {title}: {quote_code(name)}", escape(ending["note"])]
    problems = status.get("problems") or []
    if len(problems) > 1:
        lines = [f"- {escape(each['field'])}: {escape(each['problem'])}" for each in problems]
        parts.append("\n".join(lines))
    routing = status.get("routing") or {}
    rows = {
        "stable": status.get("stable"),
        "candidate": status.get("candidate"),
        "traffic of the candidate": f"{routing['percent']}%" if "percent" in routing else "",
        "where": "/".join(filter(None, (status.get("account"), status.get("region")))),
        "release": f"[{escape(release_id)}]({page})" if page else escape(release_id),
    }
    lines = [f"| {key} | {value} |" for key, value in rows.items() if value]
    parts.append("\n".join(["| | |", "|---|---|", *lines]))
    if explanation:
        parts.append(fold("What happened", fence(explanation)))
    return "\n\n".join(parts)
