"""Functions: a second attempt recognises our own change, and leaves others alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.configuration import Environment
from activities.configuration_response import HIDDEN_VALUE
from activities.errors import AwsError
from activities.function_models import (
    CreateFunctionRequest,
    DeleteFunctionRequest,
    FunctionCode,
    GetFunctionRequest,
    ListFunctionsRequest,
    UpdateFunctionCodeRequest,
    UpdateFunctionConfigurationRequest,
)
from activities.functions import Functions
from tests.activities.operations import lose_response, on_attempt
from tests.fake_lambda import ROLE, FakeLambda

SECRET = "hunter2"
CREATE = CreateFunctionRequest(
    function_name="checkout",
    role=ROLE,
    runtime="python3.13",
    handler="app.handler",
    timeout=10,
    environment=Environment(variables={"TOKEN": SECRET}),
    tags={"release": "42"},
    code=FunctionCode(zip_file=b"one"),
)
MISSING = AwsError("head_object", "AccessDenied", "no")


@pytest.fixture
def functions(port: FakeLambda) -> Functions:
    port.objects = {
        ("artifacts", "one.zip"): b"one",
        ("artifacts", "two.zip"): b"two!",
        ("artifacts", "six.zip"): b"six!",
    }
    return Functions(port)


@pytest.fixture
def made(port: FakeLambda, functions: Functions) -> Functions:
    port.create_unpublished("checkout")
    return functions


def latest(port: FakeLambda) -> dict[str, Any]:
    return port.functions["checkout"].latest


def theirs(port: FakeLambda, code: bytes) -> None:
    """Another writer uploads, and that settles."""
    port.overwrite("checkout", code.decode())


def texts_of(error: pytest.ExceptionInfo[ApplicationError]) -> Iterator[str]:
    yield error.value.message
    yield json.dumps(error.value.details)


class TestCreate:
    async def test_function_created_under_a_lost_response_is_adopted(
        self, port: FakeLambda, functions: Functions
    ) -> None:
        await lose_response(port, functions.create_function, CREATE)
        created = await on_attempt(2, functions.create_function, CREATE)
        assert (created.function_name, created.timeout) == ("checkout", 10)
        assert created.environment is not None
        assert created.environment.variables == {"TOKEN": HIDDEN_VALUE}
        assert port.count("create_function") == 1

    async def test_missing_function_is_created_by_the_second_attempt(
        self, functions: Functions
    ) -> None:
        assert (await on_attempt(2, functions.create_function, CREATE)).function_name == "checkout"

    @pytest.mark.parametrize("attempt", [1, 2])
    @pytest.mark.parametrize(
        ("other", "differing"),
        [
            ({"timeout": 11}, "Timeout"),
            ({"tags": {"release": "41"}}, "Tags.release"),
            (
                {"environment": Environment(variables={"TOKEN": "opensesame"})},
                "Environment.Variables.TOKEN",
            ),
            (
                {"environment": Environment(variables={"TOKEN": SECRET, "MORE": "x"})},
                "Environment.Variables.MORE",
            ),
            ({"code": FunctionCode(zip_file=b"two")}, "Code"),
        ],
    )
    async def test_different_function_is_left_alone_and_its_difference_named(
        self,
        port: FakeLambda,
        functions: Functions,
        attempt: int,
        other: dict[str, Any],
        differing: str,
    ) -> None:
        await on_attempt(1, functions.create_function, CREATE.model_copy(update=other))
        port.settle("checkout")
        before = dict(latest(port))
        with pytest.raises(ApplicationError, match="Exists") as refused:
            await on_attempt(attempt, functions.create_function, CREATE)
        assert (refused.value.type, refused.value.non_retryable) == ("Exists", True)
        assert f"differs in {differing}." in refused.value.message
        assert not any(
            value in text for text in texts_of(refused) for value in (SECRET, "opensesame")
        )
        assert latest(port) == before

    async def test_code_in_s3_is_adopted_on_a_later_attempt_only(
        self, functions: Functions
    ) -> None:
        request = CREATE.model_copy(
            update={"code": FunctionCode(s3_bucket="artifacts", s3_key="one.zip")}
        )
        await on_attempt(1, functions.create_function, request)
        with pytest.raises(ApplicationError, match="differs in Code"):
            await on_attempt(1, functions.create_function, request)
        assert (await on_attempt(2, functions.create_function, request)).function_name == "checkout"

    @pytest.mark.parametrize(("image", "ours"), [("repo/image:42", True), ("repo/image:41", False)])
    async def test_image_is_known_by_its_uri(
        self, port: FakeLambda, functions: Functions, image: str, ours: bool
    ) -> None:
        request = CREATE.model_copy(update={"code": FunctionCode(image_uri="repo/image:42")})
        port.apply("create_function", **CREATE.parameters())
        port.respond(
            "get_function",
            {"Configuration": latest(port), "Code": {"ImageUri": image}, "Tags": {"release": "42"}},
        )
        if ours:
            assert (
                await on_attempt(2, functions.create_function, request)
            ).function_name == "checkout"
        else:
            with pytest.raises(ApplicationError, match="differs in Code"):
                await on_attempt(2, functions.create_function, request)

    async def test_version_is_the_response_to_a_create_with_publish(
        self, port: FakeLambda, functions: Functions
    ) -> None:
        request = CREATE.model_copy(update={"publish": True})
        await lose_response(port, functions.create_function, request)
        assert (await on_attempt(2, functions.create_function, request)).version == "1"
        assert [*port.functions["checkout"].versions] == ["1"]

    async def test_dynamic_reference_is_compared_resolved(
        self, port: FakeLambda, functions: Functions
    ) -> None:
        port.parameters = {"/checkout/token": SECRET}
        request = CREATE.model_copy(
            update={
                "environment": Environment(variables={"TOKEN": "{{resolve:ssm:/checkout/token}}"})
            }
        )
        await lose_response(port, functions.create_function, request)
        assert latest(port)["Environment"]["Variables"] == {"TOKEN": SECRET}
        assert (await on_attempt(2, functions.create_function, request)).function_name == "checkout"


class TestDelete:
    @pytest.mark.parametrize("attempt", [1, 2])
    async def test_delete_of_a_missing_function_is_success(
        self, functions: Functions, attempt: int
    ) -> None:
        for request in (
            DeleteFunctionRequest(function_name="checkout", qualifier="7"),
            DeleteFunctionRequest(function_name="checkout", confirm="checkout"),
        ):
            assert (
                await on_attempt(attempt, functions.delete_function, request)
            ).status_code == 204

    async def test_version_is_deleted_and_the_rest_stays(
        self, port: FakeLambda, made: Functions
    ) -> None:
        port.publish("checkout")
        await on_attempt(
            1, made.delete_function, DeleteFunctionRequest(function_name="checkout", qualifier="1")
        )
        assert port.functions["checkout"].versions == {}

    async def test_confirmation_is_not_sent_to_aws(self, port: FakeLambda, made: Functions) -> None:
        await on_attempt(
            1,
            made.delete_function,
            DeleteFunctionRequest(function_name="checkout", confirm="checkout"),
        )
        assert port.requests == [("delete_function", {"FunctionName": "checkout"})]
        assert port.functions == {}

    async def test_version_that_an_alias_references_is_not_deleted(
        self, port: FakeLambda, made: Functions
    ) -> None:
        port.publish("checkout")
        port.apply("create_alias", FunctionName="checkout", Name="live", FunctionVersion="1")
        with pytest.raises(ApplicationError, match=r"\[live\]"):
            await on_attempt(
                1,
                made.delete_function,
                DeleteFunctionRequest(function_name="checkout", qualifier="1"),
            )


def upload(port: FakeLambda, **members: Any) -> UpdateFunctionCodeRequest:
    """New code, on the condition that the function is as it is now."""
    given = {"zip_file": b"two!", "revision_id": latest(port)["RevisionId"], **members}
    return UpdateFunctionCodeRequest(function_name="checkout", **given)


def object_(port: FakeLambda, **members: Any) -> UpdateFunctionCodeRequest:
    return upload(port, zip_file=None, s3_bucket="artifacts", s3_key="two.zip", **members)


async def expect_stale(made: Functions, request: UpdateFunctionCodeRequest) -> None:
    """A second attempt that finds another writer's code."""
    with pytest.raises(ApplicationError, match="Stale") as stale:
        await on_attempt(2, made.update_function_code, request)
    assert stale.value.type == "Stale"


