"""Rules that are accepted, and those that are not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from workflows.domain.rules import Rules


@pytest.mark.parametrize(
    "wrong",
    [
        {"limits": [{"metric": "error_rate"}]},
        {"limits": [{"metric": "errors", "max": 1}]},
        {"limits": [{"metric": "duration_p999", "max": 1}]},
        {"limits": [{"metric": "error_rate", "max": 1, "minutes": 0}]},
        {"not_worse": [{"margin": 0}]},
        {"not_worse": [{"margin": 0.5}]},
        {"not_worse": [{"metric": "invocations"}]},
        {"not_worse": [{}, {"margin": 0.01}]},
        {"alpha": 0},
        {"alpha": 0.6},
        {"beta": 0.1},
    ],
)
def test_invalid_rules_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="validation error for Rules"):
        Rules.model_validate(wrong)
