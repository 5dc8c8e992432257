"""Aliases: the names that callers invoke, and the versions they point at."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from activities.errors import AwsError
from activities.operation import READ, WRITE, OperationGroup, is_retry, operation
from activities.pagination import ListRequest, collect_items
from activities.readback import (
    PRECONDITION_FAILED,
    RESOURCE_NOT_FOUND,
    RESOURCE_CONFLICT,
    find_differences,
    exists_error,
    read_or_none,
    stale_error,
    not_settled_error,
)
from activities.shapes import (
    AliasName,
    Description,
    FunctionName,
    Double,
    Request,
    Response,
    Version,
)

_Published = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[0-9]+$")]
_Weight = Annotated[Double, Field(ge=0, le=1)]


class AliasRoutingConfiguration(Request):
    """How much of an alias's traffic goes to a second version: its number, and its share from 0 to 1.

    Replaces what was there. An empty one sends everything to the alias's own version; AWS keeps an *omitted* one as it is.
    """

    additional_version_weights: Annotated[dict[_Published, _Weight], Field(max_length=1)] | None = (
        None
    )


class _Routed(Request):
    function_name: FunctionName
    name: AliasName
    description: Description | None = None
    routing_config: AliasRoutingConfiguration | None = None

    def _check_routing(self, version: str | None) -> None:
        weights = self.routing_config.additional_version_weights if self.routing_config else None
        if weights and version is not None:
            if version.startswith("$"):
                raise ValueError("an alias of $LATEST cannot point at a second version")
            if version in weights:
                raise ValueError(
                    f"version {version} is already the alias's own: it cannot be in its weights, too"
                )


class CreateAliasRequest(_Routed):
    """What may be asked of :meth:`Aliases.create_alias`."""

    function_version: Version

    @model_validator(mode="after")
    def _points_at_two_versions(self) -> Self:
        self._check_routing(self.function_version)
        return self


class UpdateAliasRequest(_Routed):
    """What may be asked of :meth:`Aliases.update_alias`. An absent member stays as it is."""

    function_version: Version | None = None
    revision_id: str | None = None

    @model_validator(mode="after")
    def _points_at_two_versions(self) -> Self:
        self._check_routing(self.function_version)
        return self


class GetAliasRequest(Request):
    """What may be asked of :meth:`Aliases.get_alias`."""

    function_name: FunctionName
    name: AliasName


class DeleteAliasRequest(Request):
    """What may be asked of :meth:`Aliases.delete_alias`."""

    function_name: FunctionName
    name: AliasName


class ListAliasesRequest(ListRequest):
    """What may be asked of :meth:`Aliases.list_aliases`: all of a function's, or those that point at one version."""

    function_name: FunctionName
    function_version: Version | None = None


class AliasRoutingConfigurationResponse(Response):
    """The share of the second version, from 0 to 1, by its number."""

    additional_version_weights: dict[str, float] = Field(default_factory=dict)


class AliasConfiguration(Response):
    """An alias. ``revision_id`` is the alias's own: it changes with every update of the alias, and with nothing else."""

    alias_arn: str = ""
    name: str = ""
    function_version: str = ""
    description: str = ""
    routing_config: AliasRoutingConfigurationResponse | None = None
    revision_id: str = ""

    @property
    def weights(self) -> dict[str, float]:
        """The second version's share by its number; empty where all traffic goes to ``function_version``."""
        return self.routing_config.additional_version_weights if self.routing_config else {}


class ListAliasesResponse(Response):
    """Aliases; ``next_marker`` where the list goes on: 1,000 aliases or 500 kB are answered at most."""

    next_marker: str | None = None
    aliases: list[AliasConfiguration] = Field(default_factory=list[AliasConfiguration])


