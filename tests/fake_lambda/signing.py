"""Code signing: which packages a function takes."""

from __future__ import annotations

from tests.fake_lambda.account import Account, Answer, Function, Package, Parameters, operation
from tests.fake_lambda.refusals import Refusal, not_found


@operation("lambda")
def put_function_code_signing_config(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    _find_policy(account, parameters["CodeSigningConfigArn"])
    function.signing = parameters["CodeSigningConfigArn"]
    return _report(function)


@operation("lambda")
def get_function_code_signing_config(account: Account, parameters: Parameters) -> Answer:
    """The function's configuration. Without one AWS's answer is empty."""
    function, _ = account.find(parameters)
    return _report(function) if function.signing else {}


@operation("lambda")
def get_code_signing_config(account: Account, parameters: Parameters) -> Answer:
    arn = parameters["CodeSigningConfigArn"]
    policy = {"UntrustedArtifactOnDeployment": _find_policy(account, arn)}
    publishers = {"SigningProfileVersionArns": [f"arn:aws:signer:{account.region}:1:/p/x/1"]}
    return {
        "CodeSigningConfig": {
            "CodeSigningConfigId": arn.rpartition(":")[2],
            "CodeSigningConfigArn": arn,
            "AllowedPublishers": publishers,
            "CodeSigningPolicies": policy,
            "LastModified": "2026-11-22T10:00:00.000+0000",
        }
    }


def check_signature(account: Account, function: Function, package: Package) -> None:
    """Refuse a package without a signature, where the function's configuration enforces one."""
    policy = account.signing_policies.get(function.signing or "", "Warn")
    if policy == "Enforce" and package.image is None and package.digest not in account.signed:
        raise Refusal(
            "CodeVerificationFailedException",
            "Lambda cannot deploy the function. The function or layer might be signed using a "
            "signature that the client is not configured to accept. Check the provided signature "
            f"for {function.name}.",
        )


def _find_policy(account: Account, arn: str) -> str:
    if arn not in account.signing_policies:
        raise not_found(f"The code signing configuration cannot be found: {arn}")
    return account.signing_policies[arn]


def _report(function: Function) -> Answer:
    return {"FunctionName": function.name, "CodeSigningConfigArn": function.signing}
