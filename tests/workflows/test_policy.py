"""Releases of every kind call what their generated policy allows, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deploy.iam.__main__ import build_policies
from deploy.iam.arguments import parse_arguments
from tests.fake_lambda.account import ACCOUNT, REGION
from tests.harness import Harness
from tests.policy_evaluator import Authorization, Caller, is_allowed
from workflows.plan import ReleasePlan

HERE = Caller(ACCOUNT, REGION)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/checkout"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd"
LAYER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:tools:3"
ALARMS = {"guards": {"alarms": ["errors"]}}
STEPS = [
    {"kind": "probe", "requests": [{"payload": {}}]},
    {"kind": "set_weight", "percent": 10},
    {"kind": "bake", "duration": "5m"},
]


def make_policy(harness: Harness, tier: str = "release") -> dict[str, Any]:
    """The policy for this one function, and what its releases use."""
    arguments = [
        *("--functions", harness.function, "--bucket", "artifacts", "--images", "shop"),
        *("--hooks", "preflight,smoke", "--references", "/checkout/*", "--secrets", "checkout/*"),
        *("--role", ROLE, "--layers", "tools", "--key", KEY, "--tier", tier),
        *("--account", ACCOUNT, "--region", REGION),
    ]
    [policy] = build_policies(parse_arguments(arguments)).values()
    return policy


def list_wanted(harness: Harness) -> Iterable[Authorization]:
    """What AWS had to authorize for all calls so far."""
    for call in harness.aws.calls:
        if call.service != "iam":
            yield from HERE.list_authorizations(call.service, call.operation, call.parameters)


def find_outside(harness: Harness, policy: dict[str, Any]) -> list[str]:
    """What the policy does not allow of all calls so far."""
    return [str(each) for each in list_wanted(harness) if not is_allowed(policy, each)]


def use_everything(harness: Harness) -> dict[str, Any]:
    """A release that uses what a release may use."""
    harness.aws.alarms["errors"] = "OK"
    harness.aws.parameters["/checkout/token"] = "x"
    harness.aws.secrets["checkout/password"] = "y"
    harness.aws.handlers[harness.function] = lambda _: {}
    for hook in ("preflight", "smoke"):
        harness.aws.hook(hook, lambda _: {"accept": True})
    variables = {
        "TOKEN": "{{resolve:ssm:/checkout/token}}",
        "PASSWORD": "{{resolve:secretsmanager:checkout/password}}",
    }
    return {
        "artifact": harness.package("three"),
        "configuration": {
            "Role": ROLE,
            "Layers": [LAYER],
            "KMSKeyArn": KEY,
            "Environment": {"Variables": variables},
        },
        "concurrency": {"reserved": 50, "provisioned": 5},
        "hooks": {"before_traffic": "preflight", "after_traffic": "smoke"},
        "guards": {**ALARMS["guards"], "after": "1h"},
        "strategy": {"steps": STEPS},
    }


async def test_release_that_uses_everything_stays_within_its_policy(harness: Harness) -> None:
    end = await harness.release(**use_everything(harness))
    assert end.kind == "Completed", end.text
    assert find_outside(harness, make_policy(harness)) == []
    used = {each.action for each in list_wanted(harness)}
    assert {
        "cloudwatch:DescribeAlarms",
        "iam:PassRole",
        "kms:CreateGrant",
        "lambda:GetLayerVersion",
        "lambda:InvokeFunction",
        "lambda:PutFunctionConcurrency",
        "lambda:PutProvisionedConcurrencyConfig",
        "s3:GetObject",
        "secretsmanager:GetSecretValue",
        "ssm:GetParameters",
    } <= used


async def test_undo_and_rollback_stay_within_the_policy_of_a_release(harness: Harness) -> None:
    request = use_everything(harness)
    harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "no"})
    assert (await harness.release(**request)).kind == "ReleaseRolledBack"
    assert (await harness.roll_back(version="1")).kind == "Completed"
    assert find_outside(harness, make_policy(harness)) == []


async def test_release_of_an_image_stays_within_its_policy(harness: Harness) -> None:
    harness.aws.create(harness.function, "one", "two", image=True)
    uri = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shop:three"
    end = await harness.release(artifact={"kind": "image", "uri": uri}, strategy="AllAtOnce")
    assert end.kind == "Completed", end.text
    assert find_outside(harness, make_policy(harness)) == []
    assert "ecr:BatchGetImage" in {each.action for each in list_wanted(harness)}


async def test_plan_stays_within_the_policy_of_plans(harness: Harness) -> None:
    request = harness.request(**use_everything(harness))
    handle = await harness.client.start_workflow(
        "Plan", request, id=f"plan/{harness.function}", task_queue=harness.queue
    )
    found = ReleasePlan.model_validate(await handle.result())
    assert found.refusals == ()
    assert find_outside(harness, make_policy(harness, "plan")) == []


async def test_call_outside_the_policy_is_noticed(harness: Harness) -> None:
    await harness.release(artifact=harness.package("three"), strategy="AllAtOnce")
    policy = make_policy(harness)
    assert find_outside(harness, policy) == []
    policy["Statement"][0]["Resource"] = HERE.arn("lambda", "function:other")
    arn = HERE.arn("lambda", f"function:{harness.function}")
    assert f"lambda:UpdateAlias on {arn}" in find_outside(harness, policy)
