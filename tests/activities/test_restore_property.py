"""After an undo ``$LATEST`` is as before, except for what the undo names."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import settling
from activities.restore_latest import RestoreLatest
from activities.restore_models import LatestBefore, RestoreLatestRequest, RestoreLatestResponse
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import Account, Answer, Parameters, compute_sha256
from tests.fake_lambda.functions import update_function_configuration
from tests.fake_lambda.refusals import invalid

LAYERS = [f"arn:aws:lambda:eu-central-1:123456789012:layer:one:{number}" for number in (1, 2, 3)]
VALUES: dict[str, list[Any]] = {
    "Timeout": [3, 10, 20],
    "MemorySize": [128, 256, 512],
    "Handler": ["app.one", "app.two", "app.three"],
    "Description": ["", "one", "two"],
    "EphemeralStorage": [{"Size": 512}, {"Size": 1024}, {"Size": 2048}],
    "Layers": [[], LAYERS[:1], LAYERS[1:]],
    "Environment": [
        {"Variables": {"MODE": "calm"}},
        {"Variables": {"MODE": "wild"}},
        {"Variables": {"MODE": "calm", "THEIRS": "yes"}},
    ],
}
"""For each setting its values before the release, of the release, and of another writer."""

ATTEMPTS = 30


def configure(fake: FakeLambda, settings: dict[str, Any]) -> None:
    """Change settings of ``$LATEST``, settled."""
    if settings:
        fake.apply("update_function_configuration", FunctionName="checkout", **settings)
        fake.settle("checkout")


def pick(chance: random.Random, names: list[str], share: float) -> list[str]:
    """About this share of the names."""
    return [name for name in names if chance.random() < share]


def name_variables(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings as a journal holds them."""
    return {
        name: sorted(value["Variables"]) if name == "Environment" else value
        for name, value in settings.items()
    }


async def restore(fake: FakeLambda, request: RestoreLatestRequest) -> RestoreLatestResponse:
    """Attempt it as often as Temporal would."""
    group = RestoreLatest(fake)
    failures: list[ApplicationError] = []
    while len(failures) < ATTEMPTS:
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, attempt=len(failures) + 1)
        try:
            return await environment.run(group.restore_latest, request)
        except ApplicationError as failure:
            failures.append(failure)
    raise AssertionError(f"it does not end: {failures[-1]}")


class Course:
    """A release that came so far, another writer after it, and what AWS refuses of the undo."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.fake = FakeLambda()
        self.found = {name: values[0] for name, values in VALUES.items()}
        self.function = self.fake.create_unpublished("checkout", "one", **self.found)
        self.fake.publish("checkout")
        self.superseded = self.function.latest["RevisionId"]
        self.uploads = self.chance.random() < 0.7
        self.written = {name: VALUES[name][1] for name in pick(self.chance, [*VALUES], 0.6)}
        self.reached = self.chance.choice(["nothing", "code", "configuration", "publish"])
        self.foreign = pick(self.chance, [*VALUES], 0.2)
        self.has_foreign_code = self.chance.random() < 0.2
        self.refused = pick(self.chance, [*VALUES], 0.15)
        self.uploaded: str | None = None
        self.replacing: str | None = None

    @property
    def has_written(self) -> bool:
        """Whether the settings were written."""
        return self.reached in {"configuration", "publish"}

    def take(self) -> None:
        """Change ``$LATEST``, as the release and then as another writer; plan refusals."""
        fake, chance = self.fake, self.chance
        if self.uploads and self.reached != "nothing":
            fake.upload("two.zip", "two")
            self.uploaded = fake.overwrite("checkout", "two")
        if self.has_written:
            configure(fake, self.written)
        if self.reached == "publish":
            self.replacing = fake.publish("checkout")
        elif chance.random() < 0.5:
            self.uploaded = None  # the response was lost
        configure(fake, {name: VALUES[name][2] for name in self.foreign})
        if self.has_foreign_code:
            fake.overwrite("checkout", "theirs")
        fake.overrides["lambda", "update_function_configuration"] = self._configure
        for operation in ("update_function_code", "update_function_configuration", "get_function"):
            if chance.random() < 0.5:
                fake.lose(operation, skip=chance.randrange(3))

    def _configure(self, account: Account, parameters: Parameters) -> Answer:
        for name in self.refused:
            if name in parameters:
                raise invalid(f"{name} is refused")
        return update_function_configuration(account, parameters)

    @property
    def request(self) -> RestoreLatestRequest:
        """What the journal of the release says."""
        return RestoreLatestRequest(
            function_name="checkout",
            version="1",
            parts=["code", "configuration"] if self.uploads else ["configuration"],
            before=LatestBefore(
                code_sha256=compute_sha256(b"one"),
                settings=name_variables({name: self.found[name] for name in self.written}),
                environment_version="1",
            ),
            written=name_variables(self.written),
            uploaded=self.uploaded,
            source={"S3Bucket": "artifacts", "S3Key": "two.zip"} if self.uploads else {},
            replacing=self.replacing,
            superseded=self.superseded,
        )

    def expect(self, name: str, then: Any) -> Any:
        """What a setting has to be afterwards, in the form of AWS's responses."""
        is_stuck = name in self.refused and self.has_written
        if name not in self.written or name in self.foreign or is_stuck:
            return then
        return self.found[name] or None  # of layers, which AWS leaves out

    def expect_leftovers(self) -> dict[str, str]:
        """What has to be named, and why."""
        foreign = {name: "foreign" for name in self.foreign if name in self.written}
        refused = {
            name: "refused"
            for name in self.refused
            if name in self.written and name not in self.foreign and self.has_written
        }
        code = {"code": "foreign"} if self.has_foreign_code and self.uploads else {}
        return {**foreign, **refused, **code}


@pytest.mark.parametrize("seed", range(60))
async def test_latest_is_as_before_but_for_what_is_named(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "_READ_LAG_SECONDS", 0.01)
    course = Course(seed)
    course.take()
    latest = course.function.latest
    then = dict(latest)
    answer = await restore(course.fake, course.request)
    found = {name: latest.get(name) or None for name in VALUES}
    assert found == {name: course.expect(name, then.get(name)) or None for name in VALUES}
    is_ours = course.uploads and not course.has_foreign_code
    assert latest["CodeSha256"] == (compute_sha256(b"one") if is_ours else then["CodeSha256"])
    assert {each.name: each.reason for each in answer.leftovers} == course.expect_leftovers()
