"""Runs a command under the filters of a systemd unit that the kernel keeps without systemd.

``python unit_filter.py UNIT COMMAND…``: SystemCallFilter=, SystemCallErrorNumber=,
RestrictAddressFamilies=, MemoryDenyWriteExecute=, NoNewPrivileges= and CapabilityBoundingSet=, by
libseccomp, as systemd sets them: https://github.com/systemd/systemd/blob/main/src/shared/seccomp-util.c
Not set: everything about files and namespaces.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_EQUAL, _MASKED_EQUAL = 4, 7
_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 38, 24
_PROT_WRITE, _PROT_EXEC = 2, 4
_LAST_CAPABILITY: Final = 40
_FAMILIES: Final = 46

_seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
_seccomp.seccomp_init.restype = ctypes.c_void_p


class _Comparison(ctypes.Structure):
    _fields_ = [
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    ]


def read_unit(path: Path) -> dict[str, list[str]]:
    """The values of each directive, in order."""
    directives: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            directives.setdefault(name, []).append(value)
    return directives


def expand(name: str) -> Iterator[str]:
    """The system calls of a set, as this machine's systemd has it."""
    if not name.startswith("@"):
        yield name
        return
    printed = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True
    ).stdout
    for line in printed.splitlines()[1:]:
        if (word := line.strip()) and not word.startswith("#"):
            yield from expand(word)


def list_allowed(filters: list[str]) -> set[str]:
    """What an allow list, and the deny lists after it, leave."""
    allowed: set[str] = set()
    for each in filters:
        calls = {call for name in each.lstrip("~").split() for call in expand(name)}
        allowed = allowed - calls if each.startswith("~") else allowed | calls
    return allowed


def load_filter(default: int, rules: list[tuple[str, int, tuple[_Comparison, ...]]]) -> None:
    """Have the kernel keep a filter; system calls that it does not know are left out."""
    context = ctypes.c_void_p(_seccomp.seccomp_init(ctypes.c_uint32(default)))
    for call, action, comparisons in rules:
        number = _seccomp.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:
            arguments = (_Comparison * len(comparisons))(*comparisons)
            _check(
                _seccomp.seccomp_rule_add_array(
                    context, ctypes.c_uint32(action), number, len(comparisons), arguments
                )
            )
    _check(_seccomp.seccomp_load(context))


def _check(result: Any) -> None:
    if result:
        raise OSError(-result, os.strerror(-result))


def apply(unit: dict[str, list[str]]) -> None:
    """Apply what a unit asks for to this process, and to what it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    if unit["CapabilityBoundingSet"] == [""]:
        for capability in range(_LAST_CAPABILITY + 1):
            libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    allowed = list_allowed(unit["SystemCallFilter"])
    refused = _ERRNO | getattr(errno, unit["SystemCallErrorNumber"][0])
    if unit["NoNewPrivileges"] == ["yes"]:
        _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if unit["MemoryDenyWriteExecute"] == ["yes"]:
        both = _PROT_WRITE | _PROT_EXEC
        denied = _ERRNO | errno.EPERM
        load_filter(
            _ALLOW,
            [
                ("mmap", denied, (_Comparison(2, _MASKED_EQUAL, both, both),)),
                ("mprotect", denied, (_Comparison(2, _MASKED_EQUAL, _PROT_EXEC, _PROT_EXEC),)),
            ],
        )
    families = [getattr(socket, name) for name in unit["RestrictAddressFamilies"][0].split()]
    load_filter(
        _ALLOW,
        [
            ("socket", _ERRNO | errno.EAFNOSUPPORT, (_Comparison(0, _EQUAL, family, 0),))
            for family in range(1, _FAMILIES)
            if family not in families
        ],
    )
    load_filter(refused, [(call, _ALLOW, ()) for call in sorted(allowed)])


if __name__ == "__main__":
    apply(read_unit(Path(sys.argv[1])))
    os.execv(sys.argv[2], sys.argv[2:])
