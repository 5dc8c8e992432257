"""Releases of AWS Lambda functions as durable workflows.

Reading order, from what is promised to how it is done:

- :mod:`~workflows.release`, :mod:`~workflows.rollback`: what users start; :mod:`~workflows.supervisor` is what both do
- :mod:`~workflows.rollout`: the one that holds an alias and does the work; :mod:`~workflows.controls` is what people may say to it
- :mod:`~workflows.preflight`: what is looked at before anything is touched
- :mod:`~workflows.actions`: the verbs, one AWS operation each; :mod:`~workflows.call` is how they ask for it
- :mod:`~workflows.strategy_runner`: the steps that a candidate is tried by; :mod:`~workflows.guards`: who may speak against it
- :mod:`~workflows.live_analysis`: what CloudWatch measures of it, as a release follows it; :mod:`~workflows.analysis_run` is what that comes to, and
  :mod:`~workflows.metric_mapping` how it is asked for
- :mod:`~workflows.client.explain`: why a release ended as it did, from the facts that :mod:`~workflows.client.history` finds in its history, and who stopped it
  (:mod:`~workflows.client.stop_cause`); :mod:`~workflows.client.rejudge` is what other rules would have made of it
- :mod:`~workflows.undo`: how everything is put back
- :mod:`~workflows.progress`, :mod:`~workflows.search_attributes`: how a release tells how it stands
- :mod:`~workflows.past_rollouts`: what earlier releases of an alias tell
- :mod:`~workflows.request`: what users type; :mod:`~workflows.domain`: the decisions as plain values
- :mod:`~workflows.temporal.plugin`: what client, worker and replayer agree on; :mod:`~workflows.temporal.sandbox`: what workflows run in
- :mod:`~workflows.client.client`, :mod:`~workflows.cli`: how programs and people start, watch and steer releases
"""
