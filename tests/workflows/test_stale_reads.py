"""AWS answers from many hosts: a read right after our own write may tell what was so before it."""

from __future__ import annotations

from typing import Any

from tests.fakes.functions import sha256
from tests.harness import ALL_AT_ONCE, Harness


def lags(harness: Harness, operation: str, *, reads: int = 1) -> None:
    """After the next such write, so many GetFunctions of ``$LATEST`` are answered as if it had not happened."""
    look = harness.aws.lambda_get_function
    before: dict[str, Any] = {}
    left = [reads]

    def remember(_: object) -> None:
        before.update(look({"FunctionName": harness.function}))

    def answer(parameters: dict[str, Any]) -> dict[str, Any]:
        if "Qualifier" in parameters or not left[0]:
            return look(parameters)
        left[0] -= 1
        return before

    harness.aws.before(operation, remember)
    harness.aws.after(operation, lambda _: setattr(harness.aws, "lambda_get_function", answer))


async def test_a_release_is_not_stopped_by_an_answer_from_before_its_own_upload(
    harness: Harness,
) -> None:
    lags(harness, "update_function_code", reads=2)
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed", end
    assert harness.state.versions["3"]["CodeSha256"] == sha256(b"three")


async def test_a_release_is_not_stopped_by_an_answer_from_before_its_own_configuration(
    harness: Harness,
) -> None:
    lags(harness, "update_function_configuration")
    end = await harness.release(configuration={"MemorySize": 512}, **ALL_AT_ONCE)
    assert end.kind == "Completed", end
    assert harness.state.versions["3"]["MemorySize"] == 512
