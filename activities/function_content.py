"""The content of a function: its package and its settings.

Both are read from responses to GetFunction. Settings are returned in the form in which
UpdateFunctionConfiguration takes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_DEFAULT_ARCHITECTURES: Final = ["x86_64"]
_DEFAULT_STORAGE_MB: Final = 512

_COPIED_SETTINGS: Final = (
    "Role",
    "Handler",
    "Runtime",
    "Timeout",
    "MemorySize",
    "CapacityProviderConfig",
    "DurableConfig",
)
"""Settings whose members AWS sends and takes in the same form."""


PackageIdentity = tuple[str, list[str]]
"""What makes two packages equal: their SHA-256 and their architectures."""


def get_code_sha256(function: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the package (base64); empty where AWS sends none."""
    return str(function["Configuration"].get("CodeSha256", ""))


def get_package_identity(function: Mapping[str, Any]) -> PackageIdentity:
    """Return what makes two packages equal: their SHA-256 and their architectures."""
    architectures = function["Configuration"].get("Architectures") or _DEFAULT_ARCHITECTURES
    return get_code_sha256(function), architectures


def find_unreadable_part(configuration: Mapping[str, Any]) -> str | None:
    """Return AWS's code for a part that it cannot show; None where it shows all.

    Mostly a key that AWS Lambda may not use.
    """
    return next(iter(get_unreadable_parts(configuration).values()), None)


def get_unreadable_parts(configuration: Mapping[str, Any]) -> dict[str, str]:
    """Return AWS's code for each setting that it cannot show."""
    members = {"Environment": "Environment", "ImageConfigResponse": "ImageConfig"}
    return {
        name: str(error.get("ErrorCode", member))
        for member, name in members.items()
        if (error := configuration.get(member, {}).get("Error"))
    }


def to_settings(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return a received configuration as UpdateFunctionConfiguration takes it.

    A setting that the configuration lacks has the value that clears it.
    """
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
        "EphemeralStorage": {
            "Size": configuration.get("EphemeralStorage", {}).get("Size", _DEFAULT_STORAGE_MB)
        },
        "SnapStart": {"ApplyOn": configuration.get("SnapStart", {}).get("ApplyOn", "None")},
        "LoggingConfig": configuration.get("LoggingConfig")
        or {
            "LogFormat": "Text",
            "LogGroup": f"/aws/lambda/{configuration.get('FunctionName', '')}",
        },
    }
    if configuration.get("PackageType") == "Image":
        image = configuration.get("ImageConfigResponse", {})
        settings["ImageConfig"] = image.get("ImageConfig", {})
    else:
        settings["Layers"] = [layer["Arn"] for layer in configuration.get("Layers", ())]
    return settings | {
        name: configuration[name] for name in _COPIED_SETTINGS if configuration.get(name)
    }
