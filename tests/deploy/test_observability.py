"""Rules, Alertmanager's example and the dashboard, and that their queries find real releases.

Not proven here: Grafana's look, delivery of alerts, and thresholds for your traffic.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import yaml
from temporalio.testing import WorkflowEnvironment

from deploy.local.processes import Process
from deploy.observability.dashboard import make_dashboard, render
from tests.deploy.measured_releases import OUTCOMES, QUEUE, MeasuredWorker
from tests.deploy.toolbox import Tools
from tests.deploy.tools.install import NPM_TOOLS
from tests.test_docs import code_lines
from tests.worker_processes import PATIENCE, ROOT, Workers
from workflows.worker.web_server import find_free_address

FOLDER: Final = ROOT / "deploy/observability"
RULES: Final = "releases.rules.yaml"
TYPES: Final = ROOT / "tests/deploy/dashboard_types.ts"
PAGE: Final = ROOT / "docs/alerts.md"
VARIABLES: Final = {
    "$__range_s": "300",
    "$__rate_interval": "5m",
    "$__range": "5m",
    "$job": ".*",
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the folder, to break."""
    return shutil.copytree(FOLDER, tmp_path / "observability")


def break_file(file: Path, part: str, mistake: str) -> None:
    """Put a mistake in the place of the first part like this."""
    text = file.read_text()
    assert part in text, f"{file.name} has no {part}"
    file.write_text(text.replace(part, mistake, 1))


