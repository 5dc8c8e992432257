"""The resources that a release of one function is about, as far as AWS shows them by the function.

Hooks are not among them: they depend on the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from activities.images import ECR_URI
from activities.permission_needs import PermissionNeed, Scope
from activities.reference_scope import ALL_REFERENCES, ReferenceScope

EVERYTHING: Final = "*"


@dataclass(frozen=True, slots=True)
class PermissionResources:
    """The ARNs for each scope; one without any is not checked.

    ``function`` is an ARN without a qualifier.
    """

    function: str
    alias: str
    version: str
    arns: Mapping[Scope, tuple[str, ...]]

    def list_checked(self, need: PermissionNeed) -> list[tuple[str, Scope]]:
        """Return those of the actions whose resources are known."""
        return [(action, scope) for action, scope in need.actions.items() if self.arns.get(scope)]


def find_resources(
    found: Mapping[str, Any],
    *,
    alias: str,
    version: str,
    bucket: str | None = None,
    references: ReferenceScope = ALL_REFERENCES,
) -> PermissionResources:
    """Return the resources of a function, by AWS's response to GetFunction.

    ``bucket`` is where its packages are, ``references`` what dynamic references may name.
    """
    configuration: Mapping[str, Any] = found["Configuration"]
    code: Mapping[str, Any] = found.get("Code") or {}
    function = str(configuration["FunctionArn"])
    network: Mapping[str, Any] = configuration.get("VpcConfig") or {}
    vpc = network.get("VpcId") or None
    layers: list[Mapping[str, Any]] = configuration.get("Layers") or []
    partition = function.split(":")[1]
    names = _list_references(references, function)
    place = ":".join(function.split(":")[3:5])
    arns: dict[Scope, tuple[object, ...]] = {
        Scope.FUNCTION: (function,),
        Scope.VERSION: (f"{function}:{version}",),
        Scope.ANY: (EVERYTHING,),
        Scope.ROLE: (configuration.get("Role"),),
        Scope.LAYER: tuple(layer.get("Arn") for layer in layers),
        Scope.FUNCTION_KEY: (configuration.get("KMSKeyArn"),),
        Scope.CODE_KEY: (code.get("SourceKMSKeyArn"),),
        Scope.IMAGE: (_find_repository(function, code.get("ImageUri")),),
        Scope.NETWORK: (EVERYTHING if network.get("SubnetIds") else None,),
        Scope.VPC: (f"arn:{partition}:ec2:{place}:vpc/{vpc}" if vpc else None,),
        Scope.PACKAGE: (f"arn:{partition}:s3:::{bucket}/*" if bucket else None,),
        Scope.BUCKET: (f"arn:{partition}:s3:::{bucket}" if bucket else None,),
        Scope.PARAMETER: tuple(f"arn:{partition}:ssm:{place}:parameter/{name}" for name in names),
        Scope.SECRET: tuple(
            f"arn:{partition}:secretsmanager:{place}:secret:{name}" for name in names
        ),
    }
    known = {scope: tuple(str(arn) for arn in found if arn) for scope, found in arns.items()}
    return PermissionResources(function, alias, version, known)


def _list_references(references: ReferenceScope, function: str) -> list[str]:
    """Return the names that references may have, as patterns; none where all are allowed."""
    name = function.rpartition(":")[2]
    patterns = [each.replace("{function}", name) for each in references.allowed.patterns]
    return [each.removeprefix("/") for each in patterns if each != EVERYTHING]


def _find_repository(function: str, uri: object) -> str | None:
    """Return the repository of an image, which is in the region of its function."""
    match = ECR_URI.fullmatch(str(uri).partition("@")[0])
    if match is None:
        return None
    _, partition, _, region, *_ = function.split(":")
    return f"arn:{partition}:ecr:{region}:{match['registry']}:repository/{match['repository']}"
