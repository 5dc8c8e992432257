"""The Helm chart: both Helms, every object against its schema, and a worker that runs with it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import yaml

from deploy.local.ports import Ports
from deploy.local.processes import Process
from deploy.local.stack import Stack
from tests.deploy.toolbox import Tools
from tests.test_docs import code_lines
from workflows.worker.places import WorkerPlace, read_places

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "deploy" / "chart"
PAGE: Final = ROOT / "docs" / "install-kubernetes.md"
SCHEMAS: Final = Path(__file__).parent / "schemas"
VARIANTS: Final = sorted(path.stem for path in (CHART / "ci").glob("*.yaml"))
HELMS: Final = ("helm3", "helm4")
RELEASES_OF_KUBERNETES: Final = ("1.27", "1.31", "1.37")
CUSTOM: Final = {path.stem for path in SCHEMAS.glob("*.json")}
"""Kinds that Kubernetes knows by a definition of their operator only."""

_REQUIRED: Final = (
    *("--set", "image.repository=registry.example.com/lambda-releases"),
    *("--set", "temporal.address=temporal:7233", "--set", "aws.region=eu-west-1"),
)
Objects = list[dict[str, Any]]
Charts = dict[str, Objects]
helms = pytest.mark.parametrize("helm", HELMS)


def render(
    tools: Tools, *arguments: str | Path, helm: str = "helm4", chart: Path = CHART
) -> Objects:
    """The objects that ``helm template`` prints."""
    done = tools.run(helm, "template", "releases", chart, "--namespace", "shop", *arguments)
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def values_of(variant: str) -> tuple[str | Path, ...]:
    return "--values", CHART / "ci" / f"{variant}.yaml"


def refusal(tools: Tools, *arguments: str | Path, helm: str = "helm4", chart: Path = CHART) -> str:
    """What Helm has against values; empty where it has nothing."""
    done = tools.run(helm, "template", "releases", chart, *arguments, check=False)
    return done.stderr if done.returncode else ""


def find_problems(
    tools: Tools,
    charts: Mapping[str, Objects],
    directory: Path,
    *,
    kubernetes: str = "1.37",
) -> list[str]:
    """What the schemas have against objects: one that none has passed is a problem, too.

    Each problem names the chart that it is in.
    """
    problems: list[str] = []
    custom: dict[str, list[Path]] = defaultdict(list)
    files: list[Path] = []
    known: Counter[tuple[str, str]] = Counter()
    for chart, objects in charts.items():
        files.append(directory / f"{chart}.yaml")
        files[-1].write_text(yaml.safe_dump_all(objects))
        for number, each in enumerate(objects):
            if each["kind"] in CUSTOM:
                custom[each["kind"]].append(directory / f"{chart}-{number}.json")
                custom[each["kind"]][-1].write_text(json.dumps(each))
            else:
                known[chart, f"{each['kind'].lower()}/{each['metadata']['name']}"] += 1
    version = ("-k", f"{kubernetes}.0")
    done = tools.run("kubernetes-validate", "--strict", *version, *files, check=False)
    output = done.stdout + done.stderr
    problems = [line for line in output.splitlines() if not line.startswith(("INFO", "WARN"))]
    passed = Counter(re.findall(r"INFO \S+/([\w-]+)\.yaml passed for resource (\S+)", output))
    problems += [f"{chart}: {name} has passed no schema" for chart, name in known - passed]
    for kind, paths in custom.items():
        schema = SCHEMAS / f"{kind}.json"
        done = tools.run("check-jsonschema", "--schemafile", schema, *paths, check=False)
        problems += (done.stdout + done.stderr).splitlines() if done.returncode else []
    return problems


@pytest.fixture(scope="module")
def everything(tools: Tools) -> Charts:
    """The objects of all variants."""
    return {variant: render(tools, *values_of(variant)) for variant in VARIANTS}


def find(objects: Objects, kind: str, name: str | None = None) -> dict[str, Any]:
    [found] = [
        each
        for each in objects
        if each["kind"] == kind and name in {None, each["metadata"]["name"]}
    ]
    return found


def pod_of(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = find(objects, "Deployment")["spec"]["template"]["spec"]
    return spec


@helms
def test_charts_pass_lint_and_are_packed(tools: Tools, helm: str, tmp_path: Path) -> None:
    values = [word for variant in VARIANTS for word in values_of(variant)[1:]]
    for path in values:
        tools.run(helm, "lint", "--strict", CHART, "--values", path)
    tools.run(helm, "package", CHART, "--destination", tmp_path)
    [package] = tmp_path.glob("*.tgz")
    assert package.name == "lambda-releases-0.1.0.tgz"
    unpacked = render(tools, *values_of("cloud-values"), helm=helm, chart=package)
    assert unpacked == render(tools, *values_of("cloud-values"), helm=helm)


@pytest.mark.parametrize("kubernetes", RELEASES_OF_KUBERNETES)
def test_objects_pass_their_schemas(
    tools: Tools, everything: Charts, kubernetes: str, tmp_path: Path
) -> None:
    assert find_problems(tools, everything, tmp_path, kubernetes=kubernetes) == []


def test_helm_3_and_4_render_the_same(tools: Tools, everything: Charts) -> None:
    for variant, objects in everything.items():
        assert objects == render(tools, *values_of(variant), helm="helm3")


def test_variants_have_every_kind_of_object(everything: Charts) -> None:
    kinds = {each["kind"] for objects in everything.values() for each in objects}
    templates = "".join(path.read_text() for path in (CHART / "templates").rglob("*.yaml"))
    assert kinds == set(re.findall(r"^kind: (\w+)", templates, re.MULTILINE))
    assert kinds >= CUSTOM


MISTAKES: Final = {
    "typo": ("deployment.yaml", "failureThreshold: 30", "failureTreshold: 30"),
    "type": ("deployment.yaml", "periodSeconds: 15", "periodSeconds: often"),
    "removed-api": ("poddisruptionbudget.yaml", "policy/v1", "policy/v1beta1"),
    "unknown-kind": ("serviceaccount.yaml", "kind: ServiceAccount", "kind: Account"),
    "wrong-place": ("deployment.yaml", "      enableServiceLinks: false\n", "      port: 1\n"),
    "operators-field": ("service.yaml", "path: /metrics", "paths: /metrics"),
    "number-for-text": ("autoscaling.yaml", "targetQueueSize | quote", "targetQueueSize"),
    "parameter": ("autoscaling.yaml", "parameter: apiKey", "parameter: token"),
}
"""Where, what is right, and what is wrong."""


def test_mistakes_in_a_template_are_found(tools: Tools, tmp_path: Path) -> None:
    values = (*values_of("cloud-values"), "--set", "autoscaling.kind=keda")
    charts = {"none": render(tools, *values)}
    for mistake, (file, right, wrong) in MISTAKES.items():
        chart = Path(shutil.copytree(CHART, tmp_path / mistake))
        template = chart / "templates" / file
        assert right in template.read_text(), mistake
        template.write_text(template.read_text().replace(right, wrong))
        charts[mistake] = render(tools, *values, chart=chart)
    problems = find_problems(tools, charts, tmp_path)
    found = {name for name in charts for line in problems if re.search(rf"\b{name}(\b|-)", line)}
    assert found == set(MISTAKES), problems


@helms
@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (("replica=3",), "'?replica'?"),
        (("settings.RELEASES_FUNCTION=checkout",), "RELEASES_FUNCTION"),
        (("settings.RELEASES_GRACE=15",), r"settings[./]RELEASES_GRACE"),
        (("temporal.address=https://temporal:7233",), r"temporal[./]address"),
        (("aws.region=",), "aws.region: name the region"),
        (("temporal.address=",), "temporal.address: name Temporal's host and port"),
        (("image.repository=",), r"image[./]repository"),
        (("image.repository=registry/app:1",), r"image[./]repository"),
        (("places[0].account=12", "places[0].region=eu-west-1"), r"places[./]0[./]account"),
        (("metrics.serviceMonitor.enable=true",), "'?enable'?"),
        (("versioning.buildId=b42",), "deploymentName and buildId together"),
        (("codec.keys=a", "codec.existingSecret=b"), "existingSecret or keys, not both"),
        (("extraEnv[0].name=RELEASES_METRICS",), r"extraEnv[./]0[./]name"),
        (("autoscaling.kind=keda", "autoscaling.minReplicas=0"), r"autoscaling[./]minReplicas"),
        (("autoscaling.kind=hpa", "autoscaling.hpa.cpu=0"), "name cpu, or metrics, or both"),
        (("autoscaling.minReplicas=9",), "is less than minReplicas"),
        (("temporal.config.existingSecret=x",), "unset the others in temporal"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_bad_values_are_refused_by_name(
    tools: Tools, helm: str, values: tuple[str, ...], problem: str
) -> None:
    wrong = [word for value in values for word in ("--set", value)]
    assert re.search(problem, refusal(tools, *_REQUIRED, *wrong, helm=helm))


def test_queue_of_all_places_is_refused(tools: Tools) -> None:
    queue = ("--set", "settings.RELEASES_TASK_QUEUE=own")
    assert "each of the places has its own" in refusal(tools, *values_of("places-values"), *queue)


@helms
def test_values_that_are_required_are_enough(tools: Tools, helm: str) -> None:
    assert refusal(tools, *_REQUIRED, helm=helm) == ""


def test_settings_are_those_of_the_worker() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]
    settings = set(schema["settings"]["properties"])
    by_the_chart = {"RELEASES_CONFIG", "RELEASES_METRICS", "RELEASES_CODEC_KEYS"}
    named = {
        name
        for file in ("worker.py", "workflows/temporal/connection_settings.py")
        for name in re.findall(r'"(RELEASES_[A-Z_]+)"', (ROOT / file).read_text())
    }
    assert settings | by_the_chart == named
    assert set(schema["places"]["items"]["properties"]) == set(WorkerPlace.model_fields)


def test_pods_are_hardened(everything: Charts) -> None:
    for objects in everything.values():
        for pod in (pod_of(objects), find(objects, "Pod")["spec"]):
            assert pod["automountServiceAccountToken"] is False
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            for container in pod["containers"]:
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }
                assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize(
    ("grace", "seconds"), [(None, 920), ("5s", 50), ("40s", 60), ("1h", 3_620)], ids=str
)
def test_pods_have_the_time_of_the_grace(tools: Tools, grace: str | None, seconds: int) -> None:
    setting = ("--set", f"settings.RELEASES_GRACE={grace}") if grace else ()
    pod = pod_of(render(tools, *_REQUIRED, *setting))
    assert pod["terminationGracePeriodSeconds"] == seconds


def test_changed_settings_start_new_pods(tools: Tools) -> None:
    def annotations(*arguments: str) -> dict[str, str]:
        found = find(render(tools, *_REQUIRED, *arguments), "Deployment")
        kept: dict[str, str] = found["spec"]["template"]["metadata"]["annotations"]
        return kept

    assert annotations() == annotations()
    assert annotations() != annotations("--set", "settings.RELEASES_FUNCTIONS=checkout")
    assert annotations() != annotations("--set", "codec.keys=a")


@pytest.mark.parametrize(
    ("values", "port"),
    [
        (_REQUIRED, 7233),
        ((*_REQUIRED, "--set", "temporal.address=temporal.example.com:443"), 443),
        (values_of("builds-values"), 7233),
    ],
    ids=["address", "another port", "temporal.toml"],
)
def test_network_policies_let_temporal_through(
    tools: Tools, values: tuple[str | Path, ...], port: int
) -> None:
    objects = render(tools, *values, "--set", "networkPolicy.enabled=true")
    ports = find(objects, "NetworkPolicy")["spec"]["egress"][1]["ports"]
    assert {each["port"] for each in ports} == {443, port}


def test_autoscalers_decide_on_the_replicas_alone(tools: Tools) -> None:
    replicas = {
        kind: find(render(tools, *_REQUIRED, "--set", f"autoscaling.kind={kind}"), "Deployment")[
            "spec"
        ].get("replicas")
        for kind in ("none", "hpa", "keda")
    }
    assert replicas == {"none": 2, "hpa": None, "keda": None}


def test_backlogs_are_those_of_each_place(everything: Charts) -> None:
    triggers = find(everything["places-values"], "ScaledObject")["spec"]["triggers"]
    queues = [each["metadata"]["taskQueue"] for each in triggers]
    assert queues == ["lambda-releases:111111111111:eu-west-1", "payments"]


def test_places_are_read_by_the_worker(everything: Charts, tmp_path: Path) -> None:
    config = find(everything["places-values"], "ConfigMap", "releases-lambda-releases-places")
    path = tmp_path / "workers.yaml"
    path.write_text(config["data"]["workers.yaml"])
    assert [place.account for place in read_places(path)] == ["111111111111", "222222222222"]


def test_secret_values_are_in_the_secret_alone(
    everything: Charts,
) -> None:
    objects = everything["trial-values"]
    secret = find(objects, "Secret")["stringData"]
    rest = json.dumps([each for each in objects if each["kind"] != "Secret"])
    assert set(secret) == {"api-key", "keys"}
    assert all(value not in rest for value in secret.values())


def environment_of(
    objects: Objects,
    container: dict[str, Any],
    volumes: Objects,
    directory: Path,
) -> dict[str, str]:
    """What the kubelet would give to a container: variables, and files, these in ``directory``."""
    sources = {
        (each["kind"], each["metadata"]["name"]): each.get("data") or each.get("stringData") or {}
        for each in objects
        if each["kind"] in {"ConfigMap", "Secret"}
    }
    environment: dict[str, str] = {}
    for each in container.get("envFrom", []):
        environment |= sources["ConfigMap", each["configMapRef"]["name"]]
    environment |= {each["name"]: each["value"] for each in container.get("env", [])}
    mounted = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    for volume in volumes:
        if "emptyDir" in volume:
            continue
        target = directory / mounted[volume["name"]].lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        kind, reference = (
            ("Secret", volume["secret"])
            if "secret" in volume
            else ("ConfigMap", volume["configMap"])
        )
        data = sources[kind, reference.get("secretName") or reference["name"]]
        items = reference.get("items") or [{"key": key, "path": key} for key in data]
        for item in items:
            (target / item["path"]).write_text(data[item["key"]])
    return {
        name: value.replace("/etc/releases", f"{directory}/etc/releases")
        for name, value in environment.items()
    }


def clean_environment() -> dict[str, str]:
    """Without what this machine sets for AWS, Temporal and workers."""
    prefixes = ("AWS_", "TEMPORAL_", "RELEASES_")
    return {key: value for key, value in os.environ.items() if not key.startswith(prefixes)}


def values_for(stack: Stack, port: int, variant: str) -> dict[str, Any]:
    """The least that a worker of the local stack needs, as values of the chart."""
    values: dict[str, Any] = {
        "image": {"repository": "lambda-releases"},
        "temporal": {"address": stack.address},
        "metrics": {"port": port},
        "extraEnv": [
            {"name": "AWS_ACCESS_KEY_ID", "value": "test"},
            {"name": "AWS_SECRET_ACCESS_KEY", "value": "test"},
        ],
    }
    if variant == "one place":
        values["extraEnv"].append({"name": "AWS_ENDPOINT_URL", "value": stack.aws.endpoint_url})
        settings = {"RELEASES_TASK_QUEUE": "chart", "RELEASES_FUNCTIONS": "checkout-*"}
        return {**values, "aws": {"region": "us-east-1"}, "settings": settings}
    key = base64.b64encode(bytes(32)).decode()
    places = [
        {"account": "000000000000", "region": region, "endpoint_url": stack.aws.endpoint_url}
        for region in ("us-east-1", "eu-west-1")
    ]
    return {**values, "places": places, "codec": {"keys": f"2026-11:{key}"}}


async def ask(url: str) -> tuple[int, str]:
    """The answer to a probe; nothing where nobody listens yet."""
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get(url) as found:
                return found.status, await found.text()
        except aiohttp.ClientError:
            return 0, ""


@pytest.mark.parametrize("variant", ["one place", "two places, encrypted"])
async def test_worker_runs_with_what_is_rendered(
    tools: Tools, local_stack: Stack, tmp_path: Path, variant: str
) -> None:
    """With the variables and files of the pod, on the port and the paths of its probes."""
    port = Ports.any_free().ui
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(values_for(local_stack, port, variant)))
    objects = render(tools, "--values", values)
    pod = pod_of(objects)
    [container] = pod["containers"]
    environment = {
        **clean_environment(),
        **environment_of(objects, container, pod["volumes"], tmp_path),
    }
    worker = Process.start(
        "worker",
        [sys.executable, "worker.py"],
        environment=environment,
        directory=ROOT,
        log=tmp_path / "worker.log",
        stop_timeout=120,
    )
    try:
        assert container["ports"] == [{"name": "metrics", "containerPort": port, "protocol": "TCP"}]
        paths = {
            probe: container[probe]["httpGet"]["path"]
            for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        }
        for path in paths.values():
            async with asyncio.timeout(120):
                while (await ask(f"http://127.0.0.1:{port}{path}"))[0] != 200:
                    assert not worker.has_exited, worker.describe_exit()
                    await asyncio.sleep(0.1)
        status, metrics = await ask(f"http://127.0.0.1:{port}/metrics")
        assert (status, "releases_started_total" in metrics) == (200, True)
        examine_with_doctor(objects, environment, tmp_path)
    finally:
        await worker.stop()
    assert worker.popen.returncode == 0, (tmp_path / "worker.log").read_text()


def examine_with_doctor(objects: Objects, environment: Mapping[str, str], directory: Path) -> None:
    """Run what ``helm test`` runs, with what it has."""
    pod = find(objects, "Pod")["spec"]
    for container in pod["containers"]:
        program, *words = container["command"]
        done = subprocess.run(
            [Path(sys.executable).parent / program, *words],
            env={
                **environment,
                **environment_of(objects, container, pod["volumes"], directory),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_commands_of_the_page_render(tools: Tools, tmp_path: Path) -> None:
    """``helm upgrade`` of the page, as ``helm template``, with the values that the page shows."""
    lines = code_lines(PAGE)
    for name, document in re.findall(
        r"^# (\S+\.yaml)\n((?:(?!helm ).*\n)+)", "\n".join(lines), re.MULTILINE
    ):
        (tmp_path / name).write_text(document)
    commands = [shlex.split(line) for line in lines if line.startswith("helm upgrade")]
    charts: Charts = {}
    for number, (_, _, *words) in enumerate(commands):
        kept = [word for word in words if word != "--install"]
        arguments = [tmp_path / word if word.endswith(".yaml") else word for word in kept]
        rendered = [tools.run(helm, "template", *arguments, cwd=ROOT).stdout for helm in HELMS]
        assert rendered[0] == rendered[1]
        charts[f"command-{number}"] = [each for each in yaml.safe_load_all(rendered[0]) if each]
    assert find_problems(tools, charts, tmp_path) == []
    assert len(commands) == len({"install", "file", "places", "keda", "build"})


def test_secrets_of_the_page_have_the_keys_of_the_chart() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    text = PAGE.read_text()
    assert f"--from-literal {values['temporal']['apiKey']['key']}=" in text
    assert f"`codec.existingSecret`, in it `{values['codec']['key']}`" in text
