"""What no message may say: phrases that pydantic has for Python programmers."""

from __future__ import annotations

import re
from typing import Final

PYDANTIC: Final = re.compile(
    r"Input should|Extra inputs|Field required|should (match|have|be)|Unable to|Value error|"
    r"Assertion failed|Keys should|\[key\]|Invalid JSON|valid (string|integer|number|list|"
    r"dictionary|boolean|array|tuple)|datetime\.|pydantic|discriminator|attributes|"
    r"validation error"
)
