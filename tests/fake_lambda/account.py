"""An account in one region: what it holds, and the ways in which AWS finds things in it."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fake_lambda.alarm_states import AlarmStates
from tests.fake_lambda.refusals import denied, invalid, not_found, stale

ACCOUNT = "123456789012"
REGION = "eu-central-1"
LATEST = "$LATEST"
BLOCKED_RUNTIMES = frozenset({"nodejs12.x", "nodejs14.x", "python3.6", "python3.7"})
"""Runtimes with which AWS creates and updates no function any more."""

MAX_PAGE = 50
"""Items that AWS answers in one page of a list, at most."""

Parameters = dict[str, Any]
Answer = dict[str, Any]
Handler = Callable[[dict[str, Any]], Any]

_revisions = (f"00000000-0000-4000-8000-{number:012}" for number in itertools.count(1))


@dataclass
class Package:
    """The code of one version: the bytes of a zip file, or the address of an image.

    ``source`` are the members of the request for an object that Lambda refers to (REFERENCE) and
    did not copy. ``key`` encrypts the package.
    """

    content: bytes = b""
    image: str | None = None
    source: tuple[str, ...] = ()
    key: str | None = None
    image_digest: str = ""

    @property
    def digest(self) -> str:
        """CodeSha256: in base64 for a zip file, in hexadecimal for an image."""
        if self.image is None:
            return compute_sha256(self.content)
        return self.image_digest or compute_image_digest(self.image)


@dataclass(eq=False)
class Function:
    """A function with all its versions.

    ``polls`` is how many more reads report its update as unfinished, ``version_polls`` the same for
    each version. ``settles_at`` ends an update by the account's clock instead. ``packages`` are by
    version, ``policies`` by qualifier ("" for the function itself) and statement id. ``shifting``
    are aliases whose provisioned concurrency moves to another version: how many more reads report
    it. ``urls`` are function URLs by qualifier, ``signing`` is a code signing configuration's ARN.
    """

    name: str
    arn: str
    latest: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    packages: dict[str, Package] = field(default_factory=dict)
    aliases: dict[str, dict[str, Any]] = field(default_factory=dict)
    policies: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    policy_revisions: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    reserved: int | None = None
    provisioned: dict[str, dict[str, Any]] = field(default_factory=dict)
    shifting: dict[str, int] = field(default_factory=dict)
    urls: dict[str, dict[str, Any]] = field(default_factory=dict)
    signing: str | None = None
    published: int = 0
    polls: int = 0
    version_polls: dict[str, int] = field(default_factory=dict)
    settles_at: float | None = None

    @property
    def code(self) -> bytes:
        """The package of ``$LATEST``."""
        return self.packages[LATEST].content


@dataclass(eq=False)
class Account:
    """What one account holds in one region, and how its AWS behaves.

    ``polls`` more reads report an update, or a new version, as unfinished; with ``settle_seconds``
    an update ends by ``clock`` instead. ``update_fails``, ``creation_fails`` and
    ``provisioning_fails`` end it badly, with this reason; ``creation_ends`` is the state in which
    a new version arrives. ``mapping_states`` are those that event
    source mappings are on their way to. ``concurrency_limit`` is the account's. ``handlers`` are
    what functions do when they are invoked, ``alarms`` maps names to states. ``objects`` are S3's
    by bucket, key and, where one is given, version; ``checksums`` is whether S3 has theirs;
    ``denied_objects`` are those, by bucket and key, that nobody may read; ``lists_buckets`` is
    whether S3 says of a key that it is missing, and does not only answer 403. ``images`` are the
    digests of ECR's tags by address; an image that was not pushed has one, too, unless it is in
    ``missing_images``. ``signed`` are the hashes of signed packages; ``signing_policies`` (Warn,
    Enforce) are by the ARN of a code signing configuration. ``deleted_layers``,
    ``unreadable_keys`` (KMS) and ``blocked_runtimes`` are what AWS does not take any more.
    ``denied_actions`` are what IAM denies to the worker's role, by its own account of it;
    ``unknown_conditions`` are the condition keys that it lacks to decide one.
    ``sessions`` are those of its roles, which last ``session_seconds`` and, where it is set, begin
    with ``external_id`` only.
    ``package_url`` and ``signature`` make the addresses that GetFunction gives of packages.
    """

    region: str = REGION
    account_id: str = ACCOUNT
    functions: dict[str, Function] = field(default_factory=dict)
    mappings: dict[str, dict[str, Any]] = field(default_factory=dict)
    mapping_states: dict[str, str] = field(default_factory=dict)
    handlers: dict[str, Handler] = field(default_factory=dict)
    invocations: list[bytes] = field(default_factory=list)
    alarms: dict[str, str] = field(default_factory=AlarmStates)
    composite_alarms: set[str] = field(default_factory=set)
    objects: dict[tuple[str, ...], bytes] = field(default_factory=dict)
    checksums: bool = True
    denied_objects: set[tuple[str, str]] = field(default_factory=set)
    lists_buckets: bool = True
    images: dict[str, str] = field(default_factory=dict)
    missing_images: set[str] = field(default_factory=set)
    signed: set[str] = field(default_factory=set)
    signing_policies: dict[str, str] = field(default_factory=dict)
    deleted_layers: set[str] = field(default_factory=set)
    unreadable_keys: set[str] = field(default_factory=set)
    denied_actions: set[str] = field(default_factory=set)
    unknown_conditions: dict[str, str] = field(default_factory=dict)
    blocked_runtimes: frozenset[str] = BLOCKED_RUNTIMES
    parameters: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    polls: int = 0
    clock: Callable[[], float] | None = None
    settle_seconds: float = 0.0
    update_fails: str | None = None
    creation_fails: str | None = None
    creation_ends: str = "Active"
    provisioning_fails: str | None = None
    concurrency_limit: int = 1000
    page_size: int = MAX_PAGE
    package_url: str = "https://packages.example"
    signature: str = "secret"
    external_id: str | None = None
    session_seconds: float = 3600
    sessions: list[dict[str, Any]] = field(default_factory=list)

    def arn(self, name: str, *, account: str | None = None) -> str:
        return f"arn:aws:lambda:{self.region}:{account or self.account_id}:function:{name}"

    def find(self, parameters: Mapping[str, Any]) -> tuple[Function, str | None]:
        """The function of a request, under any form of its name, and the qualifier."""
        named = parameters["FunctionName"]
        if (function := self.functions.get(named)) is not None:
            return function, parameters.get("Qualifier")
        name, account, qualifier = parse_name(named)
        self.check_owner(named, account)
        function = self.functions.get(name)
        if function is None:
            raise not_found(f"Function not found: {self.arn(name)}")
        asked = parameters.get("Qualifier")
        if qualifier is not None and asked not in {None, qualifier}:
            raise invalid(
                "The derived qualifier from the function name does not match the specified "
                "qualifier."
            )
        return function, asked or qualifier

    def check_owner(self, named: str, account: str | None) -> None:
        """Refuse a function of another account, whoever has one of the same name, or region."""
        if account not in {None, self.account_id}:
            raise denied("lambda:*", named)
        region = named.split(":")[3] if named.startswith("arn:") else self.region
        if region != self.region:
            raise not_found(
                f"Functions from '{region}' are not reachable in this region ('{self.region}')"
            )

    def configuration(self, function: Function, qualifier: str | None) -> dict[str, Any]:
        """The configuration that a qualifier stands for."""
        number = resolve_qualifier(function, qualifier)
        found = function.latest if number == LATEST else function.versions.get(number)
        if found is None:
            raise not_found(f"Function not found: {function.arn}:{qualifier}")
        return found

    def page(self, parameters: Mapping[str, Any], member: str, items: list[Any]) -> Answer:
        """The page of a list that a request names by Marker and MaxItems."""
        marker = parameters.get("Marker") or "0"
        if not marker.isdecimal():
            raise invalid("Invalid pagination marker")
        start = int(marker)
        end = start + min(parameters.get("MaxItems", self.page_size), self.page_size)
        more = {"NextMarker": str(end)} if end < len(items) else {}
        return {member: items[start:end]} | more


Operation = Callable[[Account, Parameters], Answer]
OPERATIONS: dict[tuple[str, str], Operation] = {}
"""The operations that the fake knows, by service and name as botocore spells it."""


def operation(service: str) -> Callable[[Operation], Operation]:
    """Register a function as the operation of its name."""

    def register(function: Operation) -> Operation:
        OPERATIONS[service, function.__name__] = function
        return function

    return register


def parse_name(text: str) -> tuple[str, str | None, str | None]:
    """Name, account and qualifier of a FunctionName: a name, a partial ARN or an ARN.

    A name alone has no account.
    """
    parts = text.split(":")
    name, qualifier = parts[-1], None
    if len(parts) in {2, 4, 8}:
        name, qualifier = parts[-2], parts[-1]
    account = parts[4] if len(parts) >= 7 else parts[0] if len(parts) in {3, 4} else None
    return name, account, qualifier


def resolve_qualifier(function: Function, qualifier: str | None) -> str:
    """The version that a qualifier names, by itself or through an alias."""
    if qualifier is None:
        return LATEST
    alias = function.aliases.get(qualifier)
    return str(alias["FunctionVersion"]) if alias else qualifier


def make_revision() -> str:
    return next(_revisions)


def check_revision(
    parameters: Mapping[str, Any], current: str, *, read_by: str = "GetFunction/GetAlias"
) -> None:
    """Refuse a request that is conditional on another revision."""
    if parameters.get("RevisionId") not in {None, current}:
        raise stale(
            "The Revision Id provided does not match the latest Revision Id. "
            f"Call the {read_by} API to retrieve the latest Revision Id"
        )


def compute_image_digest(uri: str) -> str:
    """The digest that an address names, or else one that is made of the address."""
    _, _, digest = uri.partition("@sha256:")
    return digest or hashlib.sha256(uri.encode()).hexdigest()


def compute_sha256(package: bytes) -> str:
    """A package's hash as Lambda writes it."""
    return base64.b64encode(hashlib.sha256(package).digest()).decode()
