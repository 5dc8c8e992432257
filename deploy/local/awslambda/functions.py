"""Create, read, list and delete functions."""

from __future__ import annotations

from typing import Any

from deploy.local.awslambda import code, ministack_api, records, updates, versions
from deploy.local.awslambda.calls import Call, parse_function_name
from deploy.local.awslambda.errors import invalid_parameter, resource_conflict, validation_error
from deploy.local.awslambda.ministack_api import Record, Response
from deploy.local.awslambda.records import LATEST, build_arn


def create_function(call: Call) -> Response:
    """Create a function, which is Pending at first.

    With ``Publish`` it has version 1 from the start, and no other until something changes.
    """
    code.check_size(call.operation, call.body)
    request = call.json_body()
    name, qualifier = parse_function_name(request.get("FunctionName", ""))
    if qualifier:
        raise validation_error(
            "functionName", request["FunctionName"], "Member must not be qualified"
        )
    if name in ministack_api.functions:
        raise resource_conflict(f"Function already exist: {name}")
    updates.check_settings(request)
    updates.check_runtime(request.get("Runtime"))
    code.read_package(request.get("Code", {}))
    publish = bool(request.pop("Publish", False))
    answer = ministack_api.create_function({**request, "FunctionName": name})
    if not ministack_api.is_success(answer):
        return answer
    record = records.get_function(name)
    created = record["config"]
    if publish:
        number = versions.add_version(name, record)["Version"]
        created = {**created, "Version": number}
    return ministack_api.json_response(_remove_update_status(created), 201)


def _remove_update_status(config: Record) -> Record:
    return {
        member: value for member, value in config.items() if not member.startswith("LastUpdate")
    }


def get_function(call: Call) -> Response:
    """Return configuration and code of a function, version or alias."""
    record = records.get_function(call.function, call.qualifier)
    config = read_configuration(call)
    answer: dict[str, Any] = {
        "Configuration": config,
        "Code": _describe_code(call.function, record, config),
    }
    if record.get("tags"):
        answer["Tags"] = record["tags"]
    if record.get("concurrency") is not None:
        answer["Concurrency"] = {"ReservedConcurrentExecutions": record["concurrency"]}
    return ministack_api.json_response(answer)


def _describe_code(name: str, record: Record, config: Record) -> Record:
    if config.get("PackageType") == "Image":
        return {
            "RepositoryType": "ECR",
            "ImageUri": config["ImageUri"],
            "ResolvedImageUri": config["ImageUri"],
        }
    answer = {"RepositoryType": "S3", "Location": code.make_download_url(name, config["Version"])}
    if record.get("s3_object_storage_mode") == "REFERENCE" and record.get("s3_object_ref"):
        answer["ResolvedS3Object"] = record["s3_object_ref"]
    return answer


def read_configuration(call: Call) -> Record:
    """Return a configuration of a function, with the requested ARN."""
    record = records.get_function(call.function, call.qualifier)
    config: Record = records.resolve_qualifier(call.function, record, call.qualifier)["config"]
    return {**config, "FunctionArn": build_arn(call.function, call.qualifier)}


def get_function_configuration(call: Call) -> Response:
    """Return what :func:`get_function` does, without code and tags."""
    return ministack_api.json_response(read_configuration(call))


def list_functions(call: Call) -> Response:
    """List every function; with ``FunctionVersion=ALL`` every version."""
    which = call.query_parameter("FunctionVersion")
    if which not in (None, "ALL"):
        raise validation_error(
            "functionVersion", which, "Member must satisfy enum value set: [ALL]"
        )
    shown: list[Record] = []
    for name in sorted(ministack_api.functions.keys()):
        record = ministack_api.functions[name]
        shown += (
            versions.describe_versions(name, record)
            if which
            else [records.remove_states(record["config"])]
        )
    return records.paginate(call, "Functions", shown, "FunctionArn")


def delete_function(call: Call) -> Response:
    """Delete a function, or one version of it.

    Deleting a version that does not exist succeeds.
    """
    if call.qualifier is None:
        records.get_function(call.function)
        return ministack_api.delete_function(call.function, {})
    if call.qualifier == LATEST:
        raise invalid_parameter("$LATEST version cannot be deleted without deleting the function.")
    if not call.qualifier.isdigit():
        raise invalid_parameter("Deletion of aliases is not currently supported.")
    record = records.get_function(call.function, call.qualifier)
    number = call.qualifier
    pointing = sorted(
        name
        for name, alias in record["aliases"].items()
        if alias["FunctionVersion"] == number or number in records.get_weights(alias)
    )
    if pointing:
        raise resource_conflict(
            "Unable to delete version because the following aliases reference it: "
            f"[{', '.join(pointing)}]"
        )
    if record["versions"].pop(number, None) is not None:
        record["provisioned_concurrency"].pop(number, None)
        ministack_api.invalidate_worker(
            call.function,
            qualifier=number,
            account=ministack_api.account(),
            region=ministack_api.region(),
        )
    return 204, {}, b""
