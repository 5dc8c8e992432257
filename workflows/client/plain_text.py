"""Keeps a client without a key from sending in plain text what was encrypted before."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.service import RPCError

from workflows.client.errors import Refused
from workflows.domain.target import Target
from workflows.temporal.codec_keys import is_encrypted, read_key_id
from workflows.temporal.connection_settings import CODEC_KEYS_SETTING, CODEC_SETTING, NO_CODEC


async def refuse_plain_text(client: Client, target: Target) -> None:
    """Raise ``Refused`` where the last release of an alias was encrypted, and this one is not.

    A worker would take it, but then its request would stand in Temporal in plain text. The memo of
    a release names its key. Where Temporal does not list releases, nothing is known.
    """
    if client.data_converter.payload_codec is not None:
        return
    query = (
        f"WorkflowType = 'Rollout' AND LambdaFunction = '{target.name}' "
        f"AND LambdaAlias = '{target.alias}'"
    )
    try:
        async for last in client.list_workflows(query, limit=1):
            for payload in last.raw_info.memo.fields.values():
                if is_encrypted(payload):
                    raise Refused(
                        f"the last release of {target.bare} was encrypted with key "
                        f"{read_key_id(payload)!r}, and this one would be sent in plain text: set "
                        f"{CODEC_KEYS_SETTING}, or {CODEC_SETTING}={NO_CODEC} if that is meant"
                    )
    except RPCError:
        return
