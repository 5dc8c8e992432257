"""Operations on aliases: names that callers invoke, which point at versions."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from activities.errors import AwsError
from activities.operation import READ, WRITE, OperationGroup, is_retry, operation
from activities.pagination import ListRequest, collect_items
from activities.readback import (
    PRECONDITION_FAILED,
    RESOURCE_CONFLICT,
    RESOURCE_NOT_FOUND,
    exists_error,
    find_differences,
    not_settled_error,
    read_or_none,
    stale_error,
)
from activities.shapes import (
    AliasName,
    Description,
    Double,
    FunctionName,
    Request,
    Response,
    Version,
)

_PublishedVersion = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[0-9]+$")]
_Weight = Annotated[Double, Field(ge=0, le=1)]


class AliasRoutingConfiguration(Request):
    """The weight of a second version: its number, and its share from 0 to 1.

    Replaces the whole configuration. An empty one sends all traffic to the alias's own version; AWS
    leaves an *omitted* one unchanged.
    """

    additional_version_weights: (
        Annotated[dict[_PublishedVersion, _Weight], Field(max_length=1)] | None
    ) = None


class _AliasRequest(Request):
    function_name: FunctionName
    name: AliasName
    description: Description | None = None
    routing_config: AliasRoutingConfiguration | None = None

    def _validate_weights(self, version: str | None) -> None:
        weights = self.routing_config.additional_version_weights if self.routing_config else None
        if weights and version is not None:
            if version.startswith("$"):
                raise ValueError("an alias of $LATEST cannot point at a second version")
            if version in weights:
                raise ValueError(
                    f"version {version} is the alias's own: it cannot be in its weights, too"
                )


class CreateAliasRequest(_AliasRequest):
    """The input of ``create_alias``."""

    function_version: Version

    @model_validator(mode="after")
    def _require_two_versions(self) -> Self:
        self._validate_weights(self.function_version)
        return self


class UpdateAliasRequest(_AliasRequest):
    """The input of ``update_alias``; absent members stay unchanged."""

    function_version: Version | None = None
    revision_id: str | None = None

    @model_validator(mode="after")
    def _require_two_versions(self) -> Self:
        self._validate_weights(self.function_version)
        return self


class GetAliasRequest(Request):
    """The input of ``get_alias``."""

    function_name: FunctionName
    name: AliasName


class DeleteAliasRequest(Request):
    """The input of ``delete_alias``."""

    function_name: FunctionName
    name: AliasName


class ListAliasesRequest(ListRequest):
    """The input of ``list_aliases``: all of a function, or those of one version."""

    function_name: FunctionName
    function_version: Version | None = None


class AliasRoutingConfigurationResponse(Response):
    """The weight of the second version, from 0 to 1, by its number."""

    additional_version_weights: dict[str, float] = Field(default_factory=dict)


class AliasConfiguration(Response):
    """An alias; ``revision_id`` changes with every update of the alias only."""

    alias_arn: str = ""
    name: str = ""
    function_version: str = ""
    description: str = ""
    routing_config: AliasRoutingConfigurationResponse | None = None
    revision_id: str = ""

    @property
    def weights(self) -> dict[str, float]:
        """The second version's weight by its number; empty where there is none."""
        return self.routing_config.additional_version_weights if self.routing_config else {}


class ListAliasesResponse(Response):
    """At most 1,000 aliases or 500 kB; ``next_marker`` where the list continues."""

    next_marker: str | None = None
    aliases: list[AliasConfiguration] = Field(default_factory=list[AliasConfiguration])


