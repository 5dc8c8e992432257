"""``explain`` and ``rejudge``: why a release ended as it did, and by other rules."""

from __future__ import annotations

from json import loads
from pathlib import Path
from typing import Annotated

import typer
import yaml

from workflows.cli.app import (
    ExitStatus,
    TargetArgument,
    connect,
    make_stdout_console,
)
from workflows.cli.explanation_page import render_explanation
from workflows.cli.field_names import FieldNames
from workflows.cli.output import JsonOption, print_json
from workflows.cli.release_file import parse_input
from workflows.cli.tables import make_rejudgements_table
from workflows.client.errors import BadRequest
from workflows.client.rejudge import Rejudgement, summarize
from workflows.domain.rules import Rules


async def explain(
    target: TargetArgument,
    *,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN_ID",
            help="An earlier run of the rollout, as `history --json` lists it.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
) -> ExitStatus:
    """Explain from the history why a release was promoted or rolled back.

    Shows the rules, the measurements, each verdict, and every control.

    $ releases explain checkout:live
    $ releases explain release-checkout-20261125-101500    # the id of an older release

    The last release of an alias, or the running one; no worker is needed.
    """
    explanation = await (await connect()).explain(target, run_id=run)
    if json:
        print_json(explanation)
    else:
        make_stdout_console().print(render_explanation(explanation))
    return ExitStatus.SUCCEEDED


async def rejudge(
    target: TargetArgument,
    *,
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            metavar="FILE|JSON",
            show_default=False,
            help="Rules, as guards.metrics takes them: "
            '\'{"not_worse": [{"metric": "error_rate", "margin": 0.01}]}\', '
            "or a file of JSON or YAML.",
        ),
    ],
    limit: Annotated[
        int,
        typer.Option(
            "--runs", "--limit", "-n", min=1, max=1000, help="At most so many runs, the newest."
        ),
    ] = 20,
    json: JsonOption = False,
) -> ExitStatus:
    """Assess past releases by other rules: which would they have stopped?

    $ releases rejudge checkout:live --policy '{"not_worse": [{"margin": 0.005}], "alpha": 0.001}'

    Reads the measurements in the histories; changes nothing. A release was good if it succeeded,
    bad if metrics, an alarm, a hook, a probe or a person stopped it. What was not measured at the
    time is reported as missing. How callers would have fared with other traffic is unknown.
    """
    rules = parse_input(_read_policy(policy), Rules, names=FieldNames({"": "--policy"}))
    if not rules.has_criteria:
        raise BadRequest(["--policy: name what is judged: limits, not_worse or both"])
    rejudgements = await (await connect()).rejudge(target, rules, limit=limit)
    if json:
        print_json(rejudgements, list[Rejudgement])
        return ExitStatus.SUCCEEDED
    console = make_stdout_console()
    console.print(make_rejudgements_table(rejudgements))
    console.print(summarize(rejudgements), soft_wrap=True)
    return ExitStatus.SUCCEEDED


def _read_policy(text: str) -> object:
    try:
        if text.lstrip().startswith("{"):
            return loads(text)
        return yaml.safe_load(Path(text).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRequest([f"--policy: {text} cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise BadRequest([f"--policy: {text} is not text in UTF-8: {error.reason}"]) from None
    except (ValueError, yaml.YAMLError) as error:
        raise BadRequest(
            [f"--policy: neither JSON nor YAML: {' '.join(str(error).split())}"]
        ) from None