def read_alerts(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The alerts by name."""
    groups = yaml.safe_load((folder / RULES).read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def check_rules(tools: Tools, folder: Path) -> subprocess.CompletedProcess[str]:
    """Let promtool check the rules, and run their tests."""
    checked = tools.run("promtool", "check", "rules", folder / RULES, check=False)
    if checked.returncode:
        return checked
    return tools.run("promtool", "test", "rules", folder / "releases.test.yaml", check=False)


def test_rules_alert_as_their_tests_say(tools: Tools) -> None:
    done = check_rules(tools, FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


def test_each_alert_is_tested_and_explained(tools: Tools) -> None:
    del tools
    suite = yaml.safe_load((FOLDER / "releases.test.yaml").read_text())
    fired = {
        case["alertname"]
        for test in suite["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    alerts = read_alerts()
    assert fired == set(alerts)
    headings = re.findall(r"^### (\w+)$", PAGE.read_text(), re.MULTILINE)
    assert headings == list(alerts)
    for name, alert in alerts.items():
        assert alert["annotations"]["runbook"] == f"docs/alerts.md#{name.lower()}"
        assert alert["labels"]["severity"] in {"page", "ticket"}


@pytest.mark.parametrize(
    ("part", "mistake"),
    [
        # The counter itself, which is born at 1: the first failure would page nobody.
        (
            'increase(releases:ended:sum{outcome="rollback_failed"}[15m])',
            'increase(releases_ended_total{outcome="rollback_failed"}[15m])',
        ),
        ("expr: releases:running:max{phase=", "expr: releases_running{phase="),
        ('outcome="Throttled"', 'outcome="throttled"'),
        ("for: 4h", "for: 5h"),
        (" unless releases:slow_rollbacks:sum offset 15m", ""),
        ("max by (job, task_queue, account, region)", "min by (job, task_queue, account, region)"),
        ("[5m])) > 0", "[5m)) > 0"),
        ("severity: page", "severities: page"),
    ],
)
def test_mistake_in_the_rules_is_found(tools: Tools, copy: Path, part: str, mistake: str) -> None:
    break_file(copy / RULES, part, mistake)
    assert check_rules(tools, copy).returncode != 0


def check_scraping(tools: Tools, folder: Path) -> subprocess.CompletedProcess[str]:
    """Let promtool check Prometheus' own file; the rules are where it says, in an image."""
    return tools.run(
        "promtool", "check", "config", "--syntax-only", folder / "prometheus.yaml", check=False
    )


def test_prometheus_file_is_right(tools: Tools) -> None:
    assert check_scraping(tools, FOLDER).returncode == 0


def test_mistake_in_the_prometheus_file_is_found(tools: Tools, copy: Path) -> None:
    break_file(copy / "prometheus.yaml", "scrape_configs", "scrape_config")
    assert check_scraping(tools, copy).returncode != 0


def check_routes(tools: Tools, folder: Path) -> str:
    """Return what is wrong with the file of Alertmanager; empty if nothing is."""
    file = folder / "alertmanager.yaml"
    done = tools.run("amtool", "check-config", file, check=False)
    if done.returncode:
        return done.stdout + done.stderr
    for name, alert in read_alerts(folder).items():
        severity = alert["labels"]["severity"]
        labels = (f"alertname={name}", f"severity={severity}")
        found = tools.run("amtool", "config", "routes", "test", f"--config.file={file}", *labels)
        if found.stdout.split() != [f"{severity}s"]:
            return f"{name} goes to {found.stdout}"
    return ""


def test_each_alert_goes_to_its_receiver(tools: Tools) -> None:
    assert check_routes(tools, FOLDER) == ""


@pytest.mark.parametrize(
    ("part", "mistake"),
    [
        ('severity = "page"', 'severity = "pages"'),
        ("receiver: pages", "receiver: pager"),
        ("repeat_interval: 12h", "repeat_intervals: 12h"),
    ],
)
def test_mistake_in_the_routes_is_found(tools: Tools, copy: Path, part: str, mistake: str) -> None:
    break_file(copy / "alertmanager.yaml", part, mistake)
    assert check_routes(tools, copy) != ""


def compile_dashboard(
    tools: Tools, folder: Path, dashboard: str
) -> subprocess.CompletedProcess[str]:
    """Let TypeScript check a dashboard against Grafana's types."""
    (folder / "dashboard.ts").write_text(TYPES.read_text() + dashboard)
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(NPM_TOOLS.parent, target_is_directory=True)
    return tools.run(
        "tsc",
        *("--noEmit", "--strict", "--skipLibCheck", "--target", "es2022"),
        *("--module", "esnext", "--moduleResolution", "bundler"),
        folder / "dashboard.ts",
        cwd=folder,
        check=False,
    )


def test_dashboard_is_what_its_script_makes_and_grafana_takes(tools: Tools, tmp_path: Path) -> None:
    text = (FOLDER / "dashboard.json").read_text()
    assert text == render(), "python -m deploy.observability > deploy/observability/dashboard.json"
    done = compile_dashboard(tools, tmp_path, text)
    assert done.returncode == 0, done.stdout


def test_mistakes_in_the_dashboard_are_found(tools: Tools, tmp_path: Path) -> None:
    text = render()
    for part, mistake in (
        ('"legendFormat"', '"legend"'),
        ('"colorMode": "none"', '"colorMode": "nothing"'),
        ('"gridPos"', '"gridPosition"'),
        ('"schemaVersion": 39', '"schemaVersion": "39"'),
    ):
        text = text.replace(part, mistake, 1)
    done = compile_dashboard(tools, tmp_path, text)
    assert done.returncode != 0
    broken = compile_dashboard(tools, tmp_path, render().replace('"fillOpacity"', '"fill"', 1))
    assert "fill" in broken.stdout


@dataclass
class Watched:
    """A worker that has released, and a Prometheus that has watched it."""

    url: str

    async def get(self, path: str, **parameters: str) -> Any:
        """Ask Prometheus."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/api/v1/{path}", params=parameters) as found,
        ):
            answer = await found.json()
        assert answer["status"] == "success", answer
        return answer["data"]

    async def ask(self, expression: str) -> list[Any]:
        """Return the samples that a query has now, without those that are no numbers."""
        found = (await self.get("query", query=expression))["result"]
        return [each for each in found if each["value"][1] != "NaN"]

    async def wait_for(self, expression: str) -> list[Any]:
        """Ask until there is a sample."""
        found = list[Any]()
        for _ in range(40):
            if found := await self.ask(expression):
                break
            await asyncio.sleep(0.5)
        return found


def write_configuration(folder: Path, worker: str) -> Path:
    """Write Prometheus' file of ours for this machine: another address, and every second."""
    settings = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings["rule_files"] = [str(FOLDER / Path(name).name) for name in settings["rule_files"]]
    (scraped,) = settings["scrape_configs"]
    scraped["static_configs"] = [{"targets": [worker]}]
    file = folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump(settings))
    return file