class Aliases(OperationGroup):
    """What can be done with aliases."""

    @operation(WRITE)
    async def create_alias(self, request: CreateAliasRequest) -> AliasConfiguration:
        """Name a version.

        Tried again after a lost answer the alias is there already. If it is as asked (version, weights, and the description if one
        was asked), that is success; if not, it is somebody else's: ``Exists``, saying what differs, and it is left as it is.

        AWS: CreateAlias.
        """
        if is_retry() and (found := await read_or_none(self._read(request))):
            return self._ours(request, found)
        try:
            answer = await self.aws.call("lambda", "create_alias", request.parameters())
        except AwsError as error:
            if error.code == RESOURCE_CONFLICT and (
                found := await read_or_none(self._read(request))
            ):
                return self._ours(request, found)
            raise
        return AliasConfiguration.model_validate(answer)

    @operation(WRITE)
    async def delete_alias(self, request: DeleteAliasRequest) -> None:
        """Take a name away. The version it pointed at stays.

        An alias that is gone already (or whose function is) is success, so a second time does no harm.

        AWS: DeleteAlias.
        """
        try:
            await self.aws.call("lambda", "delete_alias", request.parameters())
        except AwsError as error:
            if error.code != RESOURCE_NOT_FOUND:
                raise

    @operation(READ)
    async def get_alias(self, request: GetAliasRequest) -> AliasConfiguration:
        """Where an alias points, and its RevisionId. ``NotFound`` where there is none.

        AWS: GetAlias.
        """
        return AliasConfiguration.model_validate(await self._read(request))

    @operation(READ)
    async def list_aliases(self, request: ListAliasesRequest) -> ListAliasesResponse:
        """The aliases of a function, in AWS's order, over all of AWS's pages up to 1,000.

        AWS: ListAliases.
        """
        aliases, marker = await collect_items(
            self.aws, "list_aliases", request, member="Aliases", item_type=AliasConfiguration
        )
        return ListAliasesResponse(aliases=aliases, next_marker=marker)

    @operation(WRITE)
    async def update_alias(self, request: UpdateAliasRequest) -> AliasConfiguration:
        """Point an alias elsewhere, on the condition that it is still as it was read (``RevisionId``).

        Tried again, or told by AWS that the revision moved on, it reads the alias first: already as asked is success (that was
        we); still the revision that was read, and the request is sent; anything else is ``Stale`` and says where the alias points
        now. Somebody else's change is never overwritten. Without a ``RevisionId`` there is no such guard: the last writer wins.

        Send FunctionVersion and RoutingConfig together: AWS keeps an omitted RoutingConfig. AWS: UpdateAlias.
        """
        if is_retry():
            found = await self._read(request)
            if not _differing(request, found):
                return AliasConfiguration.model_validate(found)
            if request.revision_id not in {None, found.get("RevisionId")}:
                raise _foreign(request, found)
        try:
            answer = await self.aws.call("lambda", "update_alias", request.parameters())
        except AwsError as error:
            if error.code != PRECONDITION_FAILED:
                raise
            found = await self._read(request)
            if _differing(request, found):
                raise _foreign(request, found) from None
            answer = found
        return AliasConfiguration.model_validate(answer)

    async def _read(self, request: _Routed | GetAliasRequest) -> dict[str, Any]:
        return await self.aws.call(
            "lambda", "get_alias", {"FunctionName": request.function_name, "Name": request.name}
        )

    @staticmethod
    def _ours(request: CreateAliasRequest, found: dict[str, Any]) -> AliasConfiguration:
        asked = (
            request
            if request.routing_config
            else request.model_copy(update={"routing_config": _EVERYTHING})
        )
        if differing := _differing(asked, found):
            raise exists_error(
                "create_alias", f"alias {request.name} of {request.function_name}", differing
            )
        return AliasConfiguration.model_validate(found)


_EVERYTHING = AliasRoutingConfiguration(additional_version_weights={})


def _differing(
    request: CreateAliasRequest | UpdateAliasRequest, found: dict[str, Any]
) -> list[str]:
    asked = request.model_dump(
        by_alias=True, include={"function_version", "description", "routing_config"}
    )
    if request.routing_config is not None:
        asked["RoutingConfig"] = {
            "AdditionalVersionWeights": request.routing_config.additional_version_weights or {}
        }
    return find_differences(asked, found)


def _foreign(request: UpdateAliasRequest, found: dict[str, Any]) -> Exception:
    there = AliasConfiguration.model_validate(found)
    if there.revision_id == request.revision_id:
        return not_settled_error(
            "update_alias",
            f"AWS refused revision {request.revision_id} of {request.name}, and still answers it",
        )
    weights = "".join(
        f", {100 * weight:g}% to version {version}" for version, weight in there.weights.items()
    )
    return stale_error(
        "update_alias",
        f"alias {request.name} of {request.function_name} points at version {there.function_version}{weights}"
        f" (revision {there.revision_id}), and not as it was read (revision {request.revision_id})",
    )
