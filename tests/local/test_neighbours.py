"""The services beside Lambda that a release touches."""

from tests.local.bench import FAIL, Bench, package, refused, sha256


async def test_a_package_is_released_from_s3_by_its_version(bench: Bench) -> None:
    s3 = await bench.clients.of("s3")
    await s3.create_bucket(Bucket="artifacts")
    await s3.put_bucket_versioning(
        Bucket="artifacts", VersioningConfiguration={"Status": "Enabled"}
    )
    old = (await s3.put_object(Bucket="artifacts", Key="x.zip", Body=package(FAIL)))["VersionId"]
    await s3.put_object(Bucket="artifacts", Key="x.zip", Body=package())
    assert await (await s3.get_object(Bucket="artifacts", Key="x.zip"))["Body"].read() == package()
    name = await bench.function(FAIL + "# other\n")
    updated = await bench.client.update_function_code(
        FunctionName=name, S3Bucket="artifacts", S3Key="x.zip"
    )
    assert updated["CodeSha256"] == sha256(package())
    await bench.settled(name)
    updated = await bench.client.update_function_code(
        FunctionName=name, S3Bucket="artifacts", S3Key="x.zip", S3ObjectVersion=old
    )
    assert updated["CodeSha256"] == sha256(package(FAIL))
    await bench.settled(name)
    with refused("InvalidParameterValueException", 400, "NoSuchKey"):
        await bench.client.update_function_code(
            FunctionName=name, S3Bucket="artifacts", S3Key="y.zip"
        )


async def test_a_parameter_can_be_read(bench: Bench) -> None:
    ssm = await bench.clients.of("ssm")
    await ssm.put_parameter(Name="/checkout/flag", Value="on", Type="SecureString")
    assert (await ssm.get_parameter(Name="/checkout/flag", WithDecryption=True))["Parameter"][
        "Value"
    ] == "on"
    with refused("ParameterNotFound", 400):
        await ssm.get_parameter(Name="/checkout/absent")


async def test_a_secret_can_be_read(bench: Bench) -> None:
    secrets = await bench.clients.of("secretsmanager")
    await secrets.create_secret(Name="checkout", SecretString='{"key": "value"}')
    assert (await secrets.get_secret_value(SecretId="checkout"))[
        "SecretString"
    ] == '{"key": "value"}'
    with refused("ResourceNotFoundException", 400):
        await secrets.get_secret_value(SecretId="absent")
