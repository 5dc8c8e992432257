"""The worker process: what ``worker.py`` runs.

- :mod:`~workflows.worker.process`: connects, serves a task queue, and drains
- :mod:`~workflows.worker.settings`: the settings of an operator
- :mod:`~workflows.worker.connection`: the connection to Temporal
- :mod:`~workflows.worker.account`: the AWS account that a worker serves
- :mod:`~workflows.worker.deployment_version`: Worker Versioning
"""
