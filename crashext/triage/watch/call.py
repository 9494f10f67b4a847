# SPDX-License-Identifier: GPL-3.0-or-later
"""A command run for a dump: its words are filled in one by one, no shell is asked."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess

from ..places.find import is_url, local_path
from ..row import Row

PREFIX = "QEMUFIX_DUMP_"
"""Of the environment variables that have the same as the fields."""

FIELDS = ("path", *Row._fields)
_FIELD = re.compile(r"\{\{|\}\}|\{(\w*)\}")


class Call:
    """The command of ``--exec``."""

    def __init__(self, text: str) -> None:
        """Take it apart as a shell would; ``{}`` and ``{field}`` stand for what a row has.

        Raises:
            ValueError: it is no command, or names a field that isn't there.
        """
        self._words = shlex.split(text)
        if not self._words:
            raise ValueError("no command is given")
        if _FIELD.search(self._words[0]):
            raise ValueError("the command itself can't come from a dump")
        named = {field for word in self._words for field in _FIELD.findall(word)}
        unknown = sorted(named - {"", *FIELDS})
        if unknown:
            raise ValueError(f"no field {unknown[0]!r}; a brace is written twice to be one")
        if shutil.which(self._words[0]) is None:
            raise ValueError(f"no command {self._words[0]!r}")

    def words(self, row: Row) -> list[str]:
        """The arguments for a row: what is filled in stays inside of its argument."""
        values = _values(row)

        def filled(match: re.Match[str]) -> str:
            return match[0][0] if match[1] is None else values[match[1] or "path"]

        return [_FIELD.sub(filled, word) for word in self._words]

    def environment(self, row: Row) -> dict[str, str]:
        """This process's, and the row's fields; those that aren't known are empty."""
        facts = {PREFIX + name.upper(): value for name, value in _values(row).items()}
        return {**os.environ, **facts, PREFIX + "JSON": json.dumps(row.to_json())}

    def run(self, row: Row) -> str:
        """Run it and wait; what went wrong, or "". What it prints goes to stderr.

        Raises:
            KeyboardInterrupt: the command was killed.
        """
        words = self.words(row)
        try:
            done = subprocess.run(
                words, env=self.environment(row), stdin=subprocess.DEVNULL, stdout=2, check=False
            )
        except (OSError, ValueError) as error:
            return f"--exec {words[0]}: {error}"
        if done.returncode < 0:
            return f"--exec {words[0]}: killed by signal {-done.returncode}"
        return f"--exec {words[0]}: exit status {done.returncode}" if done.returncode else ""


def _values(row: Row) -> dict[str, str]:
    facts = {name: "" if value is None else str(value) for name, value in row._asdict().items()}
    path = row.url if is_url(row.url) else local_path(row.url)
    return {**facts, "changes": "; ".join(row.changes), "path": path}
