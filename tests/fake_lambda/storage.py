"""What surrounds Lambda: packages in S3, parameters of Systems Manager, secrets."""

from __future__ import annotations

from tests.fake_lambda.account import Account, Answer, Parameters, compute_sha256, operation
from tests.fake_lambda.refusals import Refusal, not_found


@operation("s3")
def head_object(account: Account, parameters: Parameters) -> Answer:
    """Size, version and, where it is requested, checksum of an object."""
    members = ("Bucket", "Key", "VersionId")
    where = tuple(parameters[member] for member in members if member in parameters)
    if where[:2] in account.denied_objects:
        raise Refusal("403", "HTTP 403 without an error code of AWS's")
    if where not in account.objects:
        code = "404" if account.lists_buckets else "403"
        raise Refusal(code, f"HTTP {code} without an error code of AWS's")
    stored = account.objects[where]
    answer: Answer = {"ContentLength": len(stored)}
    if "VersionId" in parameters:
        answer["VersionId"] = parameters["VersionId"]
    if account.checksums and parameters.get("ChecksumMode") == "ENABLED":
        answer |= {"ChecksumSHA256": compute_sha256(stored), "ChecksumType": "FULL_OBJECT"}
    return answer


@operation("ssm")
def get_parameters(account: Account, parameters: Parameters) -> Answer:
    names = parameters["Names"]
    found = [
        {"Name": name, "Value": account.parameters[name]}
        for name in names
        if name in account.parameters
    ]
    unknown = [name for name in names if name not in account.parameters]
    return {"Parameters": found} | ({"InvalidParameters": unknown} if unknown else {})


@operation("secretsmanager")
def get_secret_value(account: Account, parameters: Parameters) -> Answer:
    name = parameters["SecretId"]
    if name not in account.secrets:
        raise not_found("Secrets Manager can't find the specified secret.")
    return {"Name": name, "SecretString": account.secrets[name]}
