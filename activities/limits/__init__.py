"""How fast a worker calls AWS, and which work it takes first.

Reading order:

- :mod:`~activities.limits.rate`: AWS's limits on calls per second, enforced by token buckets
- :mod:`~activities.limits.sharing`: the workers of one task queue share those rates evenly
- :mod:`~activities.limits.slots`: when a worker takes an activity from Temporal
- :mod:`~activities.limits.priority`: rollbacks are served before all other work
"""
