"""The answer of a hook: whether a release may go on."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

_MAX_REASON_LENGTH: Final = 500


class HookAnswer(BaseModel):
    """``{"accept": true}`` or ``{"accept": false, "reason": "…"}``.

    Other keys are ignored.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    accept: StrictBool
    reason: str = Field(default="", max_length=4096)


def parse_hook_answer(answer: bytes | None, *, function_error: str | None) -> HookAnswer:
    """Parse the answer of a hook.

    Anything but a clear yes is a no: a crash, no answer, or an answer that is not of this form.
    """
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
        reason=given.reason[:_MAX_REASON_LENGTH] or ("" if given.accept else "it gave no reason"),
    )
