"""``releases``: the command line. Every command is a few lines over :class:`workflows.client.client.ReleaseClient`.

Reading order: :mod:`~workflows.cli.app` (connection, errors, exit statuses) · :mod:`~workflows.cli.start` (start, rollback, plan)
with its :mod:`~workflows.cli.flags`, :mod:`~workflows.cli.release_file` and :mod:`~workflows.cli.upload` · :mod:`~workflows.cli.status`
(status, history), :mod:`~workflows.cli.explain` (explain, rejudge) and :mod:`~workflows.cli.watch` (watch), drawn by :mod:`~workflows.cli.render` · :mod:`~workflows.cli.controls`
(the five controls) · :mod:`~workflows.cli.schedule` (schedule …).
"""

from __future__ import annotations

from typing import NoReturn

from workflows.cli import controls, explain, schedule, start, status, watch
from workflows.cli.app import app, command
from workflows.temporal.process_exit import run_and_exit

__all__ = ["app", "main"]


def main() -> NoReturn:
    """Run the command that the arguments name, and exit with its status."""
    run_and_exit(app)


app.command()(command(start.start))
app.command()(command(status.status))
app.command()(command(watch.watch))
app.command()(command(controls.approve))
app.command()(command(controls.pause))
app.command()(command(controls.resume))
app.command()(command(controls.promote))
app.command()(command(controls.abort))
app.command()(command(start.rollback))
app.command()(command(status.history))
app.command()(command(explain.explain))
app.command()(command(explain.rejudge))
app.command()(command(start.plan))
app.add_typer(schedule.app, name="schedule")
