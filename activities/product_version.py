"""The version of this program: in a worker's diagnosis, and by ``releases --version``."""

from __future__ import annotations

from importlib import metadata


def read_product_version() -> str:
    """Return the version of this program, as it was installed."""
    try:
        return metadata.version("lambda-releases")
    except metadata.PackageNotFoundError:  # run from a checkout
        return "unknown (not installed)"
