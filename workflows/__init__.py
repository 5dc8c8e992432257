"""Releases of AWS Lambda functions as durable workflows.

The modules at this level run in Temporal's sandbox. From what is promised to how it is done:

- :mod:`~workflows.release`, :mod:`~workflows.rollback`: the workflows that users start
- :mod:`~workflows.supervisor`: what both do: start the rollout, and undo it if it is terminated;
  :mod:`~workflows.rollout_start` is how it is started
- :mod:`~workflows.scheduled_start`: a release that a schedule starts, and that finds the alias busy
- :mod:`~workflows.rollout`: the workflow that does the work; :mod:`~workflows.release_story` is its
  story from top to bottom
- :mod:`~workflows.plan`: the workflow that only says what a release would do
- :mod:`~workflows.diagnosis`: the workflow that asks a worker for its diagnosis
- :mod:`~workflows.survey`: the workflow that says what AWS alone tells of an alias
- :mod:`~workflows.request`: the inputs of all of them; :mod:`~workflows.guard_settings` is a part,
  :mod:`~workflows.rollout_request` what the rollout gets of it
- :mod:`~workflows.preflight`, :mod:`~workflows.preflight_reads`: what is read before anything is
  written; :mod:`~workflows.release_facts`: what that means to the rules
- :mod:`~workflows.latest_check`: what would be published with ``$LATEST``;
  :mod:`~workflows.foreign_content` is what another writer put there meanwhile
- :mod:`~workflows.artifact_check`: whether what is to be written is there
- :mod:`~workflows.latest_content`: what an undo would put back there
- :mod:`~workflows.current_release`: which release of an alias runs, for a plan
- :mod:`~workflows.readiness`: waits until a function may be written, and a version can serve
- :mod:`~workflows.candidate`: makes the version to release
- :mod:`~workflows.concurrency_change`: what a release changes about concurrency
- :mod:`~workflows.strategy_runner`, :mod:`~workflows.ramp_runner`,
  :mod:`~workflows.probe_runner`: take the steps of a strategy
- :mod:`~workflows.traffic`: the only writer of the alias, and the journal of what was changed
- :mod:`~workflows.guards`: hooks, alarms and metrics, which may stop a release;
  :mod:`~workflows.hook_guard` is about the hooks, :mod:`~workflows.alarm_guard` about the alarms
- :mod:`~workflows.stable_watch`: whether the stable version is still there, in the watch after
  promotion; :mod:`~workflows.watch_end` is how a newer release ends that watch
- :mod:`~workflows.trigger_notes`: what does not go through the alias, and is not guarded by it
- :mod:`~workflows.control_handlers`: the updates and the query, by which people steer it;
  :mod:`~workflows.control_requests` are their inputs, :mod:`~workflows.controls` what follows
- :mod:`~workflows.release_handlers`: the same of ``Release`` and ``Rollback``, with
  :mod:`~workflows.release_state`; :mod:`~workflows.handed_control` is how one is handed on
- :mod:`~workflows.timer`: waits that a pause stops; :mod:`~workflows.release_clock` stands still
- :mod:`~workflows.continuation`: when a run continues as a new one, with
  :mod:`~workflows.carried_state`; :mod:`~workflows.step_state` is how far it is in its current step
- :mod:`~workflows.foreign_routing`: routing that another writer has set, and what follows
- :mod:`~workflows.undo`: restores what the journal holds, :mod:`~workflows.alias_undo` the alias of
  it, :mod:`~workflows.latest_undo` ``$LATEST``; :mod:`~workflows.undo_retry` is how it is retried
- :mod:`~workflows.release_page`: the page of the workflow that users start, in the Temporal UI
- :mod:`~workflows.rollout_lock`: the id under which a rollout holds its alias
- :mod:`~workflows.rollout_end`: how a rollout has ended; :mod:`~workflows.rollout_cancel` is how it
  is cancelled
- :mod:`~workflows.killed_rollout`: what a release does whose rollout was killed;
  :mod:`~workflows.promotion` is whether that one was live already
- :mod:`~workflows.run_chain`: the runs of one release, one after the other;
  :mod:`~workflows.reset_runs`: what a reset in the Temporal UI leaves behind
- :mod:`~workflows.actions`, :mod:`~workflows.concurrency`, :mod:`~workflows.invocations`: one
  operation of AWS each; :mod:`~workflows.call` is how they call it, :mod:`~workflows.wait` how they
  wait so that people can see it
- :mod:`~workflows.live_analysis`: reads CloudWatch while a release runs;
  :mod:`~workflows.analysis_run` assesses what it read, :mod:`~workflows.metric_mapping` translates
- :mod:`~workflows.progress`, :mod:`~workflows.search_attributes`: report how a release stands;
  :mod:`~workflows.release_metrics` count and time it, :mod:`~workflows.release_log` logs it
- :mod:`~workflows.past_packages`: where in S3 an earlier release had its package from
- :mod:`~workflows.past_rollouts`: what earlier rollouts of an alias left in Temporal;
  :mod:`~workflows.rollback_check` keeps what was rolled back from being shipped again,
  :mod:`~workflows.rollback_latest` takes ``$LATEST`` back with the alias
- :mod:`~workflows.eviction`: takes workflows that only wait out of a worker's memory

And the packages:

- :mod:`~workflows.domain`: the decisions as plain values
- :mod:`~workflows.temporal`: what client, worker and replayer agree on
- :mod:`~workflows.worker`: the worker process
- :mod:`~workflows.client`, :mod:`~workflows.cli`: how programs and people start, watch and steer
  releases
"""
