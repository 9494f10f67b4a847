# SPDX-License-Identifier: GPL-3.0-or-later
"""A writer of cpio archives in the "newc" form that the kernel unpacks as initramfs.

Source of the layout: Linux ``Documentation/driver-api/early-userspace/buffer-format.rst``.
"""

from __future__ import annotations

import stat

_TRAILER = "TRAILER!!!"


class Cpio:
    """An archive that grows in memory; ``bytes(archive)`` ends it and gives it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._names: set[str] = set()

    def directory(self, name: str) -> None:
        """Add a directory and those above it; one that is there already is left alone."""
        parent = name.rpartition("/")[0]
        if parent:
            self.directory(parent)
        if name not in self._names:
            self._add(name, stat.S_IFDIR | 0o755, b"")

    def file(self, name: str, data: bytes, *, mode: int = 0o755) -> None:
        """Add a regular file and the directories it lies in."""
        self._parents(name)
        self._add(name, stat.S_IFREG | mode, data)

    def symlink(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._parents(name)
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, name: str, major: int, minor: int) -> None:
        """Add a character device node."""
        self._parents(name)
        self._add(name, stat.S_IFCHR | 0o600, b"", device=(major, minor))

    def __bytes__(self) -> bytes:
        return b"".join(self._parts) + _entry(_TRAILER, 0, b"", inode=0)

    def _parents(self, name: str) -> None:
        parent = name.rpartition("/")[0]
        if parent:
            self.directory(parent)

    def _add(self, name: str, mode: int, data: bytes, *, device: tuple[int, int] = (0, 0)) -> None:
        self._names.add(name)
        self._parts.append(_entry(name, mode, data, inode=len(self._names), device=device))


def _entry(
    name: str, mode: int, data: bytes, *, inode: int, device: tuple[int, int] = (0, 0)
) -> bytes:
    path = name.encode() + b"\0"
    # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _pad4(header + path) + _pad4(data)


def _pad4(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
