"""Draws ``docs/architecture.svg`` from the imports: ``python -m tests.architecture_picture``.

Boxes are packages with their modules, arrows are imports between packages. Modules and arrows are
read from the source. Only the places of the boxes and the way of each arrow are written here: an
import between packages that has no way yet is an error, so that nobody adds a dependency unnoticed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "architecture.svg"
COMMAND = "python -m tests.architecture_picture"

ROLES = {
    "worker": "the process: settings, connection, drain",
    "workflows.cli": "the command line, releases",
    "workflows.temporal": "wiring: what client, worker and replayer share",
    "workflows.client": "what programs use: start, watch, steer, explain",
    "workflows": "the workflows: all that runs in Temporal's sandbox",
    "activities": "one class per resource of AWS Lambda",
    "activities.cloudwatch": "alarms and metrics",
    "activities.limits": "call rates, priorities",
    "workflows.domain": "decisions as pure values",
}
PROCESS = "workflows.worker"
"""The package of the process, which has one box with ``worker.py``."""

INNERMOST_FIRST = sorted(ROLES, key=len, reverse=True)
AWS_FRAME = "the three packages of activities"
"""The frame around ``activities`` and its two parts: arrows from outside end there."""

WIDTH = 960
LINE = 16
CHARACTER = 6.65
"""Width of a character of the modules' font, in pixels."""
COLOURS = {
    "worker": "#6b4e9b",
    "workflows.cli": "#1f6fb2",
    "workflows.client": "#0d8074",
    "workflows.temporal": "#b3541e",
    "workflows": "#222222",
}
INSIDE = "#777777"


def package_of(module: str) -> str | None:
    """The innermost package of ours that a module belongs to; None for a library."""
    if module.startswith(PROCESS):
        return "worker"
    return next(
        (name for name in INNERMOST_FIRST if module == name or module.startswith(f"{name}.")), None
    )


