"""The panels of the dashboard: what is drawn, and its queries of Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Query:
    """A query in Prometheus' language, and the name of what it returns."""

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """A panel of a row; ``unit`` is one of Grafana's."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]

    def draw(self) -> dict[str, Any]:
        """Return the panel without its place."""
        raise NotImplementedError

    def _begin(self, kind: str, *, is_instant: bool) -> dict[str, Any]:
        targets = [
            {
                "refId": chr(ord("A") + number),
                "datasource": DATASOURCE,
                "expr": query.expression,
                "legendFormat": query.legend or "__auto",
                "instant": is_instant,
                "range": not is_instant,
            }
            for number, query in enumerate(self.queries)
        ]
        return {
            "type": kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "targets": targets,
        }


class Number(Panel):
    """One number for the chosen time."""

    def draw(self) -> dict[str, Any]:
        """Return it as a ``stat``."""
        return {
            **self._begin("stat", is_instant=True),
            "fieldConfig": {"defaults": {"unit": self.unit, "noValue": "none"}, "overrides": []},
            "options": {
                "colorMode": "none",
                "graphMode": "none",
                "justifyMode": "auto",
                "orientation": "auto",
                "percentChangeColorMode": "standard",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
                "showPercentChange": False,
                "textMode": "auto",
                "wideLayout": True,
            },
        }


class Lines(Panel):
    """Lines over time."""

    def draw(self) -> dict[str, Any]:
        """Return it as a ``timeseries``."""
        return {
            **self._begin("timeseries", is_instant=False),
            "fieldConfig": {
                "defaults": {"unit": self.unit, "min": 0, "custom": {"fillOpacity": 10}},
                "overrides": [],
            },
            "options": {
                "legend": {
                    "calcs": ["max", "lastNotNull"],
                    "displayMode": "table",
                    "placement": "bottom",
                    "showLegend": True,
                },
                "tooltip": {"mode": "multi", "sort": "desc"},
            },
        }
