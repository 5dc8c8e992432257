"""Records the histories that every later version must replay: ``python -m tests.workflows.record [SCENE …]``.

Each scene is played on a real Temporal server, in real time, over an AWS in memory, and written to ``tests/histories/<scene>.<workflow>.json``.
A history that is there already is left alone, always: it stands for a release that is in flight somewhere. A change of a workflow, gated with
``workflow.patched``, adds a scene, or the same one under a new name.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from temporalio.testing import WorkflowEnvironment

from tests.fake_lambda import FakeLambda
from tests.workflows.conftest import stage
from tests.workflows.scene import Handle, Scene, ending
from workflows import search_attributes
from workflows.temporal.plugin import LambdaReleases

HISTORIES: Final = Path(__file__).parents[1] / "histories"

SHORT: Final[dict[str, Any]] = {
    "strategy": {
        "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "1s"}]
    }
}
LONG: Final = {
    "strategy": {
        "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "1h"}]
    }
}
ASKING: Final = {
    "strategy": {
        "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval", "timeout": "1h"}]
    }
}


def accept(_: object) -> dict[str, bool]:
    """A hook that has nothing against it."""
    return {"accept": True}


def refuse(_: object) -> dict[str, Any]:
    """A hook that has."""
    return {"accept": False, "reason": "the smoke test failed"}


async def success(scene: Scene) -> Handle:
    """Code, configuration, concurrency, hooks and guards: all that a release can do, and all goes well."""
    scene.aws.hook("preflight", accept)
    scene.aws.hook("smoke", accept)
    scene.aws.alarms["errors"] = "OK"
    return await scene.start(
        "Release",
        scene.request(
            artifact=scene.package("three"),
            configuration={"MemorySize": 512},
            concurrency={"reserved": 50, "provisioned": 5},
            hooks={"before_traffic": "preflight", "after_traffic": "smoke"},
            guards={"alarms": ["errors"]},
            requested_by="ci",
            reason="PR 12",
            **SHORT,
        ),
    )


async def alarm(scene: Scene) -> Handle:
    """An alarm goes off in the bake."""
    scene.aws.alarms["errors"] = "OK"
    handle = await scene.start(
        "Release",
        scene.request(artifact=scene.package("three"), guards={"alarms": ["errors"]}, **LONG),
    )
    await scene.reaches("baking")
    scene.aws.alarms["errors"] = "ALARM"
    return handle


async def abort(scene: Scene) -> Handle:
    """A person pauses, resumes and aborts."""
    handle = await scene.start("Release", scene.request(artifact=scene.package("three"), **LONG))
    await scene.reaches("baking")
    await scene.say("pause", reason="p99")
    await asyncio.sleep(1)
    await scene.say("resume")
    await scene.say("abort", reason="wrong build")
    return handle


async def cancel(scene: Scene) -> Handle:
    """The release is cancelled in its bake."""
    handle = await scene.start(
        "Release",
        scene.request(artifact=scene.package("three"), configuration={"MemorySize": 512}, **LONG),
    )
    await scene.reaches("baking")
    await handle.cancel()
    return handle


async def hook_refusal(scene: Scene) -> Handle:
    """The hook after traffic refuses."""
    scene.aws.hook("smoke", refuse)
    hooks = {"hooks": {"after_traffic": "smoke"}}
    return await scene.start(
        "Release",
        scene.request(
            artifact=scene.package("three"), concurrency={"reserved": 50}, **hooks, **SHORT
        ),
    )


async def approval(scene: Scene) -> Handle:
    """A person approves."""
    handle = await scene.start("Release", scene.request(artifact=scene.package("three"), **ASKING))
    await scene.reaches("awaiting_approval")
    await scene.say("approve", note="looks good")
    return handle


async def promotion(scene: Scene) -> Handle:
    """A person promotes."""
    handle = await scene.start("Release", scene.request(artifact=scene.package("three"), **LONG))
    await scene.reaches("baking")
    await scene.say("promote", reason="hotfix")
    return handle


PROBES: Final = {
    "kind": "probe",
    "requests": [
        {
            "name": "whole",
            "payload": {"id": 1},
            "expect": [{"path": "$.status", "equals": "ok"}, {"path": "$.error", "equals": None}],
        },
        {
            "expect": [
                {"path": "$['items'][-1].id", "exists": True},
                {"path": '$["größe"]', "exists": False},
            ]
        },
    ],
    "count": 3,
    "max_latency": "5s",
}


def whole(_: object) -> dict[str, Any]:
    """A function that works."""
    return {"status": "ok", "error": None, "items": [{"id": 1}]}


def broken(_: object) -> None:
    """A function that fails."""
    raise RuntimeError("broken")


async def probe(scene: Scene) -> Handle:
    """The candidate is probed before it gets traffic; one of three requests fails, which may, and AWS throttles one."""
    answers = iter([broken, whole, whole])

    def in_turn(payload: object) -> object:
        return next(answers)(payload)

    scene.aws.handlers[scene.function] = in_turn
    scene.aws.fail("invoke", "TooManyRequestsException", skip=1)
    steps = {"steps": [{**PROBES, "max_failures": 1}, *SHORT["strategy"]["steps"]]}
    return await scene.start(
        "Release", scene.request(artifact=scene.package("three"), strategy=steps)
    )


async def probe_refusal(scene: Scene) -> Handle:
    """The candidate fails a probe under traffic."""
    scene.aws.handlers[scene.function] = broken
    steps = {"steps": [{"kind": "set_weight", "percent": 10}, PROBES]}
    return await scene.start(
        "Release", scene.request(artifact=scene.package("three"), strategy=steps)
    )


async def first(scene: Scene) -> Handle:
    """The first release of an alias."""
    target = {"target": {"function": scene.function, "alias": "beta"}}
    return await scene.start("Release", {**target, "artifact": scene.package("three")})


async def nothing(scene: Scene) -> Handle:
    """Nothing to do."""
    return await scene.start("Release", scene.request(artifact=scene.package("two"), **SHORT))


async def rejection(scene: Scene) -> Handle:
    """Preflight refuses."""
    return await scene.start(
        "Release", scene.request(artifact={"kind": "version", "version": "99"})
    )


async def foreign(scene: Scene) -> Handle:
    """Somebody else moves the alias in the bake."""
    handle = await scene.start("Release", scene.request(artifact=scene.package("three"), **SHORT))
    await scene.reaches("baking")
    scene.aws.somebody(
        "update_alias",
        FunctionName=scene.function,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={},
    )
    return handle


async def foreign_upload(scene: Scene) -> Handle:
    """Somebody else uploads code before the release's own has settled."""
    scene.aws.after("update_function_code", lambda _: scene.aws.overwrite(scene.function, "theirs"))
    return await scene.start("Release", scene.request(artifact=scene.package("three"), **SHORT))


