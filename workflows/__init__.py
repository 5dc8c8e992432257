"""Releases of AWS Lambda functions as durable workflows.

Reading order, from what is promised to how it is done:

- :mod:`~workflows.release`, :mod:`~workflows.rollback`: what users start; :mod:`~workflows.holder` is what both do
- :mod:`~workflows.rollout`: the one that holds an alias and does the work; :mod:`~workflows.controls` is what people may say to it
- :mod:`~workflows.preflight`: what is looked at before anything is touched
- :mod:`~workflows.steps`: the verbs, one AWS operation each; :mod:`~workflows.call` is how they ask for it
- :mod:`~workflows.trial`: the steps that a candidate is tried by; :mod:`~workflows.judging`: who may speak against it
- :mod:`~workflows.analysis`: what CloudWatch measures of it, as a release follows it; :mod:`~workflows.reading` is what that comes to, and
  :mod:`~workflows.measuring` how it is asked for
- :mod:`~workflows.explaining`: why a release ended as it did, from the facts that :mod:`~workflows.recorded` finds in its history, and who stopped it
  (:mod:`~workflows.against`); :mod:`~workflows.rejudging` is what other rules would have made of it
- :mod:`~workflows.undo`: how everything is put back
- :mod:`~workflows.progress`, :mod:`~workflows.attributes`: how a release tells how it stands
- :mod:`~workflows.record`: what earlier releases of an alias tell
- :mod:`~workflows.request`: what users type; :mod:`~workflows.domain`: the decisions as plain values
- :mod:`~workflows.plugin`: what client, worker and replayer agree on; :mod:`~workflows.sandbox`: what workflows run in
- :mod:`~workflows.client`, :mod:`~workflows.cli`: how programs and people start, watch and steer releases
"""
