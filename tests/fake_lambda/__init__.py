"""AWS in memory, under AWS's rules: one model behind the in-process port and behind HTTP.

    account         what an account holds in one region, and the registry of operations
    functions, packages, configuration, settling, versions, aliases, routing, concurrency,
    permissions, mappings, urls, signing, tags, invocations     Lambda, by noun
    alarms, alarm_states, metrics       CloudWatch
    storage                 S3, Systems Manager, secrets
    registry, identity, roles       ECR; STS; IAM
    refusals        AWS's errors
    service_model   botocore's models, which check every request and every answer
    interventions   what a test does to calls: fail, lose, hold, change something at that moment
    http            the same over HTTP, for :class:`tests.activities.stub.Stub`

The operations are plain functions of an account and a request. They neither copy nor check: the
benchmark's stand-in uses them as they are, and :class:`FakeLambda` does both around them.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
from collections.abc import Mapping
from typing import Any

from activities.errors import AwsError
from tests.fake_lambda import (  # noqa: F401 - each of them registers its operations
    alarms,
    aliases,
    concurrency,
    functions,
    identity,
    invocations,
    mappings,
    permissions,
    registry,
    roles,
    signing,
    storage,
    tags,
    urls,
    versions,
)
from tests.fake_lambda.account import (
    ACCOUNT,
    LATEST,
    OPERATIONS,
    REGION,
    Account,
    Answer,
    Function,
    Handler,
    Operation,
    Package,
    compute_sha256,
    make_revision,
)
from tests.fake_lambda.functions import add_function
from tests.fake_lambda.interventions import Call, CallLog
from tests.fake_lambda.metrics import Metrics
from tests.fake_lambda.packages import get_package, put_code
from tests.fake_lambda.refusals import Refusal
from tests.fake_lambda.routing import get_weights
from tests.fake_lambda.service_model import check_answer, check_request
from tests.fake_lambda.settling import finish_creation, settle_at_once

ROLE = "arn:aws:iam::123456789012:role/checkout"
_ROUTED = {"create_alias", "update_alias"}


class FakeLambda(CallLog, Metrics, Account):
    """An :class:`~activities.operation.Aws` over one account in one region.

    Every request is checked by botocore's service model before it is carried out, and every answer
    before it is given. Steer it with ``fail``, ``lose``, ``hold``, ``before``, ``after`` and
    ``respond``; read ``calls``, ``writes`` and ``operations``; change things as another writer
    would with :meth:`apply`; set what CloudWatch measured with ``callers``, ``traffic`` or
    ``measured``. ``overrides`` are operations of a test's own, by service and name.
    """

    def __init__(self, *, region: str = REGION, account_id: str = ACCOUNT) -> None:
        super().__init__()
        self.region = region
        self.account_id = account_id
        self.overrides: dict[tuple[str, str], Operation] = {}

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """One request: one answer, or one ``AwsError``."""
        call = Call(service, operation, copy.deepcopy(dict(parameters)))
        self.calls.append(call)
        await asyncio.sleep(0)
        try:
            check_request(service, operation, parameters)
            await self._meet(call, "before")
            answer = self._take_response(operation)
            if answer is None:
                answer = self.perform(service, operation, parameters)
            call.done = True
            await self._meet(call, "after")
        except BaseException as error:  # noqa: BLE001 - a cancelled call is recorded, too
            call.error = _to_aws_error(operation, error) if isinstance(error, Refusal) else error
            raise call.error from None
        return copy.deepcopy(answer)

    def perform(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Answer:
        """Carry a request out, unrecorded and without interventions."""
        carry_out = self.overrides.get((service, operation)) or OPERATIONS[service, operation]
        answer = copy.deepcopy(carry_out(self, dict(parameters)))
        check_answer(service, operation, answer)
        if operation in _ROUTED:
            function, _ = self.find(parameters)
            self.route(
                function.name, answer["Name"], answer["FunctionVersion"], get_weights(answer)
            )
        return answer

    async def download(self, url: str, *, limit: int) -> bytes:
        """The package at an address that GetFunction gave."""
        package = get_package(self, url.removeprefix(self.package_url).partition("?")[0])
        assert len(package) <= limit
        return package

    # --- what a test puts there ----------------------------------------------------------------

    def create(
        self,
        name: str,
        *packages: str,
        alias: str | None = "live",
        image: bool = False,
        **configuration: Any,
    ) -> Function:
        """A function with one published version for each package, at least one.

        Nothing is under way. The alias, where one is named, is on the last version.
        """
        first, *others = packages or ("one",)
        function = self.create_unpublished(name, first, image=image, **configuration)
        self.publish(name)
        for package in others:
            put_code(function, _make_package(package, image=image))
            self.publish(name)
        if alias:
            self.apply(
                "create_alias",
                FunctionName=name,
                Name=alias,
                FunctionVersion=str(function.published),
            )
        return function

    def create_unpublished(
        self, name: str, package: str = "one", *, image: bool = False, **configuration: Any
    ) -> Function:
        """A function without a version; nothing is under way."""
        zipped = {"Runtime": "python3.13", "Handler": "app.handler"}
        kind = {"PackageType": "Image"} if image else zipped
        configuration = {"Role": ROLE, **kind, **configuration}
        return add_function(self, name, _make_package(package, image=image), configuration)

    def publish(self, name: str) -> str:
        """A version of what ``$LATEST`` is, ready for traffic."""
        answer = self.apply("publish_version", FunctionName=name)
        finish_creation(self.functions[name].versions[answer["Version"]])
        return str(answer["Version"])

    def upload(
        self, key: str, package: str, *, bucket: str = "artifacts", version: str | None = None
    ) -> str:
        """Put a package into S3; its hash as Lambda writes it.

        The newest is also what the key names without a version.
        """
        self.objects[bucket, key] = package.encode()
        if version:
            self.objects[bucket, key, version] = package.encode()
        return compute_sha256(package.encode())

    def push_image(self, repository: str, tag: str, content: str) -> str:
        """Let a tag of ECR's name an image with this content; its address by digest."""
        uri = f"{self.account_id}.dkr.ecr.{self.region}.amazonaws.com/{repository}"
        digest = hashlib.sha256(content.encode()).hexdigest()
        self.images[f"{uri}:{tag}"] = digest
        return f"{uri}@sha256:{digest}"

    def hook(self, name: str, handler: Handler) -> None:
        """A function that answers what ``handler`` returns for the payload."""
        self.create(name, alias=None)
        self.handlers[name] = handler

    def apply(self, operation: str, /, **parameters: Any) -> Answer:
        """A change by another writer: neither recorded nor met by interventions."""
        check_request("lambda", operation, parameters)
        return self.perform("lambda", operation, parameters)

    def overwrite(self, name: str, package: str) -> str:
        """Another writer's deployment to ``$LATEST``, settled; its package's hash."""
        function = self.functions[name]
        put_code(function, Package(package.encode()))
        function.latest["RevisionId"] = make_revision()
        return compute_sha256(package.encode())

    def settle(self, name: str) -> None:
        """End all that is in progress for a function."""
        settle_at_once(self, self.functions[name])

    def routing(self, name: str, alias: str = "live") -> tuple[str, dict[str, float]]:
        """Where an alias sends its callers."""
        found = self.functions[name].aliases[alias]
        return found["FunctionVersion"], get_weights(found)


def _make_package(package: str, *, image: bool) -> Package:
    if not image:
        return Package(package.encode())
    uri = f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/{package}:1"
    return Package(uri.encode(), uri)


def _to_aws_error(operation: str, refusal: Refusal) -> AwsError:
    return AwsError(
        operation,
        refusal.code,
        refusal.message,
        status=refusal.status,
        retry_after=refusal.retry_after,
    )


__all__ = ["LATEST", "ROLE", "FakeLambda", "Function"]
