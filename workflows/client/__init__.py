"""What programs use to start, watch, steer and explain releases; the command line is a thin layer over it.

Reading order:

- :mod:`~workflows.client.client`: ``ReleaseClient``, the door to all of it
- :mod:`~workflows.client.errors`: the errors it raises
- :mod:`~workflows.client.lookup`: finds a release by the name of its function
- :mod:`~workflows.client.runs`: one release as Temporal lists it, and how it ended
- :mod:`~workflows.client.watch`: follows a release until its end
- :mod:`~workflows.client.timeline`: one line of text for each event of a history
- :mod:`~workflows.client.history`: the facts that a history holds
- :mod:`~workflows.client.stop_cause`: who or what stopped a release
- :mod:`~workflows.client.explain`: why a release was promoted or rolled back
- :mod:`~workflows.client.rejudge`: what other rules would have decided
- :mod:`~workflows.client.schedules`: releases at set times
"""

from workflows.client.client import TASK_QUEUE, Handle, ReleaseClient

__all__ = ["TASK_QUEUE", "Handle", "ReleaseClient"]
