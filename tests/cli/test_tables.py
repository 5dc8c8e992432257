"""Tables on 80 columns."""

from __future__ import annotations

from datetime import timedelta

from tests.cli.pages import ANALYSES, assert_readable, make_run, render_lines
from workflows.cli.tables import make_rejudgements_table
from workflows.client.rejudge import Rejudgement, ReleaseQuality
from workflows.client.stop_cause import StopCause
from workflows.domain.assessment import Verdict


def test_rejudgements_fit_80_columns() -> None:
    rejudged = [
        Rejudgement(make_run(), ReleaseQuality.GOOD, None),
        Rejudgement(
            make_run(),
            ReleaseQuality.BAD,
            StopCause.ALARM,
            Verdict.FAILED,
            timedelta(seconds=45),
            ANALYSES[1],
            ("Sum of Shop Refused at most 3",),
        ),
        Rejudgement(
            make_run(), ReleaseQuality.NEITHER, StopCause.OTHER, Verdict.PENDING, None, ANALYSES[0]
        ),
    ]
    page = render_lines(make_rejudgements_table(rejudged))
    assert_readable(page, most=20)
    text = " ".join(" ".join(page).split())
    for words in ("nothing was measured", "failed after 45 s", "undecided", "stopped by an error"):
        assert all(word in text for word in words.split())
