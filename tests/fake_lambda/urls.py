"""Function URLs, of the function itself or of an alias."""

from __future__ import annotations

from tests.fake_lambda.account import LATEST, Account, Answer, Parameters, operation
from tests.fake_lambda.refusals import Refusal, conflict

_CREATED = "2026-11-22T10:00:00.000Z"


@operation("lambda")
def create_function_url_config(account: Account, parameters: Parameters) -> Answer:
    function, qualifier = account.find(parameters)
    if qualifier is not None and (qualifier == LATEST or qualifier.isdecimal()):
        raise Refusal("ValidationException", "A function URL is of a function or of an alias")
    account.configuration(function, qualifier)
    if (qualifier or "") in function.urls:
        raise conflict(f"Failed to create function url config for [functionArn = {function.arn}]")
    made = {
        "FunctionUrl": f"https://{len(function.urls)}{function.name}.lambda-url.on.aws/",
        "FunctionArn": f"{function.arn}:{qualifier}" if qualifier else function.arn,
        "AuthType": parameters["AuthType"],
        "CreationTime": _CREATED,
    }
    function.urls[qualifier or ""] = made
    return made


@operation("lambda")
def list_function_url_configs(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    listed = [{**made, "LastModifiedTime": _CREATED} for made in function.urls.values()]
    return account.page(parameters, "FunctionUrlConfigs", listed)
