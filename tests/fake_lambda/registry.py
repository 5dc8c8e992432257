"""ECR: the digests to which the tags of images resolve."""

from __future__ import annotations

from typing import Any

from tests.fake_lambda.account import (
    Account,
    Answer,
    Parameters,
    compute_image_digest,
    operation,
)
from tests.fake_lambda.refusals import Refusal


@operation("ecr")
def batch_get_image(account: Account, parameters: Parameters) -> Answer:
    """The images of these tags and digests. What is not there is in ``failures``."""
    owner = parameters.get("registryId", account.account_id)
    if owner != account.account_id:
        raise Refusal("RepositoryNotFoundException", f"It is not in the registry {owner}")
    name = parameters["repositoryName"]
    answer: Answer = {"images": [], "failures": []}
    for asked in parameters["imageIds"]:
        if (digest := _find_digest(account, name, asked)) is None:
            reason = "Requested image not found"
            answer["failures"].append(
                {"imageId": asked, "failureCode": "ImageNotFound", "failureReason": reason}
            )
        else:
            found = {**asked, "imageDigest": f"sha256:{digest}"}
            answer["images"].append({"registryId": owner, "repositoryName": name, "imageId": found})
    return answer


def _find_digest(account: Account, repository: str, asked: dict[str, Any]) -> str | None:
    registry = f"{account.account_id}.dkr.ecr.{account.region}.amazonaws.com/{repository}"
    digest = asked.get("imageDigest")
    uri = f"{registry}@{digest}" if digest else f"{registry}:{asked['imageTag']}"
    if uri in account.missing_images:
        return None
    return account.images.get(uri) or compute_image_digest(uri)
