"""Finds the account and region that a name means, and the task queue of their workers.

Nobody has to know task queues: Temporal lists who serves what. A name without an account means the
only place there is. Where it could mean two it is refused: a release in the wrong account is
worse than one more flag.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from temporalio.client import Client
from temporalio.service import RPCError

from activities.identity import ServedAccount
from activities.limits.sharing import list_pollers
from workflows.client.errors import Ambiguous, BadRequest, NoWorker, Refused, translate_errors
from workflows.client.lookup import list_rollout_ids
from workflows.client.served_places import DEFAULT_QUEUE, ServedQueue, list_served_queues
from workflows.domain.rollout_id import RolloutId
from workflows.domain.target import Place, Target


class PlaceSearch:
    """The search for one target, in one namespace."""

    def __init__(
        self,
        client: Client,
        target: Target,
        *,
        account: str | None = None,
        region: str | None = None,
    ) -> None:
        """``account`` and ``region`` are what is known besides the target.

        Raises ``BadRequest`` where the target contradicts them.
        """
        for name, given, own in (
            ("account", account, target.account),
            ("region", region, target.region),
        ):
            if given and own and given != own:
                raise BadRequest([f"--{name}: is {given}, and the target is in {own}"])
        self._client = client
        self._target = target
        self._account = account or target.account
        self._region = region or target.region

    async def locate(self) -> Target:
        """Return the target by its ARN, where anything is known of its place; else as it is.

        Raises ``Ambiguous`` where only one of account and region is known, and fits two places, and
        ``NoWorker`` where it fits none.
        """
        account, region = self._account, self._region
        if not account and not region:
            return self._target
        if not (account and region):
            places = self._select(await self._list_places(await list_served_queues(self._client)))
            if not places:
                raise NoWorker(f"no worker serves {self._where}: give --account and --region")
            [place] = self._refuse_several(places)
            account, region = place.account, place.region
        where = Place.in_region(region, account=account, function=self._target.name)
        return self._target if self._target.region else self._target.at(where)

    async def find_queue(self) -> str:
        """Return the task queue whose workers serve the target.

        Where no worker is known, it is that of its last release, else the default one: a worker
        that starts later takes what waits there. Raises ``Ambiguous`` where the target may be in
        several places, and ``NoWorker`` where workers serve others only.
        """
        account, region = self._account, self._region
        likely = [ServedAccount(account, region).queue] if account and region else []
        queues = await list_served_queues(self._client, *likely)
        places = self._select(await self._list_places(queues))
        if not places:
            return await self._find_last_queue() or self._choose_default(queues)
        [place] = self._refuse_several(places)
        serving = [queue.task_queue for queue in queues if queue.served == place]
        if not serving:
            return await self._find_last_queue() or place.queue
        return await self._choose(serving, place)

    @property
    def _where(self) -> str:
        return " in ".join(
            filter(None, (self._account and f"account {self._account}", self._region))
        )

    async def _list_places(self, queues: Iterable[ServedQueue]) -> list[ServedAccount]:
        """List the places that are served, and those where the name was released before."""
        found = {queue.served for queue in queues if queue.served}
        return sorted(found | set(await self._list_released()), key=str)

    async def _list_released(self) -> dict[ServedAccount, str]:
        """List the places where the name was released before, with the id of its rollout there."""
        try:
            ids = await list_rollout_ids(self._client, self._target.bare)
        except Refused:  # search attributes are not registered
            return {}
        return {
            ServedAccount(rollout.account, rollout.region): each
            for each in ids
            if (rollout := RolloutId.parse(each))
        }

    def _select(self, places: Sequence[ServedAccount]) -> list[ServedAccount]:
        return [
            place
            for place in places
            if self._account in {None, place.account} and self._region in {None, place.region}
        ]

    def _refuse_several(self, places: Sequence[ServedAccount]) -> Sequence[ServedAccount]:
        if len(places) > 1:
            first = places[0]
            raise Ambiguous(
                f"{self._target} may be in {' or in '.join(map(str, places))}: give --account and "
                f"--region, such as --account {first.account} --region {first.region}, or its ARN; "
                "or name a task queue with --task-queue"
            )
        return places

    async def _find_last_queue(self) -> str | None:
        """Return the task queue of the last release of the target there, if there was one."""
        released = await self._list_released()
        places = self._select([*released])
        if len(places) != 1:
            return None
        with translate_errors():
            found = await self._client.get_workflow_handle(released[places[0]]).describe()
        return found.task_queue

    def _choose_default(self, queues: Sequence[ServedQueue]) -> str:
        others = sorted({str(queue.served) for queue in queues if queue.served})
        is_open = any(queue.served is None for queue in queues)
        if self._where and others and not is_open:
            raise NoWorker(
                f"no worker serves {self._where}, where {self._target} is; there are workers for "
                f"{', '.join(others)}: start one for it, or name its task queue with --task-queue"
            )
        return DEFAULT_QUEUE

    async def _choose(self, serving: Sequence[str], place: ServedAccount) -> str:
        """Return the queue of a place, of those that have a worker now."""
        if len(serving) > 1:
            serving = [queue for queue in serving if await self._is_polled(queue)] or serving
        for known in (place.queue, DEFAULT_QUEUE):
            if known in serving:
                return known
        if len(serving) > 1:
            raise Ambiguous(
                f"{place} has workers on several task queues, {', '.join(serving)}: name one with "
                "--task-queue"
            )
        return serving[0]

    async def _is_polled(self, task_queue: str) -> bool:
        try:
            return bool(await list_pollers(self._client, task_queue))
        except RPCError:
            return True


class Places:
    """The accounts and regions of one namespace."""

    def __init__(self, client: Client) -> None:
        """``client`` may have any plugin."""
        self._client = client

    async def list(self) -> list[ServedQueue]:
        """List those that have workers, with their task queues. Raises ``Unreachable``."""
        return [queue for queue in await list_served_queues(self._client) if queue.served]

    async def locate(
        self, target: Target, *, account: str | None = None, region: str | None = None
    ) -> Target:
        """Return a target by its ARN, by its account or region or both.

        Raises ``Ambiguous`` where one of them fits two places, ``NoWorker`` where it fits none.
        """
        return await PlaceSearch(self._client, target, account=account, region=region).locate()

    async def find_queue(self, target: Target) -> str:
        """Find the task queue whose workers serve the account and region of a target.

        Where none is known, it is that of the last release, else the default one. Raises
        ``Ambiguous`` where a name may be in several, ``NoWorker`` where workers serve others only.
        """
        return await PlaceSearch(self._client, target).find_queue()
