"""The services beside Lambda that a release touches."""

from tests.local.harness import (
    FAIL,
    LocalHarness,
    build_package,
    compute_sha256,
    raises_client_error,
)


async def test_package_comes_from_s3_by_its_object_version(harness: LocalHarness) -> None:
    s3 = await harness.clients.get("s3")
    await s3.create_bucket(Bucket="artifacts")
    await s3.put_bucket_versioning(
        Bucket="artifacts", VersioningConfiguration={"Status": "Enabled"}
    )
    old = (await s3.put_object(Bucket="artifacts", Key="x.zip", Body=build_package(FAIL)))[
        "VersionId"
    ]
    await s3.put_object(Bucket="artifacts", Key="x.zip", Body=build_package())
    assert (
        await (await s3.get_object(Bucket="artifacts", Key="x.zip"))["Body"].read()
        == build_package()
    )
    name = await harness.create_function(FAIL + "# other\n")
    updated = await harness.client.update_function_code(
        FunctionName=name, S3Bucket="artifacts", S3Key="x.zip"
    )
    assert updated["CodeSha256"] == compute_sha256(build_package())
    await harness.wait_until_settled(name)
    updated = await harness.client.update_function_code(
        FunctionName=name, S3Bucket="artifacts", S3Key="x.zip", S3ObjectVersion=old
    )
    assert updated["CodeSha256"] == compute_sha256(build_package(FAIL))
    await harness.wait_until_settled(name)
    with raises_client_error("InvalidParameterValueException", 400, "NoSuchKey"):
        await harness.client.update_function_code(
            FunctionName=name, S3Bucket="artifacts", S3Key="y.zip"
        )


async def test_parameter_can_be_read(harness: LocalHarness) -> None:
    ssm = await harness.clients.get("ssm")
    await ssm.put_parameter(Name="/checkout/flag", Value="on", Type="SecureString")
    assert (await ssm.get_parameter(Name="/checkout/flag", WithDecryption=True))["Parameter"][
        "Value"
    ] == "on"
    with raises_client_error("ParameterNotFound", 400):
        await ssm.get_parameter(Name="/checkout/absent")


async def test_secret_can_be_read(harness: LocalHarness) -> None:
    secrets = await harness.clients.get("secretsmanager")
    await secrets.create_secret(Name="checkout", SecretString='{"key": "value"}')
    assert (await secrets.get_secret_value(SecretId="checkout"))[
        "SecretString"
    ] == '{"key": "value"}'
    with raises_client_error("ResourceNotFoundException", 400):
        await secrets.get_secret_value(SecretId="absent")
