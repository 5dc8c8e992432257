"""The Python client: starts, watches, controls and explains releases.

The command line is a thin layer over it. Reading order:

- :mod:`~workflows.client.client`: ``ReleaseClient``, the entry point
- :mod:`~workflows.client.connection`: connects to Temporal
- :mod:`~workflows.client.errors`: the errors of the client
- :mod:`~workflows.client.lookup`: finds a release by the name of its function
- :mod:`~workflows.client.runs`: one release as Temporal lists it, and how it ended
- :mod:`~workflows.client.run_reader`: reads runs and their endings from Temporal
- :mod:`~workflows.client.unbegun_release`: a release that waits for a worker
- :mod:`~workflows.client.release_search`: finds the release that a name means now
- :mod:`~workflows.client.plan`: has a worker plan a release
- :mod:`~workflows.client.queue_outage`: why no worker takes a release
- :mod:`~workflows.client.place_search`: finds the account and region that a name means, and the
  queue of their workers; :mod:`~workflows.client.served_places`: who serves what
- :mod:`~workflows.client.release_start`: starts ``Release`` and ``Rollback``
- :mod:`~workflows.client.plain_text`: whether a release would be sent in plain text by oversight
- :mod:`~workflows.client.start_outcome`: what came of a start, once preflight is over
- :mod:`~workflows.client.alias_holder`: the release that holds an alias now
- :mod:`~workflows.client.known_targets`: which name was probably meant
- :mod:`~workflows.client.rejected_release`: releases that ended before they had a rollout
- :mod:`~workflows.client.alias_runs`: the history of an alias, rejected attempts included
- :mod:`~workflows.client.control`: sends a control, such as an abort, to a running release
- :mod:`~workflows.client.update`: sends an update, again where Temporal dropped it
- :mod:`~workflows.client.watch`: watches a release until its end
- :mod:`~workflows.client.live_status`: the statuses of several running releases
- :mod:`~workflows.client.timeline`: one line of text for each event of a history
- :mod:`~workflows.client.watch_log`: the same for a watch, with a mark at what spoke against it
- :mod:`~workflows.client.facts`: the kinds of facts that a history holds
- :mod:`~workflows.client.history`: reads the facts from a history;
  :mod:`~workflows.client.activity_facts`: those that its activities left;
  :mod:`~workflows.client.failed_invocation`: what came of a hook or a probe that failed
- :mod:`~workflows.client.stop_cause`: what stopped a release
- :mod:`~workflows.client.step_tracker`: which step a release is in, and which rules apply
- :mod:`~workflows.client.recorded_analysis`: assesses recorded metrics by rules
- :mod:`~workflows.client.explain`: why a release was promoted or rolled back
- :mod:`~workflows.client.explanation`: the explanation as values
- :mod:`~workflows.client.rejudge`: what other rules would have decided
- :mod:`~workflows.client.stats`: how often is released, how fast, how often it fails
- :mod:`~workflows.client.schedules`: releases at set times
- :mod:`~workflows.client.schedule_times`: the times of a schedule
- :mod:`~workflows.client.schedule_outlook`: when a schedule starts next, and what is odd about it
- :mod:`~workflows.client.schedule_preview`: whether its release would be accepted now
- :mod:`~workflows.client.schedule_trigger`: what came of a schedule that was triggered
- :mod:`~workflows.client.clock_changes`: hours that do not exist, or come twice
- :mod:`~workflows.client.doctor`: looks at everything that a release depends on
- :mod:`~workflows.client.namespace_check`: Temporal, namespace and search attributes
- :mod:`~workflows.client.worker_check`: the workers of a queue, and their versions
- :mod:`~workflows.client.repair`: has a worker look at an alias whose release is lost
- :mod:`~workflows.client.replay_check`: whether this version goes on with the open releases
- :mod:`~workflows.client.queue_workers`: the workers of a queue, as Temporal lists them
"""

from workflows.client.client import TASK_QUEUE, ReleaseClient
from workflows.client.release_start import Handle

__all__ = ["TASK_QUEUE", "Handle", "ReleaseClient"]
