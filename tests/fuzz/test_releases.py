"""A release ends as the contract says with every response of AWS, and its alias agrees."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowHandle

from activities.errors import AwsError
from activities.response_check import find_mismatch
from tests.fake_lambda.account import Answer
from tests.fake_lambda.service_model import get_operation
from tests.fuzz.answering import KEPT
from tests.fuzz.documents import encode_document
from tests.fuzz.harness import FuzzHarness, Tally, assert_no_task_failed, run_cases, wait_for_ending
from tests.fuzz.mutation import spoil_members
from tests.fuzz.size import ANSWERS, ONLY, SEED, Case, count_share

_PATIENCE = 300.0
_S3 = {"kind": "s3", "bucket": "artifacts", "key": "three.zip"}
_CANARY: dict[str, Any] = {
    "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "1m"}]
}
_HOOKS: dict[str, Any] = {"hooks": {"before_traffic": "hook-yes", "after_traffic": "hook-yes"}}
_REFUSED: dict[str, Any] = {"hooks": {"after_traffic": "hook-no"}}
_READS = ("get_function", "get_alias")
_CHANGES = (*_READS, "update_function_code", "publish_version", "update_alias")
_CONFIGURED = {
    "configuration": {
        "Timeout": 9,
        "Environment": {"Variables": {"TOKEN": "{{resolve:ssm:/known}}"}},
    }
}
_PROVISIONED = {"concurrency": {"reserved": 50, "provisioned": 5}}
_CONCURRENT = (
    "get_provisioned_concurrency_config",
    "put_provisioned_concurrency_config",
    "put_function_concurrency",
    "list_provisioned_concurrency_configs",
    "get_account_settings",
)
_TRIGGERS = ("list_event_source_mappings", "get_policy", "list_function_url_configs")
_UNDONE = ("delete_provisioned_concurrency_config", "delete_function_concurrency")

SCENARIOS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "code": ("Release", {"artifact": _S3, "strategy": _CANARY}, (*_CHANGES, "head_object")),
    "code, refused": (
        "Release",
        {"artifact": _S3, "strategy": _CANARY, **_REFUSED},
        (*_CHANGES, "invoke"),
    ),
    "configuration": (
        "Release",
        {**_CONFIGURED, "strategy": _CANARY, **_HOOKS},
        (
            *_READS,
            "update_function_configuration",
            "get_parameters",
            "publish_version",
            "invoke",
            "update_alias",
        ),
    ),
    "configuration, refused": (
        "Release",
        {**_CONFIGURED, "strategy": "AllAtOnce", **_REFUSED},
        (*_READS, "update_function_configuration", "publish_version", "update_alias"),
    ),
    "version": (
        "Release",
        {"artifact": {"kind": "version", "version": "1"}, "strategy": _CANARY},
        (*_READS, "update_alias"),
    ),
    "provisioned": (
        "Release",
        {"artifact": _S3, "strategy": _CANARY, **_PROVISIONED},
        (*_CHANGES, *_CONCURRENT),
    ),
    "provisioned, refused": (
        "Release",
        {"artifact": _S3, "strategy": _CANARY, **_PROVISIONED, **_REFUSED},
        (*_READS, "update_alias", *_CONCURRENT, *_UNDONE),
    ),
    "guarded": (
        "Release",
        {"artifact": _S3, "strategy": _CANARY, "guards": {"alarms": ["quiet"]}},
        ("describe_alarms", "update_alias", *_READS),
    ),
    "triggered": (
        "Release",
        {"artifact": _S3, **_CONFIGURED, "strategy": _CANARY},
        (*_TRIGGERS, *_CHANGES, "list_versions_by_function"),
    ),
    "first": ("Release", {"artifact": _S3}, (*_CHANGES[:-1], "create_alias")),
    "first, refused": (
        "Release",
        {"artifact": _S3, **_REFUSED},
        (*_READS, "create_alias", "delete_alias"),
    ),
    "back": ("Rollback", {"version": "1"}, (*_READS, "update_alias")),
    "back, unnamed": ("Rollback", {}, (*_READS, "update_alias")),
}
_CODES = (
    "SomethingNewException",
    "",
    "x" * 3000,
    "ResourceNotFoundException",
    "ResourceConflictException",
    "PreconditionFailedException",
    "InvalidParameterValueException",
    "AccessDeniedException",
    "ServiceException",
    "TooManyRequestsException",
    "ReadTimeoutError",
)
_PASS = {
    "ResourceConflictException",
    "ServiceException",
    "TooManyRequestsException",
    "ReadTimeoutError",
}
"""Transient codes.

