"""Refuses to follow S3 to a bucket of another region.

botocore follows S3's redirects, and would find a package that AWS Lambda then refuses: it takes
packages from a bucket in the function's region only.
https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCode.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from activities.errors import AwsError

BEFORE_SIGN: Final = "before-sign.s3.HeadObject"
"""botocore's event before it signs a request; a redirected one has the other region by then."""

WRONG_REGION: Final = "WrongRegion"


def make_region_check(region: str) -> Callable[..., None]:
    """Make the handler of :data:`BEFORE_SIGN` for a client of ``region``.

    It raises ``WrongRegion``: nothing is sent to the other region.
    """

    def check(request: Any, **_: Any) -> None:
        bucket_region = request.context.get("signing", {}).get("region", region)
        if bucket_region != region:
            raise AwsError(
                "head_object",
                WRONG_REGION,
                f"the bucket is in {bucket_region}, and AWS Lambda takes packages from buckets in "
                f"{region} only",
            )

    return check
