"""What client, worker and replayer must agree on.

Reading order:

- :mod:`~workflows.temporal.plugin`: ``LambdaReleases``, the one plugin that joins everything
- :mod:`~workflows.temporal.payloads`: strict inputs, plain failures
- :mod:`~workflows.temporal.interceptors`: one input per call; rollbacks announced to their worker
- :mod:`~workflows.temporal.sandbox`: what workflows run in
- :mod:`~workflows.temporal.process_exit`: how a process that spoke to Temporal ends
"""
