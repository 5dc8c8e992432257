"""The decisions of a release as plain values: no clock, no network, no AWS, no Temporal.

Reading order: :mod:`~workflows.domain.inputs` (durations and the strict base of what users type) ·
:mod:`~workflows.domain.target` (what is released, and the lock that belongs to it) · :mod:`~workflows.domain.routing` (how an alias
divides its traffic) · :mod:`~workflows.domain.strategy` (presets and steps) · :mod:`~workflows.domain.probe` (one kind of them) · :mod:`~workflows.domain.hook_answer` (what a hook or an alarm
says) · :mod:`~workflows.domain.preflight_rules` (what preflight refuses) · :mod:`~workflows.domain.journal` (what would have to be put back) ·
:mod:`~workflows.domain.status` (how it stands).

How a candidate is judged: :mod:`~workflows.domain.measurement` (what CloudWatch has told) · :mod:`~workflows.domain.evidence` (how sure that makes us) ·
:mod:`~workflows.domain.rules` (rules, and what follows from them) · :mod:`~workflows.domain.adaptive` (the ramp that widens with the evidence).
``docs/judgement.md`` tells the method and what it is worth.
"""
