"""What watches releases: rules and an example for Alertmanager as they are, and a dashboard.

``python -m deploy.observability`` prints the dashboard of Grafana, which ``dashboard.json`` keeps.

- :mod:`~deploy.observability.dashboard`: the dashboard: its rows, and how panels are laid out
- :mod:`~deploy.observability.panels`: one panel of each kind
"""
