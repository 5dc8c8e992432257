"""What a policy is about, as the operator names it, and the ARNs of it.

A name may hold ``*``, as IAM has it, and in a template a parameter, ``${Functions}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from activities.images import ECR_URI
from activities.permission_needs import CONDITIONS, Scope

_PARAMETER: Final = r"\$\{[A-Za-z][A-Za-z0-9:]*\}"
PARAMETER: Final = re.compile(_PARAMETER)
_ARN: Final = re.compile(rf"arn:(?:[\w*-]+|{_PARAMETER}):[^\s:]+:.*")


_ALL_OF_LAMBDA: Final = {
    Scope.MAPPING: "event-source-mapping:*",
    Scope.SIGNING: "code-signing-config:*",
}


class ResourceNameError(ValueError):
    """A name cannot be one of its kind; the message names the flag."""


@dataclass(frozen=True)
class Place:
    """The account and the region of a worker."""

    account: str
    region: str
    partition: str = "aws"

    def arn(self, service: str, resource: str, *, is_regional: bool = True) -> str:
        """Return the ARN of a resource in this account."""
        region = self.region if is_regional else ""
        return f"arn:{self.partition}:{service}:{region}:{self.account}:{resource}"

    def endpoint(self, service: str) -> str:
        """Return the name that ``kms:ViaService`` has for a service in this region."""
        suffix = "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"
        return f"{service}.{self.region}.{suffix}"


@dataclass(frozen=True)
class PolicyResources:
    """The names of what releases are about, for each scope that the operator has named.

    ``VERSION`` goes with ``FUNCTION``, ``BUCKET`` with ``PACKAGE``, and ``VPC`` with ``NETWORK``.
    Networks and file systems have no names: all are meant.
    """

    place: Place
    names: Mapping[Scope, tuple[str, ...]] = field(default_factory=dict[Scope, tuple[str, ...]])

    def list_arns(self, scope: Scope) -> list[str]:
        """Return the ARNs of a scope; none where nothing is named. Raises ``ResourceNameError``."""
        if scope in {Scope.ANY, Scope.NEW_MAPPING}:
            return ["*"]
        if scope in _ALL_OF_LAMBDA:
            return [self.place.arn("lambda", _ALL_OF_LAMBDA[scope])]
        named, make = _MAKERS[scope]
        arns = [arn for name in self.names.get(named, ()) for arn in make(self.place, name)]
        return list(dict.fromkeys(arns))

    def find_condition(self, scope: Scope) -> dict[str, Any]:
        """Return the condition under which a scope is used; empty where there is none."""
        if scope in {Scope.MAPPING, Scope.NEW_MAPPING}:
            return {"ArnLike": {"lambda:FunctionArn": self.list_arns(Scope.FUNCTION)}}
        if scope not in CONDITIONS:
            return {}
        key, services = CONDITIONS[scope]
        if key == "kms:ViaService":
            values = [self.place.endpoint(service) for service in services]
        else:
            values = [f"{service}.amazonaws.com" for service in services]
        return {"StringEquals": {key: values if len(values) > 1 else values[0]}}


def check_name(flag: str, name: str, pattern: str, example: str) -> str:
    """Return a name that matches; a parameter of a template stands for anything."""
    plain = PARAMETER.sub("x", name)
    if not re.fullmatch(pattern, plain) and not PARAMETER.fullmatch(name):
        raise ResourceNameError(f"{flag} {name!r}: give {example}")
    return name


def _function_arns(place: Place, name: str) -> Iterator[str]:
    """A call with a version or an alias is authorized on that: what ends with ``*`` has both."""
    check_name("--functions", name, r"[\w*?-]{1,64}", "a function's name, such as checkout-*")
    yield place.arn("lambda", f"function:{name}")
    if not name.endswith("*"):
        yield place.arn("lambda", f"function:{name}:*")


def _version_arns(place: Place, name: str) -> Iterator[str]:
    yield place.arn("lambda", f"function:{name}:*")


def _hook_arns(place: Place, name: str) -> Iterator[str]:
    check_name("--hooks", name, r"[\w*?-]{1,64}(:[\w$*-]+)?", "a function's name")
    yield place.arn("lambda", f"function:{name}")
    if ":" not in PARAMETER.sub("", name) and not name.endswith("*"):
        yield place.arn("lambda", f"function:{name}:*")


def _package_arns(place: Place, name: str) -> Iterator[str]:
    pattern = r"[a-z0-9.x*-]{1,63}(/[^\s]*)?"
    check_name("--bucket", name, pattern, "a bucket, such as artifacts or artifacts/checkout/*")
    bucket, _, prefix = name.partition("/")
    yield f"arn:{place.partition}:s3:::{bucket}/{prefix or '*'}"


def _bucket_arns(place: Place, name: str) -> Iterator[str]:
    yield f"arn:{place.partition}:s3:::{name.partition('/')[0]}"


def _image_arns(place: Place, name: str) -> Iterator[str]:
    if uri := ECR_URI.fullmatch(name):
        owner = Place(uri["registry"], place.region, place.partition)
        yield owner.arn("ecr", f"repository/{uri['repository']}")
        return
    check_name("--images", name, r"[\w./*?-]+", "a repository of ECR, its name or its URI")
    yield place.arn("ecr", f"repository/{name}")


def _layer_arns(place: Place, name: str) -> Iterator[str]:
    if _ARN.fullmatch(name):
        yield name if name.count(":") > 6 else f"{name}:*"  # noqa: PLR2004 - the version is the 8th
        return
    check_name("--layers", name, r"[\w*?-]+", "a layer's name, or its ARN")
    yield place.arn("lambda", f"layer:{name}:*")


def _role_arns(flag: str) -> Callable[[Place, str], Iterator[str]]:
    def make(place: Place, name: str) -> Iterator[str]:
        check_name(flag, name, r"(arn:.+:role/)?[\w+=,.@/*-]+", "a role's name, or its ARN")
        is_whole = bool(_ARN.fullmatch(name))
        yield name if is_whole else place.arn("iam", f"role/{name}", is_regional=False)

    return make


def _parameter_arns(place: Place, name: str) -> Iterator[str]:
    check_name("--references", name, r"[\w./*?-]+", "a parameter's name, such as /checkout/*")
    yield place.arn("ssm", f"parameter/{name.removeprefix('/')}")


def _secret_arns(place: Place, name: str) -> Iterator[str]:
    """Six characters of AWS's end the ARN of a secret."""
    check_name("--secrets", name, r"[\w/+=.@*?-]+", "a secret's name, such as checkout/*")
    bare = name.removeprefix("/")
    yield place.arn("secretsmanager", f"secret:{bare}{'' if bare.endswith('*') else '-??????'}")