class Aliases(OperationGroup):
    """The operations on aliases."""

    @operation(WRITE)
    async def create_alias(self, request: CreateAliasRequest) -> AliasConfiguration:
        """Create an alias.

        On a retry after a lost response the alias exists already. If it equals the request
        (version, weights, and the description if one is requested), that is success. If not, it is
        another alias: ``Exists``, which names the differences, and it is left unchanged.

        AWS: CreateAlias.
        """
        if is_retry() and (found := await read_or_none(self._read_alias(request))):
            return _adopt_existing(request, found)
        try:
            response = await self.aws.call("lambda", "create_alias", request.parameters())
        except AwsError as error:
            if error.code == RESOURCE_CONFLICT and (
                found := await read_or_none(self._read_alias(request))
            ):
                return _adopt_existing(request, found)
            raise
        return AliasConfiguration.model_validate(response)

    @operation(WRITE)
    async def delete_alias(self, request: DeleteAliasRequest) -> None:
        """Delete an alias. The version that it points at stays.

        An alias (or function) that does not exist is success, so a retry does no harm.

        AWS: DeleteAlias.
        """
        try:
            await self.aws.call("lambda", "delete_alias", request.parameters())
        except AwsError as error:
            if error.code != RESOURCE_NOT_FOUND:
                raise

    @operation(READ)
    async def get_alias(self, request: GetAliasRequest) -> AliasConfiguration:
        """Read an alias: its routing and its RevisionId.

        ``NotFound`` where it does not exist. AWS: GetAlias.
        """
        return AliasConfiguration.model_validate(await self._read_alias(request))

    @operation(READ)
    async def list_aliases(self, request: ListAliasesRequest) -> ListAliasesResponse:
        """List the aliases of a function, in AWS's order.

        Collects AWS's pages up to 1,000 aliases. AWS: ListAliases.
        """
        aliases, marker = await collect_items(
            self.aws, "list_aliases", request, member="Aliases", item_type=AliasConfiguration
        )
        return ListAliasesResponse(aliases=aliases, next_marker=marker)

    @operation(WRITE)
    async def update_alias(self, request: UpdateAliasRequest) -> AliasConfiguration:
        """Change an alias, if ``RevisionId`` is still its revision.

        On a retry, and where AWS refuses the revision, the alias is read first. If it equals the
        request, that is success of an earlier attempt. If it still has the revision, the request is
        sent. Anything else is ``Stale``, which names the alias's present routing: another writer's
        change is never overwritten. Without a ``RevisionId`` there is no such guard: the last
        writer wins.

        Send FunctionVersion and RoutingConfig together: AWS leaves an omitted RoutingConfig
        unchanged. AWS: UpdateAlias.
        """
        if is_retry():
            found = await self._read_alias(request)
            if not _find_alias_differences(request, found):
                return AliasConfiguration.model_validate(found)
            if request.revision_id not in {None, found.get("RevisionId")}:
                raise _foreign_change_error(request, found)
        try:
            response = await self.aws.call("lambda", "update_alias", request.parameters())
        except AwsError as error:
            if error.code != PRECONDITION_FAILED:
                raise
            found = await self._read_alias(request)
            if _find_alias_differences(request, found):
                raise _foreign_change_error(request, found) from None
            response = found
        return AliasConfiguration.model_validate(response)

    async def _read_alias(self, request: _AliasRequest | GetAliasRequest) -> dict[str, Any]:
        return await self.aws.call(
            "lambda", "get_alias", {"FunctionName": request.function_name, "Name": request.name}
        )


def _adopt_existing(request: CreateAliasRequest, found: dict[str, Any]) -> AliasConfiguration:
    """Return an existing alias as the one of an earlier attempt, if it is equal.

    A request without weights is for an alias without weights.
    """
    if request.routing_config is None:
        no_weights = AliasRoutingConfiguration(additional_version_weights={})
        request = request.model_copy(update={"routing_config": no_weights})
    if differences := _find_alias_differences(request, found):
        raise exists_error(
            "create_alias", f"alias {request.name} of {request.function_name}", differences
        )
    return AliasConfiguration.model_validate(found)


def _find_alias_differences(
    request: CreateAliasRequest | UpdateAliasRequest, found: dict[str, Any]
) -> list[str]:
    requested = request.model_dump(
        by_alias=True, include={"function_version", "description", "routing_config"}
    )
    if request.routing_config is not None:
        requested["RoutingConfig"] = {
            "AdditionalVersionWeights": request.routing_config.additional_version_weights or {}
        }
    return find_differences(requested, found)


def _foreign_change_error(request: UpdateAliasRequest, found: dict[str, Any]) -> Exception:
    """Return the failure of an update whose revision was refused."""
    alias = AliasConfiguration.model_validate(found)
    if alias.revision_id == request.revision_id:
        return not_settled_error(
            "update_alias",
            f"AWS refused revision {request.revision_id} of {request.name}, and still returns it",
        )
    weights = "".join(
        f", {100 * weight:g}% to version {version}" for version, weight in alias.weights.items()
    )
    return stale_error(
        "update_alias",
        f"alias {request.name} of {request.function_name} points at version"
        f" {alias.function_version}{weights} (revision {alias.revision_id}), and not as it was read"
        f" (revision {request.revision_id})",
    )
