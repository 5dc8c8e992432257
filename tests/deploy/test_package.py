"""The wheel and the source archive: what is in them, and that a fresh environment runs them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.deploy.toolbox import Tools

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).parent / "uv"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SOURCES = ("activities", "workflows", "worker.py", "pyproject.toml", "README.md", "LICENSE")
COMMANDS = {"releases", "releases-worker"}


def find_pythons() -> list[Path]:
    """The interpreters of this machine that the package claims to run on, one of each version."""
    found: dict[str, Path] = {}
    folders = [*Path.home().glob(".pyenv/versions/*/bin"), Path("/usr/bin"), Path("/usr/local/bin")]
    for version in PYTHONS:
        for folder in folders:
            if (python := folder / f"python{version}").exists():
                found.setdefault(version, python)
    found.setdefault(f"{sys.version_info.major}.{sys.version_info.minor}", Path(sys.executable))
    return list(found.values())


def build(source: Path, target: Path) -> tuple[Path, Path]:
    """Build the source archive, and the wheel from it; return both."""
    subprocess.run(
        [UV, "build", "--quiet", "--no-build-isolation", "--out-dir", target, source],
        check=True,
        env={"PATH": f"{UV.parent}:/usr/bin:/bin", "VIRTUAL_ENV": str(UV.parents[1])},
        capture_output=True,
    )
    [wheel], [archive] = target.glob("*.whl"), target.glob("*.tar.gz")
    return wheel, archive


def list_strangers(wheel: Path) -> list[str]:
    """What is in a wheel beside the two packages, the worker, and the wheel's own metadata."""
    ours = re.compile(r"(activities|workflows)/.+|worker\.py|lambda_releases-[\d.]+\.dist-info/.+")
    with zipfile.ZipFile(wheel) as archive:
        return [name for name in archive.namelist() if not ours.fullmatch(name)]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the source archive of this tree."""
    return build(ROOT, tmp_path_factory.mktemp("dist"))


def copy_sources(target: Path, names: Iterable[str] = SOURCES) -> Path:
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / name)
    return target


def test_wheel_holds_the_packages_and_the_worker_alone(built: tuple[Path, Path]) -> None:
    wheel, _ = built
    assert list_strangers(wheel) == []
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        [scripts] = [name for name in names if name.endswith("entry_points.txt")]
        text = archive.read(scripts).decode()
    modules = {
        path.relative_to(ROOT).as_posix()
        for folder in ("activities", "workflows")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert modules | {"worker.py", "activities/py.typed", "workflows/py.typed"} <= names
    assert set(re.findall(r"^(\S+) =", text, re.MULTILINE)) == COMMANDS


def test_wheel_with_tests_in_it_is_refused(tmp_path: Path) -> None:
    source = copy_sources(tmp_path / "source")
    (source / "tests").mkdir()
    (source / "tests" / "__init__.py").touch()
    document = (source / "pyproject.toml").read_text()
    (source / "pyproject.toml").write_text(
        document.replace('only-include = ["activities",', 'only-include = ["tests", "activities",')
    )
    wheel, _ = build(source, tmp_path / "dist")
    assert list_strangers(wheel) == ["tests/__init__.py"]


def test_archives_may_be_uploaded(built: tuple[Path, Path], tools: Tools) -> None:
    done = tools.run("twine", "check", "--strict", *built)
    assert done.stdout.count("PASSED") == 2


def test_archive_without_a_description_is_refused(tmp_path: Path, tools: Tools) -> None:
    source = copy_sources(tmp_path / "source")
    document = (source / "pyproject.toml").read_text()
    (source / "pyproject.toml").write_text(document.replace('readme = "README.md"\n', ""))
    wheel, _ = build(source, tmp_path / "dist")
    assert tools.run("twine", "check", "--strict", wheel, check=False).returncode == 1


def test_source_archive_builds_the_same_wheel(built: tuple[Path, Path], tmp_path: Path) -> None:
    wheel, archive = built
    with tarfile.open(archive) as content:
        content.extractall(tmp_path, filter="data")
    [source] = tmp_path.iterdir()
    again, _ = build(source, tmp_path / "dist")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert first.namelist() == second.namelist()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("python", find_pythons(), ids=lambda python: python.name)
def test_fresh_environment_runs_both_commands(
    python: Path, built: tuple[Path, Path], tmp_path: Path
) -> None:
    """Installed as README says: hashed requirements, then the wheel without dependencies."""
    wheel, _ = built
    environment = tmp_path / "environment"
    install = [UV, "pip", "install", "--quiet", "--python", environment / "bin" / "python"]
    for command in (
        [UV, "venv", "--quiet", "--python", python, environment],
        [*install, "--require-hashes", "-r", ROOT / "requirements" / "runtime.txt"],
        [*install, "--no-deps", wheel],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    for arguments, shown in (
        (("releases", "--version"), "releases 0.1.0"),
        (("releases-worker", "--help"), "RELEASES_TASK_QUEUE"),
    ):
        name, *rest = arguments
        done = subprocess.run(
            [environment / "bin" / name, *rest],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "COLUMNS": "200"},
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert shown in done.stdout
