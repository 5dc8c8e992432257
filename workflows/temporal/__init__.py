"""The wiring to Temporal: what client, worker and replayer must agree on.

- :mod:`~workflows.temporal.plugin`: ``LambdaReleases``, the one plugin that joins the rest
- :mod:`~workflows.temporal.connection_settings`: how to reach Temporal, for worker and client
- :mod:`~workflows.temporal.connection_fault`: why Temporal cannot be reached
- :mod:`~workflows.temporal.codec_settings`: which codec encrypts payloads, for worker and client
- :mod:`~workflows.temporal.codec_keys`: the keys that payloads are encrypted with
- :mod:`~workflows.temporal.codec`: encrypts payloads with AES-256-GCM
- :mod:`~workflows.temporal.codec_check`: whether the releases of a namespace can be decrypted
- :mod:`~workflows.temporal.private_attributes`: what no codec encrypts, and people write
- :mod:`~workflows.temporal.payloads`: the payload converter, strict about inputs
- :mod:`~workflows.temporal.input_problems`: the problems of a malformed input, by their paths
- :mod:`~workflows.temporal.failures`: the failure converter
- :mod:`~workflows.temporal.interceptors`: the number of inputs, and announcements of rollbacks
- :mod:`~workflows.temporal.cancel_details`: how a release stood that was cancelled
- :mod:`~workflows.temporal.rollout_queries`: queries of a release that its rollout answers
- :mod:`~workflows.temporal.sandbox`: the sandbox of workflows
- :mod:`~workflows.temporal.process_exit`: the end of a process, with its exit status
- :mod:`~workflows.temporal.search_attribute_registration`: registers search attributes for a worker
- :mod:`~workflows.temporal.queue_account`: keeps workers of two accounts off one task queue
- :mod:`~workflows.temporal.deployment`: deployments of Worker Versioning
- :mod:`~workflows.temporal.worker_runtime`: the identity and the runtime of a worker
- :mod:`~workflows.temporal.logs`: the log of a worker
"""
