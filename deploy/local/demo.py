"""The demo: a good version ramps from 10 % to 100 % under traffic; a broken one is caught by its alarm and rolled back.

Everything runs on this machine. Temporal is the real server; Lambda is emulated, and so are its routing by weight, its per-version
metrics and its alarms. The worker and the workflows are the product.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

from temporalio.client import Client

from deploy.local import sample, traffic
from deploy.local.stack import Stack
from deploy.local.traffic import Tally
from workflows.cli.watch import follow
from workflows.client import ReleaseClient
from workflows.domain.status import Phase, ReleaseStatus
from workflows.request import ReleaseRequest
from workflows.temporal.plugin import LambdaReleases

_STEPS: Final = [
    {"kind": "set_weight", "percent": 10},
    {"kind": "bake", "duration": "10s"},
    {"kind": "set_weight", "percent": 50},
    {"kind": "bake", "duration": "10s"},
]


@dataclass(frozen=True)
class Scene:
    """One release of the demo, and how it has to end."""

    title: str
    id: str
    package: str
    steps: list[dict[str, object]]
    reason: str
    ends: Phase
    because: str

    def request(self) -> ReleaseRequest:
        """What is asked: the same for a person, a pipeline or a schedule."""
        asked = {
            "target": {"function": sample.FUNCTION, "alias": sample.ALIAS},
            "artifact": {"kind": "s3", "bucket": sample.BUCKET, "key": self.package},
            "strategy": {"steps": self.steps},
            "guards": {"alarms": [sample.ALARM]},
            "requested_by": "demo",
            "reason": self.reason,
        }
        return ReleaseRequest.model_validate(asked)

    def problem(self, status: ReleaseStatus) -> str | None:
        """What went other than it must, if anything did."""
        if status.phase is self.ends and self.because in status.note:
            return None
        return f"{self.title}: {status.phase}, {status.note}"


_SCENES: Final = (
    Scene(
        "A good release",
        "demo-good",
        sample.GOOD,
        _STEPS,
        "cheaper tea",
        Phase.SUCCEEDED,
        "All traffic is on version 2",
    ),
    Scene(
        "A broken release",
        "demo-broken",
        sample.BROKEN,
        [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "2m"}],
        "a bug that tests did not find",
        Phase.ROLLED_BACK,
        f"alarm {sample.ALARM} went off",
    ),
)


async def play(stack: Stack) -> list[str]:
    """Play both scenes under traffic, and return what went other than it must."""
    releases = ReleaseClient(await Client.connect(stack.address, plugins=[LambdaReleases()]))
    print(f"\nWatch it in the Temporal UI: {stack.ui_url}/namespaces/default/workflows")
    print(
        f"Lambda is emulated at {stack.aws.endpoint_url}, with its weighted routing, per-version metrics and alarms.\n"
    )
    problems: list[str] = []
    async with sample.Clients.connect(stack.aws) as clients:
        await sample.create(clients)
        async with traffic.flowing(clients) as tally:
            for scene in _SCENES:
                before = tally.copy()
                problems += await _play(scene, releases)
                _show(tally.since(before))
        alias = await clients.awslambda.get_alias(FunctionName=sample.FUNCTION, Name=sample.ALIAS)
    live, weights = (
        alias["FunctionVersion"],
        (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights"),
    )
    print(
        f"{sample.FUNCTION}:{sample.ALIAS} is on version {live}{f', weights {weights}' if weights else ', all of it'}."
    )
    return (
        problems
        if (live, weights or None) == ("2", None)
        else [*problems, "the alias is not on version 2"]
    )


async def _play(scene: Scene, releases: ReleaseClient) -> list[str]:
    print(f"── {scene.title} ──", flush=True)
    await releases.start(scene.request(), id=scene.id)
    await follow(releases, scene.id)
    problem = scene.problem(await releases.status(scene.id))
    return [problem] if problem else []


def _show(seen: Tally) -> None:
    print(f"Traffic through the alias meanwhile: {seen}\n", flush=True)


def verdict(problems: list[str]) -> int:
    """Say how the demo went; its exit status."""
    for problem in problems:
        print(f"not as it should be: {problem}", file=sys.stderr)
    if not problems:
        print(
            "The good version is live, and the broken one never got more than a tenth of the traffic."
        )
    return 1 if problems else 0
