"""Which tests may run side by side: those of one module never, and of those that need the whole machine only one at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

_WHOLE_MACHINE = {"survival", "chaos", "load"}
"""Folders whose tests start several processes each, or kill them."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        module = item.path.relative_to(Path(__file__).parent)
        group = "whole machine" if module.parts[0] in _WHOLE_MACHINE else module.as_posix()
        item.add_marker(pytest.mark.xdist_group(group))
