"""The decisions of a release, as plain values.

No module here reads a clock or the network, and none imports Temporal or an AWS SDK.

A release:

- :mod:`~workflows.domain.inputs`: the base class of what users send, durations, percentages
- :mod:`~workflows.domain.input_words`: what is wrong with an input
- :mod:`~workflows.domain.input_schema`: the keys that an input may have
- :mod:`~workflows.domain.suggestion`: the word that was probably meant
- :mod:`~workflows.domain.artifact`: what is released
- :mod:`~workflows.domain.target`: the function and alias of a release, and where they are
- :mod:`~workflows.domain.rollout_id`: the workflow id that is the lock of an alias
- :mod:`~workflows.domain.routing`: how an alias divides its traffic
- :mod:`~workflows.domain.alias_history`: what was live before, and what was rolled back from
- :mod:`~workflows.domain.version_description`: what a release writes into a version it publishes;
  :mod:`~workflows.domain.alias_survey` is what is known by it where Temporal has lost a release
- :mod:`~workflows.domain.alarm_name`: names and ARNs of alarms
- :mod:`~workflows.domain.strategy`: steps and presets
- :mod:`~workflows.domain.probe`: the step that sends requests to the candidate
- :mod:`~workflows.domain.preflight_facts`: what preflight found, and what is requested
- :mod:`~workflows.domain.preflight_rules`: why a release must not start, and what to know of it
- :mod:`~workflows.domain.concurrency_rules`: the same for reserved and provisioned concurrency
- :mod:`~workflows.domain.latest_rules`: what may be published with ``$LATEST``
- :mod:`~workflows.domain.hook_answer`: what a hook answers
- :mod:`~workflows.domain.journal`: what a rollback has to put back
- :mod:`~workflows.domain.latest_content`: what ``$LATEST`` held before
- :mod:`~workflows.domain.status`: the status of a release; :mod:`~workflows.domain.rejection` are
  the problems of one that was rejected

The assessment of a candidate (``docs/judgement.md`` describes the method and its limits):

- :mod:`~workflows.domain.measurement`: what CloudWatch has reported of both versions
- :mod:`~workflows.domain.evidence`: the sequential test
- :mod:`~workflows.domain.rules`: limits and comparisons
- :mod:`~workflows.domain.assessment`: the verdict that follows from them
- :mod:`~workflows.domain.adaptive`: the ramp whose doses grow with the evidence

Text for people:

- :mod:`~workflows.domain.formatting`: durations, counts and probabilities
- :mod:`~workflows.domain.step_list`: the steps of a release, and how far it is with each
- :mod:`~workflows.domain.next_command`: what to type where a release waits for a person
- :mod:`~workflows.domain.markdown`: the page of a release in the Temporal UI
"""
