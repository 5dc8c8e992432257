"""The sample of the local stack."""

from deploy.local.sample import build_package


def test_package_is_the_same_bytes_every_time() -> None:
    assert build_package("good") == build_package("good")
    assert build_package("good") != build_package("broken")
