"""Names of CloudWatch alarms, which may be given as ARNs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints

from workflows.domain.target import Place

_ARN: Final = re.compile(r"arn:[\w-]+:cloudwatch:([a-z0-9-]+):(\d{12}):alarm:(.+)", re.ASCII)
_MAX_NAME_CHARACTERS: Final = 255
_MAX_ARN_CHARACTERS: Final = 350


def name_of_alarm(reference: str) -> str:
    """Return the name of an alarm that is given by its name or its ARN."""
    found = _ARN.fullmatch(reference)
    return found[3] if found else reference


def find_foreign_alarms(references: Iterable[str], place: Place) -> Iterator[str]:
    """Yield a reason for each alarm whose ARN is of another account or region than the function."""
    for reference in references:
        found = _ARN.fullmatch(reference)
        if found is None:
            continue
        for what, named, served in (
            ("region", found[1], place.region),
            ("account", found[2], place.account),
        ):
            if named != served:
                yield (
                    f"guards.alarms: {reference} is an alarm of {what} {named}, and the function "
                    f"is in {what} {served}: only alarms of its own {what} can guard it"
                )


def _check_reference(value: str) -> str:
    if value.startswith("arn:") and not _ARN.fullmatch(value):
        raise ValueError("not the ARN of a CloudWatch alarm")
    if len(name_of_alarm(value)) > _MAX_NAME_CHARACTERS:
        raise ValueError(f"a name of more than {_MAX_NAME_CHARACTERS} characters")
    return value


AlarmReference = Annotated[
    str,
    StringConstraints(min_length=1, max_length=_MAX_ARN_CHARACTERS),
    AfterValidator(_check_reference),
]
"""The name of an alarm, or its ARN."""
