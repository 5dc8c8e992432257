"""Policies, and roles that have them, as Terraform's JSON: ``iam.tf.json``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from deploy.iam.cloudformation import list_parameters
from deploy.iam.policy import Document
from deploy.iam.resources import PARAMETER
from deploy.iam.tiers import Tier

_PREFIX: Final = "lambda-releases-"


def build_module(policies: Mapping[Tier, Document], trust: Document | None) -> Document:
    """Return a module: a policy for each tier, and with ``trust`` a role for each.

    What stands in names as ``${Name}`` is a variable, in small letters.
    """
    names = list_parameters([*policies.values(), trust])
    variables = {"variable": {_to_variable(name): {"type": "string"} for name in names}}
    resources: Document = {
        "aws_iam_policy": {
            str(tier): {
                "name_prefix": f"{_PREFIX}{tier}-",
                "description": f"lambda-releases: {tier}",
                "policy": _to_template(policy),
            }
            for tier, policy in policies.items()
        }
    }
    outputs = {
        f"{tier}_policy_arn": {"value": f"${{aws_iam_policy.{tier}.arn}}"} for tier in policies
    }
    if trust:
        resources["aws_iam_role"] = {
            str(tier): {
                "name_prefix": f"{_PREFIX}{tier}-",
                "assume_role_policy": _to_template(trust),
            }
            for tier in policies
        }
        resources["aws_iam_role_policy_attachment"] = {
            str(tier): {
                "role": f"${{aws_iam_role.{tier}.name}}",
                "policy_arn": f"${{aws_iam_policy.{tier}.arn}}",
            }
            for tier in policies
        }
        outputs |= {
            f"{tier}_role_arn": {"value": f"${{aws_iam_role.{tier}.arn}}"} for tier in policies
        }
    return {**(variables if names else {}), "resource": resources, "output": outputs}


def _value(expression: str) -> Document:
    return {"value": f"${{{expression}}}"}


def _to_variable(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _to_template(document: Document) -> str:
    """Return a policy as a text of Terraform, whose own ``${`` are doubled."""
    text = json.dumps(document)
    return PARAMETER.sub(lambda found: f"${{var.{_to_variable(found[0][2:-1])}}}", text)
