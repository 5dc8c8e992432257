"""Puts ``$LATEST`` back to what a published version holds: its code, its configuration, or both.

A release changes ``$LATEST`` before it publishes. Once the alias is back on the stable version, callers are served as before; but
whoever publishes next would publish what this release left behind. AWS has no operation for that: the version's package is fetched
and uploaded again, and each setting is written that differs. Neither code nor an environment value leaves the activity.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Protocol

from pydantic import Field
from temporalio.workflow import ActivityCancellationType

from activities.errors import AwsError
from activities.operation import HEARTBEAT_TIMEOUT, WRITE, Aws, OperationGroup, OperationPolicy, operation
from activities.readback import PRECONDITION_FAILED, not_settled_error
from activities.settling import raise_if_failed, poll_until_settled
from activities.shapes import Description, FunctionName, Request, Response

LARGEST_PACKAGE: Final = 52_428_800
"""Bytes (50 MB, zipped) that AWS takes in a request; a larger package comes from S3 only, and where from is not known."""

RESTORE: Final = OperationPolicy(
    timedelta(minutes=4), WRITE.retry, ActivityCancellationType.WAIT_CANCELLATION_COMPLETED, HEARTBEAT_TIMEOUT
)
"""Room for a package of 50 MB to come and go, and for two changes to settle."""

_AT_ONCE: Final = 2
"""Packages held in memory at the same time, each about three times its size."""

Part = Literal["code", "configuration"]


class AwsWithDownloads(Aws, Protocol):
    """The door to AWS, which can also fetch a package from the presigned address that GetFunction gives."""

    async def download(self, url: str, *, limit: int) -> bytes:
        """Fetch at most ``limit`` bytes. Raises :class:`~activities.errors.AwsError` and nothing else, without the address."""
        ...


def _everything() -> list[Part]:
    return ["code", "configuration"]


class RestoreLatestRequest(Request):
    """The function, the published version to copy from, and what of it.

    ``replacing`` is the version that was published from what is to be replaced: where ``$LATEST`` is neither like it nor like ``version``,
    somebody else changed it since. ``uploaded`` is the code (base64 of its SHA-256) that is to be replaced, where no version was published
    from it yet; ``superseded`` the RevisionId from before any of that was written, which a read that lags behind may still answer.
    ``description`` is the function's own; a version's says what the version is, and is not copied.
    """

    function_name: FunctionName
    version: Annotated[str, Field(pattern=r"^[0-9]+$", description="A published version's number.")]
    parts: Annotated[list[Part], Field(min_length=1)] = Field(default_factory=_everything)
    replacing: (
        Annotated[str, Field(pattern=r"^[0-9]+$", description="A published version's number.")]
        | None
    ) = None
    uploaded: str | None = None
    superseded: str | None = None
    description: Description | None = None


class RestoreLatestResponse(Response):
    """What was written by this attempt, and ``$LATEST``'s code (base64 of its SHA-256) before and after."""

    restored: list[Part]
    code_sha256_before: str
    code_sha256_after: str