A release waits for their end without limit. Here they come a few times.
"""


@dataclass
class Nonsense:
    """A release whose responses to one operation are spoilt.

    So many are skipped first, then so many are spoilt (None: all), in one way.
    """

    scenario: str
    operation: str
    skip: int
    times: int | None
    error: str | None
    chance: int
    met: int = 0
    writes: list[str] = field(default_factory=list)

    def meet(self, service: str, operation: str, answer: Answer) -> Answer:
        if not operation.startswith(("get_", "list_", "describe_", "head_", "invoke")):
            self.writes.append(operation)
        if operation != self.operation or (self.times is not None and self.met >= self.times):
            return answer
        if self.skip:
            self.skip -= 1
            return answer
        self.met += 1
        if self.error is not None:
            raise AwsError(
                operation, self.error, "no reason", status=500 if self.error in _PASS else 400
            )
        shape = get_operation(service, operation).output_shape
        bad = _parsed(
            spoil_members(
                answer,
                random.Random(self.chance + self.met),
                times=random.Random(self.chance).choice([1, 1, 3]),
            ),
            shape,
        )
        if not isinstance(bad, dict) or (wrong := find_mismatch(operation, bad, shape)):
            raise AwsError(
                operation,
                "ResponseParserError",
                "the response is not as AWS describes it: "
                f"{wrong if isinstance(bad, dict) else 'none'}",
            )
        return bad

    def __str__(self) -> str:
        times = "every" if self.times is None else self.times
        how = f"{self.error or 'spoilt'} {self.chance}"
        return f"{self.scenario}: {times} of {self.operation} after {self.skip} {how}"


def _parsed(value: Any, shape: Any) -> Any:
    """A response as botocore parses it: without members that are null or unknown."""
    if isinstance(value, dict) and shape is not None and shape.type_name == "structure":
        return {
            name: _parsed(inner, shape.members[name])
            for name, inner in value.items()
            if inner is not None and name in shape.members
        }
    if isinstance(value, list) and shape is not None and shape.type_name == "list":
        return [_parsed(inner, shape.member) for inner in value]
    return value


def _case(number: int) -> Case[Nonsense]:
    chance = random.Random(f"{SEED}/release/{number}")
    scenario = list(SCENARIOS)[number % len(SCENARIOS)]
    error = chance.choice(_CODES) if chance.random() < 0.3 else None
    times = chance.choice([1, 1, 2, 3] if error in _PASS else [1, 1, 2, None, None])
    operation = chance.choice(SCENARIOS[scenario][2])
    return Case(
        "release",
        number,
        Nonsense(
            scenario,
            operation,
            chance.choice([0, 1, 2, 3] if operation in _READS else [0, 0, 0, 1]),
            times,
            error,
            chance.randrange(2**32),
        ),
    )


@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # a cancel or an eviction drops coroutines
async def test_every_release_ends_whatever_aws_answers(
    cleared: FuzzHarness, tallies: list[Tally]
) -> None:
    numbers = (
        [int(ONLY.partition("#")[2])]
        if ONLY.startswith("release#")
        else []
        if ONLY
        else range(count_share(25, ANSWERS))
    )
    tally = await run_cases(
        "answers, whole releases",
        list(map(_case, numbers)),
        lambda case, tally: _release(cleared, case.value, tally),
        at_once=12,
    )
    tallies.append(tally)
    tally.check()
    cleared.alive()
    await cleared.nothing_runs()


async def _release(harness: FuzzHarness, nonsense: Nonsense, tally: Tally) -> None:
    workflow, keys, _ = SCENARIOS[nonsense.scenario]
    name = harness.function()
    function = harness.aws.functions[name]
    function.latest["Description"] = "ours"
    if nonsense.scenario.startswith("first"):
        del function.aliases["live"]
    if nonsense.scenario == "configuration, refused":
        for one in (function.latest, *function.versions.values()):
            one["Environment"] = {"Variables": {"TOKEN": KEPT}}
    before, latest = _routing(harness, name), dict(function.latest)
    harness.aws.spoilers[name] = nonsense
    document = {"target": {"function": name}, **keys}
    handle = await harness.start(
        workflow,
        [Payload(metadata={"encoding": b"json/plain"}, data=encode_document(document))],
        id=f"nonsense/{name}",
    )
    kind, failure = await wait_for_ending(harness.client, handle, patience=_PATIENCE)
    tally.kinds[f"{nonsense.error or 'spoilt'}"[:30] if nonsense.met else "(not met)"] += 1
    tally.ends[kind] += 1
    tally.kinds["(answers in all)"] += nonsense.met
    await assert_no_task_failed(harness.client, handle)
    after = _routing(harness, name)
    if failure:
        assert failure.message
        assert len(failure.message) <= 6_000, f"{len(failure.message)} characters"
        assert KEPT not in failure.message
    match kind:
        case "Completed":
            await _check_done(handle, before, after)
        case "ReleaseRejected":
            assert not nonsense.writes, f"{nonsense.writes} were written before: {failure}"
            assert after == before
        case "ReleaseRolledBack":
            assert after == before, f"the alias is at {after} instead of {before}: {failure}"
            message = failure.message if failure else ""
            assert (
                "could not be put back" in message
                or "changed" in message
                or "stay as released" in message
                or _same(function.latest, latest)
            ), message
        case "RollbackFailed":
            assert after is None or {after[0], *after[1]} <= {"1", "2", "3"}
        case _:
            raise AssertionError(f"{kind}: {failure}")


async def _check_done(handle: WorkflowHandle[Any, Any], before: Any, after: Any) -> None:
    status: Mapping[str, Any] = await handle.result()
    assert status["phase"] == "succeeded"
    assert after is not None
    assert after[1] == {}
    assert after[0] == status["candidate"] or (
        after == before and status["note"].startswith("Nothing to do")
    ), status


def _routing(harness: FuzzHarness, name: str) -> tuple[str, dict[str, float]] | None:
    return harness.aws.routing(name) if "live" in harness.aws.functions[name].aliases else None


def _same(latest: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    return all(
        latest.get(name) == before.get(name)
        for name in ("CodeSha256", "Timeout", "Environment", "Description")
    )
