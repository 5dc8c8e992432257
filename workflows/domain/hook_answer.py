"""What others say about a release: the answer of a hook, and why a release has to stop."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError


class HookAnswer(BaseModel):
    """What a hook answers: ``{"accept": true}`` or ``{"accept": false, "reason": "…"}``. Other keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    accept: StrictBool
    reason: str = Field(default="", max_length=4096)


def parse_hook_answer(answer: bytes | None, *, function_error: str | None) -> HookAnswer:
    """Read a hook's answer. Whatever is not a clear yes is a no: a crash, no answer, or one that we cannot read."""
    if function_error:
        return HookAnswer(accept=False, reason=f"it failed ({function_error})")
    if not answer or answer.strip() == b"null":
        return HookAnswer(accept=False, reason="it gave no answer")
    try:
        given = HookAnswer.model_validate_json(answer)
    except ValidationError:
        return HookAnswer(
            accept=False,
            reason='its answer is not of the form {"accept": true|false, "reason": "…"}',
        )
    return HookAnswer(
        accept=given.accept,
        reason=given.reason[:500] or ("" if given.accept else "it gave no reason"),
    )
