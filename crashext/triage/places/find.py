# SPDX-License-Identifier: GPL-3.0-or-later
"""Which dumps there are: files, folders, patterns and URLs, to files one by one."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote_from_bytes, unquote_to_bytes

from ...errors import UnreadableDump
from ...repair.journal import SUFFIX
from .meter import local_identity
from .remote import file_system, identity_of, tried

T = TypeVar("T")

_TRIES = 4  # of a listing
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://|::)")
_PATTERN = re.compile(r"[*?[]")
_FILE = "file://"
#: Beside dumps that were repaired, see ``repairing``: no dumps that somebody took.
_OURS = re.compile(rf"({re.escape(SUFFIX)}(\.new)?|\.[0-9a-f]{{12}}\.repaired)$")


class Item(NamedTuple):
    """A file that is looked at, and what tells its content; None where that isn't known yet."""

    url: str
    identity: str | None = None


def scheme_of(path: str) -> str | None:
    """By what fsspec is asked for it; None for a local file."""
    scheme = None if path.startswith(_FILE) else _SCHEME.match(path)
    return scheme and scheme[0]


def is_url(path: str) -> bool:
    """Whether fsspec is asked for it."""
    return scheme_of(path) is not None


def local_path(url: str) -> str:
    """The path of a local file, which may have been written as a URL."""
    if not url.startswith(_FILE):
        return url
    return os.fsdecode(unquote_to_bytes(url.removeprefix(_FILE)))


def find(paths: Sequence[str], complain: Callable[[str], None]) -> Iterator[Item]:
    """The files that the paths mean, as they are met; what can't be looked into is told."""
    for path in paths:
        try:
            if is_url(path):
                yield from _remote(path, complain)
            else:
                yield from _local(local_path(path), complain)
        except UnreadableDump as error:
            complain(str(error))
            yield Item(path)
        except Exception as error:  # each file system has its own
            complain(f"{path}: can't be looked into: {error}")
            yield Item(path)


def _local(path: str, complain: Callable[[str], None]) -> Iterator[Item]:
    if Path(path).is_dir():
        yield from _inside(path, complain)
    elif _PATTERN.search(path) and not Path(path).exists():
        import glob

        met = False
        for name in sorted(glob.iglob(path, recursive=True)):  # noqa: PTH207
            met = True
            yield from _inside(name, complain) if Path(name).is_dir() else (_item(name),)
        if not met:
            complain(f"{path}: no file fits this pattern")
            yield Item(path)
    else:
        yield _item(path)


def _inside(folder: str, complain: Callable[[str], None]) -> Iterator[Item]:
    def told(error: OSError) -> None:
        complain(f"{error.filename}: can't be looked into: {error.strerror}")

    for place, folders, names in os.walk(folder, onerror=told):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(place, name)  # noqa: PTH118
            if not _OURS.search(name) and stat.S_ISREG(_mode(path)):
                yield _item(path)


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode  # noqa: PTH116
    except OSError:
        return 0


def _item(path: str) -> Item:
    whole = os.path.abspath(path)  # noqa: PTH100
    try:
        identity = local_identity(os.stat(whole))  # noqa: PTH116
    except (OSError, ValueError):
        identity = None
    try:
        whole.encode()
        return Item(whole, identity)
    except UnicodeEncodeError:  # no text, which a table and JSON have to have
        return Item(_FILE + quote_from_bytes(os.fsencode(whole)), identity)


def _remote(url: str, complain: Callable[[str], None]) -> Iterator[Item]:
    fs, path = _again(partial(file_system, url))
    shown = url.rstrip("/")
    before = shown.removesuffix(str(path).rstrip("/"))

    def item(name: str, info: dict[str, Any]) -> Item:
        whole = name if _SCHEME.match(name) else before + name
        identity = identity_of(info)
        marked = identity and not identity.endswith("unmarked")
        return Item(whole, identity if marked else identity_of(_again(partial(fs.info, name))))

    if _PATTERN.search(path):
        found = _again(partial(fs.glob, path, detail=True))
        for name, info in sorted(found.items()):
            if info["type"] == "file" and not _OURS.search(name):
                yield item(name, info)
        if not found:
            raise UnreadableDump("no file fits this pattern", path=url)
        return
    # A web server tells pages from files by nothing but the slash.
    web = "http" in str(fs.protocol)
    known = {} if web and url.endswith("/") else _again(partial(fs.info, path))
    if url.endswith("/") if web else known["type"] == "directory":
        for info in _under(fs, path, complain):
            if not _OURS.search(info["name"]):
                yield item(info["name"], info)
    else:
        yield Item(url, identity_of(known))


def _under(fs: Any, top: str, complain: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """What ``fs`` tells of each file under a folder; its own walk() omits what fails."""
    folders = [top.rstrip("/")]
    while folders:
        folder = folders.pop()
        try:
            # A slash is what web servers know a folder by.
            listed = _again(partial(fs.ls, f"{folder}/", detail=True))
        except Exception as error:  # each file system has its own
            if folder == top.rstrip("/"):
                raise
            complain(f"{folder}: can't be looked into: {error}")
            continue
        inside = [i for i in listed if not folder or i["name"].startswith(f"{folder}/")]
        inside = [i | {"name": i["name"].rstrip("/")} for i in inside]
        inside.sort(key=itemgetter("name"), reverse=True)
        folders += [i["name"] for i in inside if i["type"] == "directory" and i["name"] != folder]
        yield from (i for i in inside[::-1] if i["type"] != "directory")


def _again(ask: Callable[[], T]) -> T:
    return tried(ask, _TRIES)
