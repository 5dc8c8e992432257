"""How lambda-releases runs.

- ``local``: the whole system on one machine
- ``image``, ``compose.yaml``, ``chart``, ``systemd``, ``cloudformation``, ``terraform``: workers
- ``iam``: what a worker's role needs, generated from the code
- ``codec_server``: shows what is encrypted to who may see it
- ``observability``: alerts and dashboards
- ``ci``: releases from CI, for ``github`` and ``gitlab``
"""
