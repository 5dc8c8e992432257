"""``explain`` and ``rejudge``: why a release ended as it did, and what other rules would have made of past ones."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer
import yaml
from pydantic import TypeAdapter

from workflows.cli.app import Exit, Json, Target, connect, out
from workflows.cli.release_file import checked
from workflows.cli.render import explanation_page, rejudged_table
from workflows.client.errors import BadRequest
from workflows.client.explain import Explanation
from workflows.client.rejudge import Rejudged, summary
from workflows.domain.rules import Rules


async def explain(
    target: Target,
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
    json: Json = False,
) -> Exit:
    """Tell from the history why a release was promoted or rolled back: the rules, what was measured, each verdict, who said what.

    $ releases explain checkout:live
    $ releases explain release-checkout-20261125-101500    # the id of an older release

    The last release of an alias, or the one under way; no worker is needed.
    """
    told = await (await connect()).explain(target, run_id=run)
    if json:
        typer.echo(TypeAdapter(Explanation).dump_json(told, indent=2).decode())
    else:
        out().print(explanation_page(told))
    return Exit.SUCCEEDED


async def rejudge(
    target: Target,
    *,
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            metavar="FILE|JSON",
            show_default=False,
            help='Rules, as guards.metrics takes them: \'{"not_worse": [{"metric": "error_rate", "margin": 0.01}]}\', or a file of JSON or YAML.',
        ),
    ],
    limit: Annotated[
        int,
        typer.Option(
            "--runs", "--limit", "-n", min=1, max=1000, help="Of at most so many runs, the newest."
        ),
    ] = 20,
    json: Json = False,
) -> Exit:
    """Judge past releases by other rules: would they have stopped the bad ones, and how many of the good ones?

    $ releases rejudge checkout:live --policy '{"not_worse": [{"metric": "error_rate", "margin": 0.005}], "alpha": 0.001}'

    Reads the measurements in the histories; changes nothing. A release was good if it succeeded, bad if metrics, an alarm, a hook, a probe or a person
    stopped it. What was not measured at the time is said, not guessed; nor is known what callers would have met had these rules sent other traffic.
    """
    rules = checked(_policy(policy), Rules)
    if not rules.has_criteria:
        raise BadRequest(["--policy: name what is judged: limits, not_worse or both"])
    rejudged = await (await connect()).rejudge(target, rules, limit=limit)
    if json:
        typer.echo(TypeAdapter(list[Rejudged]).dump_json(rejudged, indent=2).decode())
        return Exit.SUCCEEDED
    out().print(rejudged_table(rejudged))
    out().print(summary(rejudged), soft_wrap=True)
    return Exit.SUCCEEDED


def _policy(text: str) -> object:
    try:
        if text.lstrip().startswith("{"):
            return json_module.loads(text)
        return yaml.safe_load(Path(text).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest([f"--policy: cannot be read: {error}"]) from None
    except (ValueError, yaml.YAMLError) as error:
        raise BadRequest(
            [f"--policy: neither JSON nor YAML: {' '.join(str(error).split())}"]
        ) from None
