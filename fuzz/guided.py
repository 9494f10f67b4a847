# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m fuzz.guided FORMAT [SECONDS]``: mutations that follow the readers' code.

Needs atheris (``pip install atheris``); a finding is raised and kept by libFuzzer.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["crashext"]):
    from .seeds import SEEDS
    from .use import use


def main() -> None:
    """Fuzz one format; ends the process."""
    name, seconds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60
    folder = Path(tempfile.mkdtemp())
    for number, seed in enumerate(SEEDS[name]):
        (folder / f"seed{number}").write_bytes(seed)
    path = Path(tempfile.mkdtemp()) / "dump"
    words = [sys.argv[0], f"-max_total_time={seconds}", "-max_len=100000", str(folder)]

    def one(data: bytes) -> None:
        path.write_bytes(data)
        use([path], search=True)

    atheris.Setup(words, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