@pytest.fixture(scope="module")
async def watched(
    tools: Tools, temporal: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Watched]:
    """A real worker that releases each way, while a real Prometheus scrapes it."""
    folder = tmp_path_factory.mktemp("prometheus")
    async with AsyncExitStack() as stack:
        worker = MeasuredWorker(Workers(temporal, folder, stack))
        await worker.start(stack)
        address = find_free_address()
        prometheus = Process.start(
            "prometheus",
            [
                tools.path("prometheus"),
                f"--config.file={write_configuration(folder, worker.address)}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            environment={},
            directory=folder,
            log=folder / "prometheus.log",
        )
        stack.push_async_callback(prometheus.stop)
        found = Watched(f"http://{address}")
        async with asyncio.timeout(PATIENCE):
            while not await is_scraped(found):
                await asyncio.sleep(0.2)
        await worker.release_each_way()
        yield found


async def is_scraped(watched: Watched) -> bool:
    """Whether Prometheus answers, and has seen the worker with the sums of the rules."""
    try:
        return bool(await watched.ask("releases:ended:sum"))
    except aiohttp.ClientError:
        return False


def list_queries() -> list[tuple[str, str]]:
    """The queries of all panels, with the title of each."""
    return [
        (panel["title"], target["expr"])
        for panel in make_dashboard()["panels"]
        for target in panel.get("targets", [])
    ]


def fill_in(expression: str) -> str:
    """Replace Grafana's variables, as Grafana does."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


async def test_each_query_of_the_dashboard_finds_something(watched: Watched) -> None:
    empty = [
        f"{title}: {expression}"
        for title, expression in list_queries()
        if not await watched.wait_for(fill_in(expression))
    ]
    assert not empty, "\n".join(empty)


async def test_first_release_of_each_outcome_counts(watched: Watched) -> None:
    query = "sum by (outcome) (increase(releases:ended:sum[5m])) > 0"
    async with asyncio.timeout(PATIENCE):
        while {each["metric"]["outcome"] for each in await watched.ask(query)} != OUTCOMES:
            await asyncio.sleep(0.5)
    throttled = await watched.ask('sum(lambda_api_calls_total{outcome="Throttled"})')
    assert throttled[0]["value"][1] == "2"


async def test_only_the_rollback_that_failed_pages(watched: Watched) -> None:
    async with asyncio.timeout(PATIENCE):
        while not (alerts := await list_firing(watched)):
            await asyncio.sleep(0.5)
    assert alerts == {"ReleaseRollbackFailed"}


async def list_firing(watched: Watched) -> set[str]:
    """The names of the alerts that fire now."""
    found = (await watched.get("alerts"))["alerts"]
    return {each["labels"]["alertname"] for each in found if each["state"] == "firing"}


async def test_each_metric_of_the_rules_is_served(watched: Watched) -> None:
    groups = yaml.safe_load((FOLDER / RULES).read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    text = " ".join(rule["expr"] for rule in rules)
    names = {"rollback_seconds_bucket"} | set(
        re.findall(r"\b(?:temporal|releases?|guard|lambda)_\w+", text)
    )
    served = set(await watched.get("label/__name__/values"))
    assert names - served == set(), names - served
    queues = await watched.ask("count by (task_queue) (releases_running)")
    assert [each["metric"]["task_queue"] for each in queues] == [QUEUE]


def list_page_commands() -> list[str]:
    """The commands of promtool and amtool that the page shows."""
    return [line for line in code_lines(PAGE) if line.startswith(("promtool ", "amtool "))]


@pytest.mark.parametrize("command", list_page_commands())
def test_command_of_the_page_works(tools: Tools, command: str) -> None:
    name, *arguments = shlex.split(command)
    assert "SUCCESS" in tools.run(name, *arguments, cwd=ROOT).stdout