def sources() -> Iterator[tuple[str, Path]]:
    """Every module of the product, by its dotted name."""
    for path in (
        *ROOT.glob("activities/**/*.py"),
        *ROOT.glob("workflows/**/*.py"),
        ROOT / "worker.py",
    ):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[str]:
    """The modules that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in ROLES else node.module


def arrows() -> set[tuple[str, str]]:
    """Every pair of packages of which the first imports the second."""
    found = {
        (package_of(module), package_of(name))
        for module, path in sources()
        for name in imports(path)
    }
    return {(one, other) for one, other in found if one and other and one != other}


def modules_of(package: str) -> list[str]:
    """The modules of a package, without those of the packages in it."""
    return sorted(
        module.rpartition(".")[2]
        for module, _ in sources()
        if module != package and package_of(module) == package and module not in ROLES
    )


@dataclass(frozen=True)
class Box:
    """One package in the picture, in pixels."""

    package: str
    left: float
    top: float
    width: float

    @property
    def lines(self) -> list[str]:
        """The names of its modules, broken into lines that fit."""
        lines = [""]
        for name in modules_of(self.package):
            if lines[-1] and (len(lines[-1]) + len(name) + 2) * CHARACTER > self.width - 24:
                lines.append("")
            lines[-1] += f", {name}" if lines[-1] else name
        return [line for line in lines if line]

    @property
    def height(self) -> float:
        """Title, role and modules."""
        return 52 + LINE * len(self.lines)

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.top + self.height

    def svg(self) -> str:
        """The box with its text."""
        title = "worker.py" if self.package == "worker" else f"{self.package.replace('.', '/')}/"
        colour = COLOURS.get(self.package, INSIDE)
        x, y = self.left + 12, self.top
        frame = f'x="{self.left:g}" y="{y:g}" width="{self.width:g}" height="{self.height:g}"'
        role = escape(ROLES[self.package])
        text = [
            f'<rect {frame} rx="6" fill="#ffffff" stroke="{colour}" stroke-width="1.5"/>',
            f'<text class="title" x="{x:g}" y="{y + 21:g}">{title}</text>',
            f'<text class="role" x="{x:g}" y="{y + 39:g}">{role}</text>',
        ]
        text += [
            f'<text class="modules" x="{x:g}" y="{y + 57 + LINE * number:g}">{line}</text>'
            for number, line in enumerate(self.lines)
        ]
        return "\n".join(text)


def arrow(source: str, *points: tuple[float, float], both: bool = False) -> str:
    """A line through these points, with a head at its end, or at both."""
    colour = COLOURS.get(source, INSIDE)
    name = colour.removeprefix("#")
    line = " ".join(f"{x:g},{y:g}" for x, y in points)
    heads = f'marker-end="url(#{name})"' + (f' marker-start="url(#{name})"' if both else "")
    return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6" {heads}/>'


def picture() -> str:
    """The whole picture, as SVG."""
    middle = WIDTH / 2
    worker = Box("worker", 20, 30, middle - 30)
    cli = Box("workflows.cli", middle + 10, 30, middle - 30)
    row = max(worker.bottom, cli.bottom) + 50
    temporal = Box("workflows.temporal", 64, row, middle - 104)
    client = Box("workflows.client", middle + 40, row, middle - 152)
    row = max(temporal.bottom, client.bottom) + 40
    engine = Box("workflows", 108, row, WIDTH - 264)
    row = engine.bottom + 84
    group = Box("activities", 36, row, 330)
    cloudwatch = Box("activities.cloudwatch", 406, row, 200)
    limits = Box("activities.limits", 406, cloudwatch.bottom + 24, 200)
    domain = Box("workflows.domain", 656, row, WIDTH - 676)
    bottom = max(group.bottom, limits.bottom) + 16
    frame = row - 30

    ways = {
        ("worker", "workflows.temporal"): [(240, worker.bottom), (240, temporal.top)],
        ("worker", "workflows"): [(middle - 22, worker.bottom), (middle - 22, engine.top)],
        ("worker", AWS_FRAME): [(42, worker.bottom), (42, frame)],
        ("workflows.cli", "workflows.client"): [(660, cli.bottom), (660, client.top)],
        ("workflows.cli", "workflows"): [(middle + 22, cli.bottom), (middle + 22, engine.top)],
        ("workflows.cli", "workflows.temporal"): [
            (middle + 60, cli.bottom),
            (middle + 60, cli.bottom + 24),
            (400, cli.bottom + 24),
            (400, temporal.top),
        ],
        ("workflows.cli", "workflows.domain"): [(908, cli.bottom), (908, domain.top)],
        ("workflows.cli", AWS_FRAME): [
            (930, cli.bottom),
            (930, engine.bottom + 36),
            (594, engine.bottom + 36),
            (594, frame),
        ],
        ("workflows.client", "workflows.temporal"): [
            (client.left, client.top + 30),
            (temporal.right, client.top + 30),
        ],
        ("workflows.client", "workflows"): [(660, client.bottom), (660, engine.top)],
        ("workflows.client", "workflows.domain"): [(822, client.bottom), (822, domain.top)],
        ("workflows.client", AWS_FRAME): [
            (838, client.bottom),
            (838, engine.bottom + 20),
            (572, engine.bottom + 20),
            (572, frame),
        ],
        ("workflows.temporal", "workflows"): [(240, temporal.bottom), (240, engine.top)],
        ("workflows.temporal", "workflows.domain"): [
            (400, temporal.bottom),
            (400, engine.top - 12),
            (864, engine.top - 12),
            (864, domain.top),
        ],
        ("workflows.temporal", AWS_FRAME): [(86, temporal.bottom), (86, frame)],
        ("workflows", "workflows.domain"): [(740, engine.bottom), (740, domain.top)],
        ("workflows", AWS_FRAME): [(300, engine.bottom), (300, frame)],
    }
    inside = {
        ("activities", "activities.cloudwatch"): [
            (group.right, cloudwatch.top + 40),
            (cloudwatch.left, cloudwatch.top + 40),
        ],
        ("activities", "activities.limits"): [
            (group.right, limits.top + 30),
            (limits.left, limits.top + 30),
        ],
        ("activities.cloudwatch", "activities.limits"): [
            (506, cloudwatch.bottom),
            (506, limits.top),
        ],
    }

    family = {"activities", "activities.cloudwatch", "activities.limits"}
    found = arrows()
    outer = {
        (one, AWS_FRAME if other in family else other) for one, other in found if one not in family
    }
    inner = {pair for pair in found if pair[0] in family}
    for pair in sorted(outer | inner):
        if pair not in ways and pair not in inside and pair[::-1] not in inside:
            raise SystemExit(
                f"{pair[0]} imports {pair[1]}, which it did not before: take that back, "
                "or give the arrow a way in tests/architecture_picture.py"
            )
    drawn = [arrow(pair[0], *ways[pair]) for pair in sorted(outer)]
    for pair, points in sorted(inside.items()):
        there, back = pair in inner, pair[::-1] in inner
        if there or back:
            drawn.append(arrow(pair[0], *(points if there else points[::-1]), both=there and back))

    boxes = (worker, cli, temporal, client, engine, group, cloudwatch, limits, domain)
    height = max(bottom, domain.bottom) + 20
    markers = "\n".join(
        f'<marker id="{colour[1:]}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto-start-reverse"><path d="M0,0 L8,4 L0,8 z" '
        f'fill="{colour}"/></marker>'
        for colour in (*COLOURS.values(), INSIDE)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:g}"
  viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="Packages and their imports">
<!-- Made from the imports by {COMMAND}. Do not edit. -->
<style>
text {{ font-family: "DejaVu Sans", Verdana, sans-serif; font-size: 12px; fill: #222222; }}
.title {{ font-weight: bold; font-size: 14px; }}
.role {{ fill: #555555; }}
.modules {{ font-family: "DejaVu Sans Mono", Menlo, monospace; font-size: 11px; }}
</style>
<defs>
{markers}
</defs>
<rect width="{WIDTH}" height="{height:g}" fill="#ffffff"/>
<rect x="20" y="{frame:g}" width="602" height="{bottom - frame:g}" rx="8" fill="#f4f4f4"
  stroke="#bbbbbb"/>
<text class="role" x="36" y="{frame + 20:g}">AWS: nothing here imports workflows</text>
{chr(10).join(drawn)}
{chr(10).join(box.svg() for box in boxes)}
</svg>
"""


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    sys.stdout.write(f"wrote {PICTURE.relative_to(ROOT)}\n")
