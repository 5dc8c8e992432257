"""``releases``: the command line, a thin layer over :mod:`workflows.client`.

Reading order:

- :mod:`~workflows.cli.app`: the application: connection, output, errors, exit statuses
- :mod:`~workflows.cli.place`: ``--account`` and ``--region``
- :mod:`~workflows.cli.output`: the format of the output: text or JSON;
  :mod:`~workflows.cli.output_schema`: what JSON each command prints
- :mod:`~workflows.cli.start`: ``start``; :mod:`~workflows.cli.rollback`: ``rollback``
- :mod:`~workflows.cli.start_report`: what came of a start
- :mod:`~workflows.cli.plan`: ``plan``
- :mod:`~workflows.cli.flags`: the flags of a release
- :mod:`~workflows.cli.release_file`: builds the request from flags and file
- :mod:`~workflows.cli.field_names`: names a field by the flag that it was typed with
- :mod:`~workflows.cli.usage`: the words for wrong usage
- :mod:`~workflows.cli.upload`: uploads a local package
- :mod:`~workflows.cli.status`: ``status``, ``history``
- :mod:`~workflows.cli.shown_release`: one release as ``status -o json`` prints it
- :mod:`~workflows.cli.watch`: ``watch``; :mod:`~workflows.cli.watch_page` is what it shows on a
  terminal
- :mod:`~workflows.cli.controls`: ``approve``, ``pause``, ``resume``, ``promote``, ``abort``,
  ``give-up``, ``resolve``
- :mod:`~workflows.cli.explain`: ``explain``, ``rejudge``
- :mod:`~workflows.cli.stats`: ``stats``
- :mod:`~workflows.cli.schedule`: ``schedule …``
- :mod:`~workflows.cli.doctor`: ``doctor``; :mod:`~workflows.cli.repair`: ``repair``
- :mod:`~workflows.cli.notes`: what a person should know, on stderr
- :mod:`~workflows.cli.render`: statuses, updates and plans as text
- :mod:`~workflows.cli.status_page`: the status of one release as text
- :mod:`~workflows.cli.tables`: lists of releases and schedules as tables
- :mod:`~workflows.cli.explanation_page`: explanations as text
- :mod:`~workflows.cli.console`: consoles and listings for terminals and pipes
- :mod:`~workflows.cli.styles`: colours and symbols
- :mod:`~workflows.cli.charset`: output where the terminal's encoding lacks a character
"""

from __future__ import annotations

import sys
from typing import NoReturn

from workflows.cli import (
    controls,
    doctor,
    explain,
    plan,
    repair,
    rollback,
    schedule,
    start,
    stats,
    status,
    watch,
)
from workflows.cli.app import app, make_command
from workflows.cli.charset import refuse_unreadable_arguments, spell_unencodable
from workflows.temporal.process_exit import run_and_exit

__all__ = ["app", "main"]


def main() -> NoReturn:
    """Run the command that the arguments name, and exit with its status."""
    spell_unencodable()
    refuse_unreadable_arguments(sys.argv[1:])
    run_and_exit(app)


app.command()(make_command(start.start))
app.command()(make_command(status.status))
app.command()(make_command(watch.watch))
app.command()(make_command(controls.approve))
app.command()(make_command(controls.pause))
app.command()(make_command(controls.resume))
app.command()(make_command(controls.promote))
app.command()(make_command(controls.abort))
app.command()(make_command(controls.give_up))
app.command()(make_command(controls.resolve))
app.command()(make_command(rollback.rollback))
app.command()(make_command(status.history))
app.command()(make_command(explain.explain))
app.command()(make_command(explain.rejudge))
app.command()(make_command(plan.plan))
app.command()(make_command(stats.stats))
app.command()(make_command(doctor.doctor))
app.command()(make_command(repair.repair))
app.add_typer(schedule.app, name="schedule")
