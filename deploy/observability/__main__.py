"""Prints the dashboard, which ``dashboard.json`` keeps: ``python -m deploy.observability``."""

from __future__ import annotations

import sys

from deploy.observability.dashboard import render

if __name__ == "__main__":
    sys.stdout.write(render())
