"""Create, read, list and delete a function."""

from __future__ import annotations

from typing import Any

from deploy.local.awslambda import code, records, updates, upstream, versions
from deploy.local.awslambda.calls import Call, parse
from deploy.local.awslambda.records import LATEST, arn
from deploy.local.awslambda.refusals import conflict, invalid, malformed
from deploy.local.awslambda.upstream import Answer, Record


def create(call: Call) -> Answer:
    """Create a function, Pending at first. With ``Publish`` it has version 1 from the start, and no other until something changes."""
    code.check_size(call.operation, call.body)
    request = call.document()
    name, qualifier = parse(request.get("FunctionName", ""))
    if qualifier:
        raise malformed("functionName", request["FunctionName"], "Member must not be qualified")
    if name in upstream.functions:
        raise conflict(f"Function already exist: {name}")
    updates.check_settings(request)
    code.package(request.get("Code", {}))
    publish = bool(request.pop("Publish", False))
    answer = upstream.create_function({**request, "FunctionName": name})
    if not upstream.carried_out(answer):
        return answer
    record = records.function(name)
    created = record["config"]
    if publish:
        number = versions.publish(name, record)["Version"]
        created = {**created, "Version": number}
    return upstream.answer_json(_without_update_status(created), 201)


def _without_update_status(config: Record) -> Record:
    return {
        member: value for member, value in config.items() if not member.startswith("LastUpdate")
    }


def get(call: Call) -> Answer:
    """A function, or what a qualifier names: its own configuration and its own code."""
    record = records.function(call.function, call.qualifier)
    config = configuration(call)
    answer: dict[str, Any] = {"Configuration": config, "Code": _code(call.function, record, config)}
    if record.get("tags"):
        answer["Tags"] = record["tags"]
    if record.get("concurrency") is not None:
        answer["Concurrency"] = {"ReservedConcurrentExecutions": record["concurrency"]}
    return upstream.answer_json(answer)


def _code(name: str, record: Record, config: Record) -> Record:
    if config.get("PackageType") == "Image":
        return {
            "RepositoryType": "ECR",
            "ImageUri": config["ImageUri"],
            "ResolvedImageUri": config["ImageUri"],
        }
    answer = {"RepositoryType": "S3", "Location": code.location(name, config["Version"])}
    if record.get("s3_object_storage_mode") == "REFERENCE" and record.get("s3_object_ref"):
        answer["ResolvedS3Object"] = record["s3_object_ref"]
    return answer


def configuration(call: Call) -> Record:
    """The configuration a qualifier names, under the ARN it was asked for by."""
    record = records.function(call.function, call.qualifier)
    config: Record = records.resolve(call.function, record, call.qualifier)["config"]
    return {**config, "FunctionArn": arn(call.function, call.qualifier)}


def get_configuration(call: Call) -> Answer:
    """As :func:`get`, without code and tags."""
    return upstream.answer_json(configuration(call))


def list_all(call: Call) -> Answer:
    """Every function; with ``FunctionVersion=ALL`` every version of every function."""
    which = call.asked("FunctionVersion")
    if which not in (None, "ALL"):
        raise malformed("functionVersion", which, "Member must satisfy enum value set: [ALL]")
    shown: list[Record] = []
    for name in sorted(upstream.functions.keys()):
        record = upstream.functions[name]
        shown += versions.listed(name, record) if which else [records.stateless(record["config"])]
    return records.page(call, "Functions", shown, "FunctionArn")


def delete(call: Call) -> Answer:
    """Delete a function with all it has, or one version of it. A version that is gone already is no error."""
    if call.qualifier is None:
        records.function(call.function)
        return upstream.delete_function(call.function, {})
    if call.qualifier == LATEST:
        raise invalid("$LATEST version cannot be deleted without deleting the function.")
    if not call.qualifier.isdigit():
        raise invalid("Deletion of aliases is not currently supported.")
    record = records.function(call.function, call.qualifier)
    number = call.qualifier
    pointing = sorted(
        name
        for name, alias in record["aliases"].items()
        if alias["FunctionVersion"] == number or number in records.weights(alias)
    )
    if pointing:
        raise conflict(
            f"Unable to delete version because the following aliases reference it: [{', '.join(pointing)}]"
        )
    if record["versions"].pop(number, None) is not None:
        record["provisioned_concurrency"].pop(number, None)
        upstream.invalidate_worker(
            call.function, qualifier=number, account=upstream.account(), region=upstream.region()
        )
    return 204, {}, b""
