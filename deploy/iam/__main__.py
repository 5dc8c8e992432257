"""``python -m deploy.iam``: print the IAM policy of a worker, roles with it, or who takes them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from activities.permission_needs import Scope
from deploy.iam.arguments import FLAGS, OutputFormat, Wanted, parse_arguments
from deploy.iam.aws_calls import UnreadableCallError
from deploy.iam.call_graph import CallGraph, read_product
from deploy.iam.cloudformation import build_template, format_template
from deploy.iam.policy import (
    MAX_CHARACTERS,
    Document,
    allow_assumption,
    build_policy,
    count_characters,
)
from deploy.iam.resources import ResourceNameError
from deploy.iam.terraform import build_module
from deploy.iam.tiers import Tier, UnknownCallError, find_tier_actions, find_tier_calls
from deploy.iam.trust import build_trust


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what the arguments name; return the exit status."""
    wanted = parse_arguments(arguments)
    try:
        print(render(wanted), end="")
    except (ResourceNameError, UnknownCallError, UnreadableCallError) as problem:
        print(f"python -m deploy.iam: {problem}", file=sys.stderr)
        return 2
    return 0


def render(wanted: Wanted) -> str:
    """Return what is printed on standard output; notes go to standard error."""
    place = wanted.resources.place
    trust = build_trust(wanted.trusted, place) if wanted.trusted else None
    if trust and wanted.output is OutputFormat.JSON:
        return format_json(trust)
    policies = build_policies(wanted)
    for tier, policy in policies.items():
        if (size := count_characters(policy)) > MAX_CHARACTERS:
            _note(
                f"the policy of tier {tier} has {size} characters, and AWS takes {MAX_CHARACTERS}: "
                "give patterns for names, or make two policies"
            )
    match wanted.output:
        case OutputFormat.JSON:
            if len(policies) > 1:
                raise ResourceNameError(
                    f"--tier {','.join(policies)}: print one policy after the other, or a template "
                    "with all of them (--format cloudformation)"
                )
            return format_json(*policies.values())
        case OutputFormat.CLOUDFORMATION:
            return format_template(build_template(policies, trust))
        case OutputFormat.TERRAFORM:
            return format_json(build_module(policies, trust))


def build_policies(wanted: Wanted, graph: CallGraph | None = None) -> dict[Tier, Document]:
    """Return the policy of each tier, by the code that ``graph`` has read."""
    graph = graph or read_product()
    policies: dict[Tier, Document] = {}
    for tier in wanted.tiers:
        actions = find_tier_actions(find_tier_calls(graph, tier, wanted.operations))
        if not wanted.resources.names.get(Scope.FUNCTION) and tier is not Tier.UPLOAD:
            # A worker that takes a role for each place does nothing else with its own.
            actions = {each: actions[each] for each in actions if each is Scope.CODEC_KEY}
        policies[tier], unnamed = build_policy(actions, wanted.resources)
        if wanted.assumed and tier is not Tier.UPLOAD:
            policies[tier]["Statement"].append(allow_assumption(wanted.assumed))
        if not policies[tier]["Statement"]:
            named = ", ".join(FLAGS[scope][0] for scope in unnamed if scope in FLAGS)
            raise ResourceNameError(f"the policy of tier {tier} allows nothing: give {named}")
        if flags := [FLAGS[scope][0] for scope in unnamed if scope in FLAGS]:
            _note(f"left out of tier {tier}, since nothing is named: {', '.join(flags)}")
    return policies


def format_json(document: Document) -> str:
    """Return a document as people read it."""
    return f"{json.dumps(document, indent=2)}\n"


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
