# SPDX-License-Identifier: GPL-3.0-or-later
"""``--repair`` of ``triage``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...text import shell_word

if TYPE_CHECKING:
    from ...triage.repairing import Repairing


def repairing(wanted: bool, to: str | None) -> Repairing | None:
    """How dumps are to be repaired; None for not at all."""
    from ...triage.places.find import is_url
    from ...triage.repairing import Repairing

    if not wanted and to is None:
        return None
    if to is None or is_url(to):
        return Repairing(to)
    if Path(to).exists() and not Path(to).is_dir():
        raise click.UsageError(f"--repair-to {shell_word(to)}: that is no folder")
    return Repairing(os.path.abspath(to))  # noqa: PTH100
