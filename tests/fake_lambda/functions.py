"""Functions: creation, code, configuration and deletion."""

from __future__ import annotations

from typing import Any

from tests.fake_lambda.account import (
    LATEST,
    Account,
    Answer,
    Function,
    Package,
    Parameters,
    make_revision,
    operation,
    parse_name,
    resolve_qualifier,
)
from tests.fake_lambda.configuration import (
    check_runtime,
    check_settings,
    configure,
    describe,
    summarize,
)
from tests.fake_lambda.packages import locate_package, put_code, read_package
from tests.fake_lambda.refusals import conflict, invalid
from tests.fake_lambda.routing import get_weights
from tests.fake_lambda.settling import begin_update, check_change, settle
from tests.fake_lambda.signing import check_signature
from tests.fake_lambda.versions import publish

_DEFAULTS: dict[str, Any] = {
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "PackageType": "Zip",
    "Architectures": ["x86_64"],
    "TracingConfig": {"Mode": "PassThrough"},
    "EphemeralStorage": {"Size": 512},
    "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
}


def add_function(
    account: Account, name: str, package: Package, configuration: Parameters
) -> Function:
    """Put a function there, unpublished, with nothing under way."""
    function = Function(name, account.arn(name))
    function.latest = _DEFAULTS | {
        "FunctionName": name,
        "FunctionArn": function.arn,
        "Version": LATEST,
        "LastModified": "2026-11-22T10:00:00.000+0000",
        "RevisionId": make_revision(),
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
    configure(function.latest, configuration)
    put_code(function, package)
    account.functions[name] = function
    return function


@operation("lambda")
def create_function(account: Account, parameters: Parameters) -> Answer:
    name, _, _ = parse_name(parameters["FunctionName"])
    if name in account.functions:
        raise conflict(f"Function already exist: {name}")
    if "ImageUri" not in parameters["Code"] and not {"Runtime", "Handler"} <= {*parameters}:
        raise invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment "
            "packages."
        )
    check_runtime(account, parameters.get("Runtime"))
    package = read_package(account, parameters["Code"])
    function = add_function(account, name, package, parameters)
    function.tags = dict(parameters.get("Tags", {}))
    function.latest["State"] = "Pending"
    function.polls = account.polls
    if parameters.get("Publish"):
        publish(account, function, parameters.get("Description", ""))
        return function.versions["1"]
    return function.latest


@operation("lambda")
def get_function(account: Account, parameters: Parameters) -> Answer:
    function, qualifier = account.find(parameters)
    found = account.configuration(function, qualifier)
    settle(account, function, found)
    answer: Answer = {
        "Configuration": describe(account, function, found, qualifier),
        "Code": locate_package(account, function, resolve_qualifier(function, qualifier)),
        "Tags": function.tags,
    }
    if function.reserved is not None:
        answer["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
    return answer


@operation("lambda")
def get_function_configuration(account: Account, parameters: Parameters) -> Answer:
    function, qualifier = account.find(parameters)
    found = account.configuration(function, qualifier)
    settle(account, function, found)
    return describe(account, function, found, qualifier)


@operation("lambda")
def list_functions(account: Account, parameters: Parameters) -> Answer:
    listed = [summarize(function.latest) for function in account.functions.values()]
    return account.page(parameters, "Functions", listed)


@operation("lambda")
def update_function_code(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    check_change(account, function, parameters)
    kind = function.latest["PackageType"]
    if (kind == "Image") != ("ImageUri" in parameters):
        wanted = "Please provide" if kind == "Image" else "Please do not provide"
        raise invalid(f"{wanted} ImageUri when updating a function with packageType {kind}.")
    check_runtime(account, function.latest.get("Runtime"))
    package = read_package(account, parameters)
    check_signature(account, function, package)
    if parameters.get("DryRun"):
        return function.latest | {"CodeSha256": package.digest}
    put_code(function, package)
    if "Architectures" in parameters:
        function.latest["Architectures"] = parameters["Architectures"]
    answer = begin_update(account, function)
    if parameters.get("Publish"):
        return publish(account, function, function.latest["Description"])
    return answer


@operation("lambda")
def update_function_configuration(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    check_change(account, function, parameters)
    check_settings(account, function, parameters)
    configure(function.latest, parameters)
    return begin_update(account, function)


@operation("lambda")
def delete_function(account: Account, parameters: Parameters) -> Answer:
    function, qualifier = account.find(parameters)
    if qualifier is None:
        del account.functions[function.name]
    elif not qualifier.isdecimal():
        raise invalid(f"{LATEST} version cannot be deleted without deleting the function.")
    else:
        names = [
            name
            for name, alias in function.aliases.items()
            if qualifier in {alias["FunctionVersion"], *get_weights(alias)}
        ]
        if names:
            raise conflict(
                "Unable to delete version because the following aliases reference it: "
                f"[{', '.join(names)}]"
            )
        function.versions.pop(qualifier, None)
        function.packages.pop(qualifier, None)
    return {"StatusCode": 204}