class RestoreLatest(OperationGroup):
    """Copies from a version to ``$LATEST``."""

    def __init__(self, aws: AwsWithDownloads) -> None:
        """Speak through ``aws``, and fetch packages through it."""
        super().__init__(aws)
        self._downloads = aws
        self._packages = asyncio.Semaphore(_AT_ONCE)

    @operation(RESTORE)
    async def restore_latest(self, request: RestoreLatestRequest) -> RestoreLatestResponse:
        """Make ``$LATEST`` what the version is, part by part, waiting for each change to settle.

        What is equal already is not written, so a second attempt goes on where the first one stopped. Exhausted, saying what
        ``$LATEST`` still holds, where the version cannot be copied: a package over 50 MB, or one that AWS cannot show. Stale, with nothing
        written, where ``$LATEST`` is not what ``replacing`` was made of.
        """
        function, restored = request.function_name, list[Part]()
        source = await self.aws.call(
            "lambda", "get_function", {"FunctionName": function, "Qualifier": request.version}
        )
        latest = await poll_until_settled(self.aws, function, None, _NAME, superseded=request.superseded)
        before = _sha256(latest)
        if request.replacing is not None:
            replaced = await self.aws.call(
                "lambda", "get_function", {"FunctionName": function, "Qualifier": request.replacing}
            )
            _refuse_foreign(request, latest, (source, replaced))
        elif (
            request.uploaded is not None
            and "code" in request.parts
            and before not in {_sha256(source), request.uploaded}
        ):
            raise _foreign(request, [f"code ({before})"])
        failed = latest["Configuration"].get("LastUpdateStatus") == "Failed"
        if "code" in request.parts and (failed or _package(source) != _package(latest)):
            await self._copy_code(function, latest, source, version=request.version)
            latest = await self._changed(function)
            restored.append("code")
        if "configuration" in request.parts:
            if unreadable := _unreadable(source["Configuration"]):
                raise _impossible(
                    "configuration", request.version, f"AWS cannot show it ({unreadable})"
                )
            wanted, present = _settings(source["Configuration"]), _settings(latest["Configuration"])
            if request.description is not None:
                wanted["Description"], present["Description"] = (
                    request.description,
                    latest["Configuration"].get("Description", ""),
                )
            doubtful = failed or _unreadable(latest["Configuration"])
            if changes := {
                name: value
                for name, value in wanted.items()
                if doubtful or present.get(name) != value
            }:
                await self._write(
                    "update_function_configuration", latest, {"FunctionName": function, **changes}
                )
                latest = await self._changed(function)
                restored.append("configuration")
        return RestoreLatestResponse(
            restored=restored, code_sha256_before=before, code_sha256_after=_sha256(latest)
        )

    async def _changed(self, function: str) -> Mapping[str, Any]:
        latest = await poll_until_settled(self.aws, function, None, _NAME)
        raise_if_failed(_NAME, latest["Configuration"])
        return latest

    async def _copy_code(
        self, function: str, latest: Mapping[str, Any], source: Mapping[str, Any], *, version: str
    ) -> None:
        code, configuration = source.get("Code", {}), source["Configuration"]
        if "Error" in code:
            raise _impossible(
                "code",
                version,
                f"AWS cannot show it ({code['Error'].get('ErrorCode', 'no reason given')})",
            )
        parameters = {"FunctionName": function} | {
            name: holder[name]
            for holder, name in ((configuration, "Architectures"), (code, "SourceKMSKeyArn"))
            if holder.get(name)
        }
        if image := code.get("ResolvedImageUri") or code.get("ImageUri"):
            await self._write("update_function_code", latest, parameters | {"ImageUri": image})
        elif stored := code.get("ResolvedS3Object"):
            await self._write(
                "update_function_code",
                latest,
                parameters | stored | {"S3ObjectStorageMode": "REFERENCE"},
            )
        elif (size := configuration.get("CodeSize", 0)) > LARGEST_PACKAGE:
            raise _impossible(
                "code",
                version,
                f"its package has {size / 1e6:.0f} MB, and only 50 MB can be sent back",
            )
        elif not code.get("Location"):
            raise _impossible("code", version, "AWS gives no address for its package")
        elif self._packages.locked():
            raise AwsError(
                _NAME,
                "InProgress",
                "other packages are being restored by this worker",
                retry_after=5,
            )
        else:
            async with self._packages:
                package = await self._downloads.download(code["Location"], limit=LARGEST_PACKAGE)
                digest = base64.b64encode(hashlib.sha256(package).digest()).decode()
                if digest != configuration["CodeSha256"] and "SourceKMSKeyArn" not in parameters:
                    raise AwsError(
                        _NAME,
                        "DownloadFailed",
                        f"what was fetched is not the package of version {version}",
                    )
                await self._write("update_function_code", latest, parameters | {"ZipFile": package})

    async def _write(
        self, operation: str, latest: Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> None:
        """Change ``$LATEST`` if it still is as it was seen; if not, all is looked at anew by the next attempt."""
        seen = latest["Configuration"].get("RevisionId")
        try:
            await self.aws.call(
                "lambda", operation, {**parameters, **({"RevisionId": seen} if seen else {})}
            )
        except AwsError as error:
            if error.code == PRECONDITION_FAILED:
                raise not_settled_error(_NAME, "$LATEST was changed after it had been looked at") from None
            raise


_NAME: Final = "restore_latest"


def _impossible(what: str, version: str, why: str) -> AwsError:
    return AwsError(
        _NAME,
        "CannotRestore",
        f"the {what} of version {version} cannot be copied back to $LATEST: {why}. $LATEST keeps what this release has put there; "
        f"no alias is affected. Deploy version {version}'s {what} from its source before anything is published again",
    )


def _refuse_foreign(
    request: RestoreLatestRequest, latest: Mapping[str, Any], known: Sequence[Mapping[str, Any]]
) -> None:
    """Leave alone what neither the release nor an earlier attempt to undo it can have put into ``$LATEST``."""
    changed: list[str] = []
    if "code" in request.parts and _package(latest) not in [_package(version) for version in known]:
        changed.append(f"code ({_sha256(latest)})")
    if "configuration" in request.parts:
        settings = [_settings(version["Configuration"]) for version in known]
        present = _settings(latest["Configuration"])
        changed += [
            name
            for name, value in present.items()
            if value not in [each.get(name) for each in settings]
        ]
    if changed:
        raise _foreign(request, changed)


def _foreign(request: RestoreLatestRequest, changed: Sequence[str]) -> AwsError:
    made = (
        f"what version {request.replacing} was made of"
        if request.replacing
        else "what the release had uploaded"
    )
    return AwsError(
        _NAME,
        "PreconditionFailedException",
        f"$LATEST of {request.function_name} is not {made} any more: {', '.join(changed)}; nothing was overwritten",
    )


def _sha256(found: Mapping[str, Any]) -> str:
    return str(found["Configuration"].get("CodeSha256", ""))


def _package(found: Mapping[str, Any]) -> tuple[str, list[str]]:
    return _sha256(found), found["Configuration"].get("Architectures") or ["x86_64"]


def _unreadable(configuration: Mapping[str, Any]) -> str | None:
    """Why AWS does not show a part of a configuration (a key that it may not use, mostly); None when it shows all."""
    for member in ("Environment", "ImageConfigResponse"):
        if problem := configuration.get(member, {}).get("Error"):
            return str(problem.get("ErrorCode", member))
    return None


def _settings(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """FunctionConfiguration as UpdateFunctionConfiguration takes it. What is absent is there as the value that clears it."""
    vpc = configuration.get("VpcConfig", {})
    settings: dict[str, Any] = {
        "VpcConfig": {
            "SubnetIds": sorted(vpc.get("SubnetIds", ())),
            "SecurityGroupIds": sorted(vpc.get("SecurityGroupIds", ())),
        }
        | ({"Ipv6AllowedForDualStack": True} if vpc.get("Ipv6AllowedForDualStack") else {}),
        "Environment": {"Variables": configuration.get("Environment", {}).get("Variables", {})},
        "DeadLetterConfig": {
            "TargetArn": configuration.get("DeadLetterConfig", {}).get("TargetArn", "")
        },
        "KMSKeyArn": configuration.get("KMSKeyArn", ""),
        "TracingConfig": {
            "Mode": configuration.get("TracingConfig", {}).get("Mode", "PassThrough")
        },
        "FileSystemConfigs": configuration.get("FileSystemConfigs", []),
        "EphemeralStorage": {"Size": configuration.get("EphemeralStorage", {}).get("Size", 512)},
        "SnapStart": {"ApplyOn": configuration.get("SnapStart", {}).get("ApplyOn", "None")},
        "LoggingConfig": configuration.get("LoggingConfig")
        or {
            "LogFormat": "Text",
            "LogGroup": f"/aws/lambda/{configuration.get('FunctionName', '')}",
        },
    }
    if configuration.get("PackageType") == "Image":
        settings["ImageConfig"] = configuration.get("ImageConfigResponse", {}).get(
            "ImageConfig", {}
        )
    else:
        settings["Layers"] = [layer["Arn"] for layer in configuration.get("Layers", ())]
    return settings | {name: configuration[name] for name in _AS_SHOWN if configuration.get(name)}


_AS_SHOWN: Final = (
    "Role",
    "Handler",
    "Runtime",
    "Timeout",
    "MemorySize",
    "CapacityProviderConfig",
    "DurableConfig",
)
