"""The worker process: what ``worker.py`` runs.

- :mod:`~workflows.worker.process`: connects, serves one place or several, and drains
- :mod:`~workflows.worker.places`: the accounts and regions of a process, by a file
- :mod:`~workflows.worker.place_worker`: the worker of one account and region
- :mod:`~workflows.worker.place_keeper`: begins the worker of a place anew when it fails
- :mod:`~workflows.worker.readiness`: which places are ready
- :mod:`~workflows.worker.settings`: the settings of an operator
- :mod:`~workflows.worker.connection`: the connection to Temporal, renewed when its
  :mod:`~workflows.worker.certificate_files` change
- :mod:`~workflows.worker.contact`: whether Temporal and AWS answer
- :mod:`~workflows.worker.web_server`: metrics, and the probes of whatever runs the process
- :mod:`~workflows.worker.release_count`: how many releases run, as a metric
- :mod:`~workflows.worker.traces`: traces of releases by OpenTelemetry, where they are wanted, and
  their :mod:`~workflows.worker.trace_export`
- :mod:`~workflows.worker.account`: the AWS account that a worker serves
- :mod:`~workflows.worker.deployment_version`: Worker Versioning
"""