async def rollback(scene: Scene) -> Handle:
    """An alias is put on an earlier version."""
    return await scene.start("Rollback", scene.request(version="1", requested_by="ana"))


async def terminated(scene: Scene) -> Handle:
    """The rollout is terminated, and mended by the release."""
    handle = await scene.start("Release", scene.request(artifact=scene.package("three"), **LONG))
    await scene.reaches("baking")
    await scene.rollout.terminate("an accident")
    return handle


async def terminated_with_concurrency(scene: Scene) -> Handle:
    """The rollout is terminated, and what it may still have on its way to AWS is waited for before the rest is mended."""
    concurrency = {"concurrency": {"reserved": 50}}
    handle = await scene.start(
        "Release", scene.request(artifact=scene.package("three"), **concurrency, **LONG)
    )
    await scene.reaches("baking")
    await scene.rollout.terminate("an accident")
    return handle


async def judged(scene: Scene) -> Handle:
    """A candidate that does worse than stable is rolled back for what CloudWatch measured."""
    scene.aws.callers(scene.function, error_rates={"3": 0.05, "2": 0.005})
    guards = {
        "guards": {
            "metrics": {"not_worse": [{}], "limits": [{"metric": "duration_p99", "max": 800}]}
        }
    }
    return await scene.start(
        "Release", scene.request(artifact=scene.package("three"), **guards, **LONG)
    )


async def adaptive(scene: Scene) -> Handle:
    """A ramp: a dose, the wait for what CloudWatch tells of it, and everything."""
    scene.aws.callers(scene.function, error_rates={"3": 0.005, "2": 0.005})
    ramp = {"strategy": {"adaptive": {"from": 20, "margin": 0.1}}}
    return await scene.start("Release", scene.request(artifact=scene.package("three"), **ramp))


async def unmeasurable(scene: Scene) -> Handle:
    """CloudWatch answers in part only: a person decides, twice."""
    scene.aws.metrics_status = "PartialData"
    metrics = {"guards": {"metrics": {"not_worse": [{}]}}}
    short = {"duration": "1s", "max_duration": "2s"}
    steps = [
        {"kind": "set_weight", "percent": 10},
        {"kind": "bake", **short},
        {"kind": "analysis", "not_worse": [{}], **short},
    ]
    handle = await scene.start(
        "Release",
        scene.request(artifact=scene.package("three"), strategy={"steps": steps}, **metrics),
    )
    await scene.reaches("awaiting_approval")
    await scene.say("approve")
    await scene.reaches("baking")
    await scene.reaches("awaiting_approval")
    await scene.say("approve")
    return handle


async def hotfix(scene: Scene) -> Handle:
    """A hotfix ships while an alarm is red, and is watched over for a moment."""
    scene.aws.alarms = {"errors": "ALARM", "latency": "OK"}
    guards = {"guards": {"alarms": ["errors", "latency"], "after": "1s"}}
    asked = scene.request(
        artifact=scene.package("three"), hotfix=True, reason="INC-7", strategy="AllAtOnce", **guards
    )
    return await scene.start("Release", asked)


SCENES: Final[dict[str, Callable[[Scene], Awaitable[Handle]]]] = {
    scene.__name__: scene
    for scene in (
        success,
        alarm,
        abort,
        cancel,
        hook_refusal,
        approval,
        promotion,
        probe,
        probe_refusal,
        first,
        nothing,
        rejection,
        foreign,
        foreign_upload,
        rollback,
        terminated,
        terminated_with_concurrency,
        judged,
        adaptive,
        unmeasurable,
        hotfix,
    )
}


async def main(names: list[str]) -> None:
    """Play the scenes that have no history yet, and write it down."""
    missing = [name for name in names or SCENES if not [*HISTORIES.glob(f"{name}.*.json")]]
    async with await WorkflowEnvironment.start_local(
        plugins=[LambdaReleases()],
        dev_server_existing_path=str(Path(sys.executable).parent / "temporal"),
        search_attributes=search_attributes.KEYS,
    ) as env:
        for name in missing:
            async with stage(env, FakeLambda()) as scene:
                handle = await SCENES[name](scene)
                end = await ending(handle, patience=300)  # CloudWatch's minutes are real ones
                await _write(name, "holder", handle)
                alias = "beta" if name == "first" else "live"
                await _write(
                    name,
                    "rollout",
                    scene.client.get_workflow_handle(scene.lock.removesuffix("live") + alias),
                )
                sys.stdout.write(f"{name}: {end.kind}, {end.text}\n")


async def _write(name: str, workflow: str, handle: Handle) -> None:
    history = await handle.fetch_history()
    (HISTORIES / f"{name}.{workflow}.json").write_text(history.to_json())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
