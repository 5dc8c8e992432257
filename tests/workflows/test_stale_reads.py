"""Reads after a write may still return the state before it.

AWS answers from many hosts.
"""

from __future__ import annotations

from typing import Any

from tests.fake_lambda.account import Account, compute_sha256
from tests.fake_lambda.functions import get_function
from tests.harness import ALL_AT_ONCE, Harness


def delay_reads(harness: Harness, operation: str, *, reads: int = 1) -> None:
    """After the next such write, so many GetFunctions of ``$LATEST`` return the state before it."""
    before: dict[str, Any] = {}
    left = [reads]

    def remember(_: object) -> None:
        before.update(harness.aws.apply("get_function", FunctionName=harness.function))

    def answer(account: Account, parameters: dict[str, Any]) -> dict[str, Any]:
        if "Qualifier" in parameters or not left[0]:
            return get_function(account, parameters)
        left[0] -= 1
        return before

    harness.aws.before(operation, remember)
    overrides = {("lambda", "get_function"): answer}
    harness.aws.after(operation, lambda _: harness.aws.overrides.update(overrides))


async def test_stale_read_after_the_upload_does_not_stop_a_release(
    harness: Harness,
) -> None:
    delay_reads(harness, "update_function_code", reads=2)
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed", end
    assert harness.state.versions["3"]["CodeSha256"] == compute_sha256(b"three")


async def test_stale_read_after_the_configuration_does_not_stop_a_release(
    harness: Harness,
) -> None:
    delay_reads(harness, "update_function_configuration")
    end = await harness.release(configuration={"MemorySize": 512}, **ALL_AT_ONCE)
    assert end.kind == "Completed", end
    assert harness.state.versions["3"]["MemorySize"] == 512