def _key_arns(flag: str) -> Callable[[Place, str], Iterator[str]]:
    def make(place: Place, name: str) -> Iterator[str]:
        pattern = r"(arn:[^:]+:kms:[^:]+:\d{12}:key/)?[\w*-]+"
        check_name(flag, name, pattern, "a key's ARN or id: an alias is not what IAM compares")
        yield name if _ARN.fullmatch(name) else place.arn("kms", f"key/{name}")

    return make


def _network_arns(_: Place, name: str) -> Iterator[str]:
    """EC2 has no resource for what describes."""
    yield name


def _vpc_arns(place: Place, name: str) -> Iterator[str]:
    yield place.arn("ec2", f"vpc/{name}")


def _file_system_arns(place: Place, name: str) -> Iterator[str]:
    yield place.arn("elasticfilesystem", f"file-system/{name}")


_MAKERS: Final[Mapping[Scope, tuple[Scope, Callable[[Place, str], Iterator[str]]]]] = {
    Scope.FUNCTION: (Scope.FUNCTION, _function_arns),
    Scope.VERSION: (Scope.FUNCTION, _version_arns),
    Scope.HOOK: (Scope.HOOK, _hook_arns),
    Scope.PACKAGE: (Scope.PACKAGE, _package_arns),
    Scope.BUCKET: (Scope.PACKAGE, _bucket_arns),
    Scope.PACKAGE_KEY: (Scope.PACKAGE_KEY, _key_arns("--bucket-key")),
    Scope.IMAGE: (Scope.IMAGE, _image_arns),
    Scope.LAYER: (Scope.LAYER, _layer_arns),
    Scope.ROLE: (Scope.ROLE, _role_arns("--role")),
    Scope.PARAMETER: (Scope.PARAMETER, _parameter_arns),
    Scope.SECRET: (Scope.SECRET, _secret_arns),
    Scope.REFERENCE_KEY: (Scope.REFERENCE_KEY, _key_arns("--reference-key")),
    Scope.FUNCTION_KEY: (Scope.FUNCTION_KEY, _key_arns("--key")),
    Scope.CODE_KEY: (Scope.FUNCTION_KEY, _key_arns("--key")),
    Scope.NETWORK: (Scope.NETWORK, _network_arns),
    Scope.VPC: (Scope.NETWORK, _vpc_arns),
    Scope.FILE_SYSTEM: (Scope.FILE_SYSTEM, _file_system_arns),
    Scope.WORKER_ROLE: (Scope.WORKER_ROLE, _role_arns("--worker-role")),
    Scope.CODEC_KEY: (Scope.CODEC_KEY, _key_arns("--codec-key")),
}
"""For each scope which names it is made of, and how."""
