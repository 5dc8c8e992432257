"""What the Temporal UI shows: the lines of the timeline, and the page of a ``Release``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import parse_qs

from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import WorkflowMetadata

from tests.fake_lambda.account import ACCOUNT, REGION
from tests.harness import CANARY, Handle, Harness, read_ending
from workflows import search_attributes

DOCS = Path(__file__).parents[2] / "docs"


async def read_timeline(harness: Harness, handle: Handle) -> list[str]:
    """The summaries of a workflow's activities and timers, in their order."""
    return [
        str((await harness.client.data_converter.decode([event.user_metadata.summary]))[0])
        async for event in handle.fetch_history_events()
        if event.user_metadata.summary.data
        and event.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
    ]


async def test_put_back_names_the_alarm_that_caused_it(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "OK"
    handle = await harness.begin_until("baking", **CANARY, guards={"alarms": ["errors"]})
    harness.aws.alarms["errors"] = "ALARM"
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    timeline = await read_timeline(harness, harness.rollout)
    cause = ": alarm errors went off: "
    back = [line.partition(cause)[0] for line in timeline if cause in line]
    alias = f"Put {harness.function}:live back on version 2"
    assert back == [alias, "Put code of $LATEST back as before"]


async def test_put_back_names_the_person_and_a_short_reason(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await harness.send("abort", reason="wrong build " * 50)
    assert (await read_ending(handle)).kind == "ReleaseRolledBack"
    timeline = await read_timeline(harness, harness.rollout)
    begin = f"Put {harness.function}:live back on version 2: aborted by ana: wrong build"
    (line,) = [each for each in timeline if each.startswith(begin)]
    assert len(line) == 200
    assert line.endswith("…")


async def test_promotion_names_who_skipped_the_rest(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await harness.send("promote", reason="hotfix")
    assert (await read_ending(handle)).kind == "Completed"
    timeline = await read_timeline(harness, harness.rollout)
    assert "All traffic to version 3: promoted by ana" in timeline


async def read_page(handle: Handle) -> str:
    """The current details of a workflow, as the Temporal UI reads them."""
    found = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(found.current_details)


def link(harness: Harness, run_id: str | None) -> str:
    path = harness.rollout_id.replace(":", "%3A")
    return f"[{harness.rollout_id}](/namespaces/default/workflows/{path}/{run_id})"


async def test_page_of_a_release_shows_its_rollout_and_then_its_end(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY, requested_by="ci", reason="PR 12")
    run_id = (await harness.rollout.describe()).run_id
    running = await read_page(handle)
    assert running.startswith(link(harness, run_id))
    assert f"## ⏳ {harness.function}:live: baking" in running
    assert (await harness.finish(handle)).kind == "Completed"
    assert (await read_page(handle)).split("\n\n") == [
        f"## ✅ {harness.function}:live: succeeded",
        "> All traffic is on version 3",
        f"Account {ACCOUNT}, {REGION}.",
        f"{link(harness, run_id)} did the work.",
        f"**s3://artifacts/three.zip → {harness.function}:live (10%, 5 min, 100%)**",
        "PR 12",
        "Requested by ci.",
    ]


async def test_page_of_a_rollback_says_why_it_went_back(harness: Harness) -> None:
    handle = await harness.begin("Rollback", version="1", hooks={"before_traffic": "nowhere"})
    ending = await read_ending(handle)
    assert ending.kind == "ReleaseRejected"
    page = await read_page(handle)
    assert page.startswith(f"## ⛔ {harness.function}:live: rejected\n\n> Rejected: ")
    assert ending.text in page


async def test_page_of_a_release_without_a_rollout_says_why(harness: Harness) -> None:
    request = {"target": {"function": "nowhere"}, "artifact": {"kind": "latest"}}
    handle = await harness.start("Release", request)
    ending = await read_ending(handle)
    page = await read_page(handle)
    assert page.startswith("## ⛔ nowhere:live: rejected")
    assert ending.text in page
    assert "/workflows/" not in page


def read_view(text: str) -> tuple[str, list[str]]:
    """The query of the view that the page has an address of, and its columns."""
    address = re.search(r"http://\S+/workflows\?(\S+)", text)
    columns = re.search(r"\{default: (\[.*?\])", text, re.DOTALL)
    assert address is not None
    assert columns is not None
    return parse_qs(address[1])["query"][0], json.loads(columns[1])


async def test_queries_of_the_documented_views_are_accepted(harness: Harness) -> None:
    text = (DOCS / "web-ui.md").read_text()
    view, columns = read_view(text)
    queries = re.findall(r"^\| [^|]+ \| `(Workflow[^`]+)` \|$", text, re.MULTILINE)
    assert view in queries
    for query in queries:
        assert (await harness.client.count_workflows(query)).count >= 0
    named = set(re.findall(r"\b(?:Lambda|Release)[A-Z]\w+", " ".join(queries)))
    assert named <= set(search_attributes.TYPES)
    assert set(columns) - set(search_attributes.TYPES) == {"Status", "Start"}


async def test_documented_view_has_the_releases_and_not_their_parents(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    view, _ = read_view((DOCS / "web-ui.md").read_text())
    query = f'{view} AND LambdaFunction="{harness.function}"'

    async def is_listed() -> bool:
        found = [one.id async for one in harness.client.list_workflows(query)]
        return found == [harness.rollout_id]

    await harness.wait_until(is_listed)
    await harness.send("abort")
    await read_ending(handle)
