# SPDX-License-Identifier: GPL-3.0-or-later
"""The crash session around us, through ``_host.so`` and ctypes.

Every function of ``_host.so`` catches crash's jumps itself (bridge/guard.c), so
nothing here can be jumped over.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

from ..errors import SessionError
from .host import Settings

_ABI = 1  # QFX_ABI of bridge/host.h
_MINIMAL, _LIVE, _TRANSLATION, _IN_PROCESS, _RC_FILE = 1, 2, 4, 8, 16
_SCRIPT_LIMIT = 1 << 19
_RTLD_NOW, _RTLD_GLOBAL, _RTLD_NODELETE = 2, 0x100, 0x1000


class _Facts(ctypes.Structure):
    """``struct qfx_facts`` of bridge/host.h."""

    _fields_ = (
        ("abi", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("dumpfile", ctypes.c_char_p),
        ("namelist", ctypes.c_char_p),
        ("version", ctypes.c_char_p),
        ("built_for", ctypes.c_char_p),
        ("machine", ctypes.c_char_p),
        ("phys_base", ctypes.c_int64),
        ("kaslr_offset", ctypes.c_int64),
    )


def _load(path: Path) -> ctypes.CDLL:
    if not path.exists():
        raise SessionError(f"{path}: not there; build the plugin with make")
    try:
        library = ctypes.CDLL(str(path), mode=_RTLD_NOW | _RTLD_GLOBAL | _RTLD_NODELETE)
    except OSError as error:
        raise SessionError(f"not in a crash session: {error}") from None
    library.qfx_read_phys.argtypes = (ctypes.c_uint64, ctypes.c_void_p, ctypes.c_size_t)
    library.qfx_write.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
    library.qfx_message.argtypes = (ctypes.c_char_p,)
    library.qfx_apply.argtypes = (ctypes.c_int64, ctypes.c_int64, ctypes.c_uint32)
    library.qfx_restart.argtypes = (ctypes.c_char_p, ctypes.c_size_t) * 2
    library.qfx_pending_script.restype = ctypes.c_long
    library.qfx_extension.restype = ctypes.c_char_p
    return library


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "surrogateescape")


class CrashHost:
    """The :class:`~crashext.session.host.Host` of the process we run in."""

    def __init__(self, library: Path | None = None) -> None:
        self._lib = _load(library or Path(__file__).parent.parent / "_host.so")
        facts = self._facts()
        if facts.abi != _ABI:
            raise SessionError(f"_host.so speaks ABI {facts.abi}, not {_ABI}: run make again")
        built_for, version = _text(facts.built_for), _text(facts.version)
        if built_for != version:
            raise SessionError(f"_host.so was built for crash {built_for}, this is {version}")

    def _facts(self) -> _Facts:
        facts = _Facts()
        self._lib.qfx_facts(ctypes.byref(facts))
        return facts

    def _is(self, flag: int) -> bool:
        return bool(self._facts().flags & flag)

    @property
    def dumpfile(self) -> str | None:
        """Path of the dump; None on a live system."""
        return None if self._is(_LIVE) else _text(self._facts().dumpfile) or None

    @property
    def namelist(self) -> str:
        """Path of the vmlinux."""
        return _text(self._facts().namelist)

    @property
    def crash_version(self) -> str:
        """Version of the running crash."""
        return _text(self._facts().version)

    @property
    def machine(self) -> str:
        """The architecture that this crash is for."""
        return _text(self._facts().machine)

    @property
    def minimal(self) -> bool:
        """Whether the session is a minimal one."""
        return self._is(_MINIMAL)

    @property
    def can_reinit(self) -> bool:
        """Whether in-process re-initialisation is possible from here."""
        return self._is(_IN_PROCESS)

    @property
    def in_rc_file(self) -> bool:
        """Whether the command is a line of a ``.crashrc``."""
        return self._is(_RC_FILE)

    @property
    def phys_base(self) -> int | None:
        """The session's phys_base in bytes, signed."""
        facts = self._facts()
        return int(facts.phys_base) if facts.flags & _TRANSLATION else None

    @property
    def kaslr_offset(self) -> int | None:
        """The session's KASLR offset in bytes."""
        facts = self._facts()
        return int(facts.kaslr_offset) if facts.flags & _TRANSLATION else None

    @property
    def settings(self) -> Settings:
        """What ``set`` changed in this session."""
        scroll, radix, debug = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        self._lib.qfx_settings(ctypes.byref(scroll), ctypes.byref(radix), ctypes.byref(debug))
        return Settings(bool(scroll.value), radix.value, debug.value)

    def read_phys(self, paddr: int, size: int) -> bytes | None:
        """Guest-physical memory as crash reads it, or None where it can't."""
        buffer = ctypes.create_string_buffer(size)
        if self._lib.qfx_read_phys(paddr, buffer, size):
            return None
        return buffer.raw

    def write(self, text: str) -> None:
        """Print through crash's output stream."""
        raw = text.encode("utf-8", "backslashreplace")
        if self._lib.qfx_write(raw, len(raw)):
            raise BrokenPipeError

    def message(self, line: str) -> None:
        """Print one line in crash's error style."""
        self._lib.qfx_message(line.encode("utf-8", "backslashreplace"))

    def reinit(self, phys_base: int, kaslr_offset: int, limit: float) -> None:
        """Re-initialise the session, or have it done when the command has ended."""
        self._lib.qfx_apply(phys_base, kaslr_offset, round(limit * 1000))

    def restart(self, args: Sequence[str], script: bytes) -> None:
        """Start crash again, or have it done when the command has ended."""
        raw = b"".join(arg.encode("utf-8", "surrogateescape") + b"\0" for arg in args)
        if self._lib.qfx_restart(raw, len(raw), script, len(script)):
            raise SessionError("crash can't be started again from here")

    def command_line(self) -> list[str]:
        """The argv of this process."""
        raw = Path("/proc/self/cmdline").read_bytes()
        return [_text(arg) for arg in raw.removesuffix(b"\0").split(b"\0")]

    def pending_script(self) -> bytes:
        """The rest of the input file that the command comes from."""
        buffer = ctypes.create_string_buffer(_SCRIPT_LIMIT)
        size = self._lib.qfx_pending_script(buffer, _SCRIPT_LIMIT)
        if size < 0 or size == _SCRIPT_LIMIT:
            raise SessionError("the input file can't be carried over to a new session")
        return buffer.raw[:size]

    def extensions(self) -> list[str]:
        """File names of the loaded extensions, oldest first."""
        names: list[str] = []
        while (name := self._lib.qfx_extension(len(names))) is not None:
            names.append(_text(name))
        return names