class TestCode:
    @pytest.mark.parametrize("source", [upload, object_])
    @pytest.mark.parametrize("checksums", [True, False])
    async def test_code_uploaded_under_a_lost_response_is_not_sent_again(
        self,
        port: FakeLambda,
        made: Functions,
        source: Any,
        checksums: bool,
    ) -> None:
        port.checksums = checksums
        request = source(port)
        await lose_response(port, made.update_function_code, request)
        assert (await on_attempt(2, made.update_function_code, request)).code_sha256 == latest(
            port
        )["CodeSha256"]
        assert port.functions["checkout"].code == b"two!"
        assert port.count("update_function_code") == 1

    @pytest.mark.parametrize("source", [upload, object_])
    async def test_code_that_never_arrived_is_sent_again_on_the_same_revision(
        self, port: FakeLambda, made: Functions, source: Any
    ) -> None:
        request = source(port)
        await on_attempt(2, made.update_function_code, request)
        assert port.functions["checkout"].code == b"two!"
        assert port.calls[-1].parameters["RevisionId"] == request.revision_id

    @pytest.mark.parametrize("source", [upload, object_])
    @pytest.mark.parametrize("attempt", [1, 2])
    async def test_foreign_code_is_never_overwritten(
        self, port: FakeLambda, made: Functions, source: Any, attempt: int
    ) -> None:
        request = source(port)
        theirs(port, b"theirs")
        with pytest.raises(ApplicationError, match="nothing was overwritten") as stale:
            await on_attempt(attempt, made.update_function_code, request)
        assert (stale.value.type, stale.value.non_retryable) == ("Stale", True)
        assert port.functions["checkout"].code == b"theirs"

    async def test_code_of_the_same_size_is_not_the_same_by_checksum(
        self, port: FakeLambda, made: Functions
    ) -> None:
        request = object_(port)
        theirs(port, b"six!")
        await expect_stale(made, request)

    async def test_code_without_a_checksum_is_stale_and_not_sent_again(
        self, port: FakeLambda, made: Functions
    ) -> None:
        request = object_(port)
        await lose_response(port, made.update_function_code, request)
        port.respond("head_object", MISSING)
        await expect_stale(made, request)
        assert port.count("update_function_code") == 1

    async def test_code_without_a_revision_is_sent_again(
        self, port: FakeLambda, made: Functions
    ) -> None:
        theirs(port, b"theirs")
        await on_attempt(2, made.update_function_code, upload(port, revision_id=None))
        assert port.functions["checkout"].code == b"two!"

    async def test_refused_revision_after_our_own_success_is_success(
        self, port: FakeLambda, made: Functions
    ) -> None:
        request = upload(port)
        await on_attempt(1, made.update_function_code, request)
        port.settle("checkout")
        second = await on_attempt(1, made.update_function_code, request)
        assert second.code_sha256 == latest(port)["CodeSha256"]

    async def test_code_for_another_architecture_is_stale(
        self, port: FakeLambda, made: Functions
    ) -> None:
        request = upload(port, architectures=["arm64"])
        theirs(port, b"two!")
        await expect_stale(made, request)

    async def test_version_is_the_response_to_an_upload_with_publish(
        self, port: FakeLambda, made: Functions
    ) -> None:
        request = upload(port, publish=True)
        await lose_response(port, made.update_function_code, request)
        assert (await on_attempt(2, made.update_function_code, request)).version == "1"
        assert [*port.functions["checkout"].versions] == ["1"]

    async def test_dry_run_is_sent_without_a_read(self, port: FakeLambda, made: Functions) -> None:
        port.respond("update_function_code", {"CodeSha256": "x"})
        await on_attempt(
            2, made.update_function_code, upload(port, dry_run=True, revision_id="moved on")
        )
        assert port.operations == ["update_function_code"]

    async def test_contradictory_reads_are_retried_and_not_stale(
        self, port: FakeLambda, made: Functions
    ) -> None:
        port.respond(
            "update_function_code",
            AwsError("update_function_code", "PreconditionFailedException", "stale"),
        )
        with pytest.raises(ApplicationError, match="still returns it") as unsettled:
            await on_attempt(1, made.update_function_code, upload(port))
        assert not unsettled.value.non_retryable


