"""What another writer put into ``$LATEST``, or into the version, while a release wrote it.

Each function returns a sentence, or None where all is as it was read or written.
"""

from __future__ import annotations

from collections.abc import Mapping

from activities.configuration import ConfigurationChange
from activities.configuration_response import FunctionConfiguration
from activities.latest_comparison import CompareLatestResponse
from workflows.domain.artifact import Image
from workflows.domain.latest_rules import LatestDifference, describe_differences
from workflows.latest_check import LatestFindings, describe_content


def find_other_code(
    latest: FunctionConfiguration, *, expected: str, uploaded: str | None
) -> str | None:
    """Compare the hash of the code with that of what was uploaded, or was there before."""
    if latest.code_sha256 == expected:
        return None
    origin = f"was uploaded ({uploaded})" if uploaded else f"preflight found ({expected})"
    return (
        f"somebody else changed $LATEST: it holds other code ({latest.code_sha256}) "
        f"than {origin}; it was left like that"
    )


def find_other_image(named: Image, found: CompareLatestResponse) -> str | None:
    """Compare the digest of the image with the one that is named, if one is."""
    code = found.latest_code
    if code is None or "@" not in named.uri:
        return None
    actual = code.resolved_image_uri or code.image_uri or ""
    if actual.endswith(named.uri.rpartition("@")[2]):
        return None
    return (
        f"somebody else changed $LATEST: it holds the image {actual}, not {named}; "
        "it was left like that"
    )


def find_foreign_settings(
    found: CompareLatestResponse, before: LatestFindings, change: ConfigurationChange | None
) -> str | None:
    """Find settings that differ from the live version's, did not before, and are not ours."""
    ours = set(change.parameters()) if change else set[str]()
    foreign = [
        LatestDifference(each.name, each.live, each.latest)
        for each in found.differences
        if each.name not in before.differences and each.name.partition(".")[0] not in ours
    ]
    if not foreign:
        return None
    differences = describe_differences(foreign)
    return f"somebody else changed $LATEST meanwhile: {differences}; that was left like that"


def find_other_content(
    published: FunctionConfiguration, expected: Mapping[str, object]
) -> str | None:
    """Compare a version with what ``$LATEST`` was when it was checked.

    A publish whose response was lost is sent again without a RevisionId: the publish itself may
    have moved it. So a version may hold what another writer set in that moment.
    """
    names = [
        name.replace("_", " ")
        for name, value in describe_content(published).items()
        if value is not None and value != expected.get(name)
    ]
    if not names:
        return None
    return (
        f"somebody else changed $LATEST before version {published.version} was published of it: "
        f"{', '.join(names)}"
    )
