"""The decisions of a release as plain values: no clock, no network, no AWS, no Temporal.

Reading order: :mod:`~workflows.domain.words` (durations and the strict base of what users type) ·
:mod:`~workflows.domain.target` (what is released, and the lock that belongs to it) · :mod:`~workflows.domain.routing` (how an alias
divides its traffic) · :mod:`~workflows.domain.strategy` (presets and steps) · :mod:`~workflows.domain.verdict` (what a hook or an alarm
says) · :mod:`~workflows.domain.plan` (what preflight refuses) · :mod:`~workflows.domain.journal` (what would have to be put back) ·
:mod:`~workflows.domain.status` (how it stands).
"""
