"""``releases``: the command line. Every command is a few lines over :class:`workflows.client.ReleaseClient`.

Reading order: :mod:`~workflows.cli.application` (connection, errors, exit statuses) · :mod:`~workflows.cli.starting` (start, rollback, plan)
with its :mod:`~workflows.cli.flags`, :mod:`~workflows.cli.documents` and :mod:`~workflows.cli.packages` · :mod:`~workflows.cli.looking`
(status, history), :mod:`~workflows.cli.explaining` (explain, rejudge) and :mod:`~workflows.cli.following` (watch), drawn by :mod:`~workflows.cli.pages` · :mod:`~workflows.cli.steering`
(the five controls) · :mod:`~workflows.cli.scheduling` (schedule …).
"""

from __future__ import annotations

from typing import NoReturn

from workflows.cli import explaining, following, looking, scheduling, starting, steering
from workflows.cli.application import app, command
from workflows.exiting import exiting

__all__ = ["app", "main"]


def main() -> NoReturn:
    """Run the command that the arguments name, and exit with its status."""
    exiting(app)


app.command()(command(starting.start))
app.command()(command(looking.status))
app.command()(command(following.watch))
app.command()(command(steering.approve))
app.command()(command(steering.pause))
app.command()(command(steering.resume))
app.command()(command(steering.promote))
app.command()(command(steering.abort))
app.command()(command(starting.rollback))
app.command()(command(looking.history))
app.command()(command(explaining.explain))
app.command()(command(explaining.rejudge))
app.command()(command(starting.plan))
app.add_typer(scheduling.app, name="schedule")
