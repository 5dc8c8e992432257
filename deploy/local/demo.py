"""The demo: a good release, and a broken one that its alarm rolls back.

Everything runs on this machine. Temporal is the real server, and the worker and the workflows are
the product. Lambda is emulated, with its weighted routing, per-version metrics and alarms.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

from temporalio.client import Client

from deploy.local import sample, traffic
from deploy.local.stack import Stack
from deploy.local.traffic import Tally
from workflows.cli.watch import watch_release
from workflows.client import ReleaseClient
from workflows.domain.status import Phase, ReleaseStatus
from workflows.request import ReleaseRequest
from workflows.temporal.plugin import LambdaReleases

_STEPS: Final[list[dict[str, object]]] = [
    {"kind": "set_weight", "percent": 10},
    {"kind": "bake", "duration": "10s"},
    {"kind": "set_weight", "percent": 50},
    {"kind": "bake", "duration": "10s"},
]


@dataclass(frozen=True)
class DemoRelease:
    """One release of the demo, and how it must end."""

    title: str
    id: str
    package: str
    steps: list[dict[str, object]]
    reason: str
    expected_phase: Phase
    expected_note: str
    """Part of the final status's note."""

    def build_request(self) -> ReleaseRequest:
        """Build the input of ``Release``."""
        document = {
            "target": {"function": sample.FUNCTION, "alias": sample.ALIAS},
            "artifact": {"kind": "s3", "bucket": sample.BUCKET, "key": self.package},
            "strategy": {"steps": self.steps},
            "guards": {"alarms": [sample.ALARM]},
            "requested_by": "demo",
            "reason": self.reason,
        }
        return ReleaseRequest.model_validate(document)

    def find_problem(self, status: ReleaseStatus) -> str | None:
        """Compare the final status with the expected one; None where it matches."""
        if status.phase is self.expected_phase and self.expected_note in status.note:
            return None
        return f"{self.title}: {status.phase}, {status.note}"


_RELEASES: Final = (
    DemoRelease(
        "A good release",
        "demo-good",
        sample.GOOD,
        _STEPS,
        "cheaper tea",
        Phase.SUCCEEDED,
        "All traffic is on version 2",
    ),
    DemoRelease(
        "A broken release",
        "demo-broken",
        sample.BROKEN,
        [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "2m"}],
        "a bug that tests did not find",
        Phase.ROLLED_BACK,
        f"alarm {sample.ALARM} went off",
    ),
)


async def run_demo(stack: Stack) -> list[str]:
    """Run both releases under traffic, and return what was not as expected."""
    releases = ReleaseClient(await Client.connect(stack.address, plugins=[LambdaReleases()]))
    print(f"\nTemporal UI: {stack.ui_url}/namespaces/default/workflows")
    print(
        f"Lambda is emulated at {stack.aws.endpoint_url}, "
        "with its weighted routing, per-version metrics and alarms.\n"
    )
    problems: list[str] = []
    async with sample.Clients.connect(stack.aws) as clients:
        await sample.create_sample(clients)
        async with traffic.run_traffic(clients) as tally:
            for release in _RELEASES:
                before = tally.copy()
                problems += await _run_release(release, releases)
                _print_traffic(tally.since(before))
        alias = await clients.awslambda.get_alias(FunctionName=sample.FUNCTION, Name=sample.ALIAS)
    live = alias["FunctionVersion"]
    weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
    routing = f"weights {weights}" if weights else "all traffic"
    print(f"{sample.FUNCTION}:{sample.ALIAS} is on version {live}, {routing}.")
    return (
        problems
        if (live, weights or None) == ("2", None)
        else [*problems, "the alias is not on version 2"]
    )


async def _run_release(release: DemoRelease, releases: ReleaseClient) -> list[str]:
    print(f"── {release.title} ──", flush=True)
    await releases.start(release.build_request(), id=release.id)
    await watch_release(releases, release.id)
    problem = release.find_problem(await releases.status(release.id))
    return [problem] if problem else []


def _print_traffic(tally: Tally) -> None:
    print(f"Traffic through the alias meanwhile: {tally}\n", flush=True)


def report_result(problems: list[str]) -> int:
    """Print how the demo went, and return its exit status."""
    for problem in problems:
        print(f"unexpected: {problem}", file=sys.stderr)
    if not problems:
        print("The good version is live, and the broken one got at most a tenth of the traffic.")
    return 1 if problems else 0
