from __future__ import annotations

import pytest

from tests.activities.port import Port


@pytest.fixture
def port() -> Port:
    return Port()
