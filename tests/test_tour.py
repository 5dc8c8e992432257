"""The tour: what it shows is what the commands print now."""

from __future__ import annotations

from tests.tour import COMMAND, PAGE, normalize, record


async def test_tour_shows_what_the_commands_print() -> None:
    shown, recorded = normalize(PAGE.read_text(encoding="utf-8")), normalize(await record())
    assert [command for command, _ in shown] == [command for command, _ in recorded], COMMAND
    for (command, words), (_, now) in zip(shown, recorded, strict=True):
        assert words == now, f"{command}: record it anew: {COMMAND}"
