"""The traffic of the local stack."""

import pytest

from deploy.local.traffic import Tally


def test_tally_counts_responses_since_an_earlier_one() -> None:
    tally = Tally()
    tally.responses.update({"1": 9})
    before = tally.copy()
    tally.responses.update({"1": 3, "2": 1})
    tally.failed.update({"2": 1})
    assert tally.get_share("2") == pytest.approx(1 / 13)
    assert str(tally.since(before)) == "version 1: 3, version 2: 1 (1 failed)"
