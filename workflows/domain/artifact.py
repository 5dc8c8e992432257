"""What is released: a package, an image, a published version, or what ``$LATEST`` holds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from workflows.domain.inputs import Input


def _read_number(value: object) -> object:
    """Take a version that was typed as a number, as YAML reads one without quotes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


VersionNumber = Annotated[
    str,
    Field(
        pattern=r"^[1-9][0-9]{0,18}$",
        description="a published version's number, such as 7; $LATEST and aliases have none",
    ),
    BeforeValidator(_read_number),
]
"""A published version, as AWS writes it: digits in a string. A number is taken, too."""

Revision = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="one line of at most 128 characters, such as a git commit",
    ),
]
"""What the code was built from, as people look for it: a git commit, a tag."""

Architecture = Literal["x86_64", "arm64"]
"""The instruction set that code is built for."""


class S3Package(Input):
    """A .zip package in S3, in the function's region.

    Without ``object_version`` it is what the key holds when the release runs.
    """

    kind: Literal["s3"]
    bucket: Annotated[
        str,
        Field(
            min_length=3,
            max_length=63,
            pattern=r"^[0-9A-Za-z._-]+$",
            description="a bucket's name: letters, digits, dots, - and _",
        ),
    ]
    key: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    object_version: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    architecture: Architecture | None = None
    """What the code is built for; None: what the live version's is."""
    kms_key: (
        Annotated[
            str,
            Field(
                max_length=2048,
                pattern=r"^arn:aws[a-zA-Z-]*:kms:.+$",
                description="the ARN of a KMS key, such as "
                "arn:aws:kms:eu-west-1:123456789012:key/1a2b",
            ),
        ]
        | None
    ) = None
    """The ARN of the KMS key that encrypts the package; None: the live version's."""
    storage_mode: Literal["COPY", "REFERENCE"] | None = None
    """Whether Lambda copies the package or refers to it in S3; None: as AWS has it."""
    revision: Revision | None = None

    def __str__(self) -> str:
        version = f" ({self.object_version})" if self.object_version else ""
        return f"s3://{self.bucket}/{self.key}{version}{_name_revision(self.revision)}"


class Image(Input):
    """A container image in ECR."""

    kind: Literal["image"]
    uri: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    architecture: Architecture | None = None
    """What the image is built for; None: what the live version's is."""
    revision: Revision | None = None

    def __str__(self) -> str:
        return f"{self.uri}{_name_revision(self.revision)}"


class PublishedVersion(Input):
    """A version that was published before."""

    kind: Literal["version"]
    version: VersionNumber

    def __str__(self) -> str:
        return f"version {self.version}"


class Latest(Input):
    """What ``$LATEST`` holds when the release runs."""

    kind: Literal["latest"]
    revision: Revision | None = None

    def __str__(self) -> str:
        return f"$LATEST{_name_revision(self.revision)}"


def _name_revision(revision: str | None) -> str:
    return f", revision {revision}" if revision else ""


Artifact = Annotated[S3Package | Image | PublishedVersion | Latest, Field(discriminator="kind")]
