"""Tags of functions."""

from __future__ import annotations

from tests.fake_lambda.account import Account, Answer, Function, Parameters, operation
from tests.fake_lambda.refusals import invalid

MAX_TAGS = 50


@operation("lambda")
def list_tags(account: Account, parameters: Parameters) -> Answer:
    return {"Tags": _find(account, parameters).tags}


@operation("lambda")
def tag_resource(account: Account, parameters: Parameters) -> Answer:
    function = _find(account, parameters)
    tags = function.tags | parameters["Tags"]
    if not parameters["Tags"] or len(tags) > MAX_TAGS:
        raise invalid(f"A resource has 1 to {MAX_TAGS} tags")
    function.tags = tags
    return {}


@operation("lambda")
def untag_resource(account: Account, parameters: Parameters) -> Answer:
    function = _find(account, parameters)
    function.tags = {
        key: value for key, value in function.tags.items() if key not in parameters["TagKeys"]
    }
    return {}


def _find(account: Account, parameters: Parameters) -> Function:
    function, qualifier = account.find({"FunctionName": parameters["Resource"]})
    if qualifier is not None:
        raise invalid("Tags on function aliases and versions are not supported.")
    return function
