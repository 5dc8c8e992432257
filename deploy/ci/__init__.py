"""Releases from CI: the logic of ``deploy/github`` and ``deploy/gitlab``.

``python -m deploy.ci plan|start`` runs ``releases``, and reports to the forge that its job runs on.
Only the standard library is needed beside ``releases``.

- ``releases_command``: runs ``releases``, as a command, and reads its JSON
- ``forge``: what a forge does with a report, and what it knows about a job; a plain terminal
- ``github``, ``gitlab``: the two forges
- ``http``: one request to a forge's API
- ``markdown``: text that nobody's input can break out of
- ``plan_page``: a plan, as a comment on a pull request
- ``release_page``: how a release ended, as a summary
- ``progress``: a release as a log, a group for each of its steps
"""