def configure(port: FakeLambda, **members: Any) -> UpdateFunctionConfigurationRequest:
    given = {"timeout": 9, "revision_id": latest(port)["RevisionId"], **members}
    return UpdateFunctionConfigurationRequest(function_name="checkout", **given)


class TestConfiguration:
    async def test_settings_written_under_a_lost_response_are_not_sent_again(
        self, port: FakeLambda, made: Functions
    ) -> None:
        layer = "arn:aws:lambda:eu-west-1:123456789012:layer:tools:3"
        request = configure(
            port, environment=Environment(variables={"TOKEN": SECRET}), layers=[layer]
        )
        await lose_response(port, made.update_function_configuration, request)
        changed = await on_attempt(2, made.update_function_configuration, request)
        assert changed.timeout == 9
        assert SECRET not in changed.model_dump_json()
        assert port.count("update_function_configuration") == 1

    async def test_settings_that_never_arrived_are_sent_again_on_their_revision(
        self, port: FakeLambda, made: Functions
    ) -> None:
        request = configure(port)
        await on_attempt(2, made.update_function_configuration, request)
        assert latest(port)["Timeout"] == 9
        assert port.calls[-1].parameters["RevisionId"] == request.revision_id

    @pytest.mark.parametrize("attempt", [1, 2])
    async def test_foreign_settings_are_kept_and_named_without_values(
        self, port: FakeLambda, made: Functions, attempt: int
    ) -> None:
        request = configure(port, environment=Environment(variables={"TOKEN": "ours"}))
        theirs = {"Timeout": 9, "Environment": {"Variables": {"TOKEN": SECRET, "MORE": SECRET}}}
        port.apply("update_function_configuration", FunctionName="checkout", **theirs)
        port.settle("checkout")
        before = dict(latest(port))
        with pytest.raises(ApplicationError, match="Stale") as stale:
            await on_attempt(attempt, made.update_function_configuration, request)
        assert (stale.value.type, stale.value.non_retryable) == ("Stale", True)
        assert (
            "differs from the request in"
            " Environment.Variables.TOKEN, Environment.Variables.MORE; nothing"
            in stale.value.message
        )
        assert not any(value in text for text in texts_of(stale) for value in (SECRET, "ours"))
        assert latest(port) == before
        assert port.count("update_function_configuration") == (1 if attempt == 1 else 0), (
            "what is known to be stale is not even sent"
        )

    async def test_last_writer_wins_without_a_revision(
        self, port: FakeLambda, made: Functions
    ) -> None:
        await on_attempt(2, made.update_function_configuration, configure(port, revision_id=None))
        assert latest(port)["Timeout"] == 9

    async def test_refused_revision_after_our_own_success_is_success(
        self, port: FakeLambda, made: Functions
    ) -> None:
        request = configure(port)
        await on_attempt(1, made.update_function_configuration, request)
        port.settle("checkout")
        assert (await on_attempt(1, made.update_function_configuration, request)).timeout == 9

    async def test_dynamic_reference_is_resolved_for_aws_only(
        self, port: FakeLambda, made: Functions
    ) -> None:
        port.parameters = {"/checkout/token": SECRET}
        request = configure(
            port,
            environment=Environment(
                variables={"TOKEN": "{{resolve:ssm:/checkout/token}}", "LEVEL": "info"}
            ),
        )
        changed = await on_attempt(1, made.update_function_configuration, request)
        assert latest(port)["Environment"]["Variables"] == {"TOKEN": SECRET, "LEVEL": "info"}
        assert changed.environment is not None
        assert changed.environment.variables == {"TOKEN": HIDDEN_VALUE, "LEVEL": HIDDEN_VALUE}
        assert (await on_attempt(2, made.update_function_configuration, request)).timeout == 9

    async def test_unknown_reference_is_refused_before_a_write(
        self, port: FakeLambda, made: Functions
    ) -> None:
        request = configure(
            port, environment=Environment(variables={"TOKEN": "{{resolve:ssm:/nowhere}}"})
        )
        with pytest.raises(ApplicationError, match="TOKEN") as refused:
            await on_attempt(1, made.update_function_configuration, request)
        assert refused.value.type == "Invalid"
        assert port.count("update_function_configuration") == 0


async def test_busy_function_is_tried_again(port: FakeLambda, made: Functions) -> None:
    port.polls = 5
    port.apply("update_function_code", FunctionName="checkout", ZipFile=b"two!")
    with pytest.raises(ApplicationError, match="An update is in progress") as busy:
        await on_attempt(1, made.update_function_configuration, configure(port))
    assert not busy.value.non_retryable


async def test_reads_return_what_is_there(port: FakeLambda, made: Functions) -> None:
    found = await on_attempt(1, made.get_function, GetFunctionRequest(function_name="checkout"))
    assert found.configuration.code_sha256 == latest(port)["CodeSha256"]
    assert "Signature" not in found.model_dump_json()
    listed = await on_attempt(1, made.list_functions, ListFunctionsRequest())
    assert [function.function_name for function in listed.functions] == ["checkout"]
    with pytest.raises(ApplicationError, match="NotFound") as missing:
        await on_attempt(1, made.get_function, GetFunctionRequest(function_name="gone"))
    assert missing.value.type == "NotFound"
