"""Files appear whole or not at all: text is written beside its target and moved there when all of it is on disk."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from kullback.errors import InvalidInput


def check_targets(targets: Iterable[Path], *, inputs: Iterable[object] = ()) -> None:
    """Refuse, before any work is done, what could not be written or would overwrite an input or another output."""
    seen: set[Path] = set()
    for target in targets:
        folder = target.parent
        if not folder.is_dir():
            msg = f"{target} cannot be written: there is no folder {folder}."
            raise InvalidInput(msg)
        if target.is_dir():
            msg = f"{target} is a folder; give the name of a file."
            raise InvalidInput(msg)
        if not os.access(target if target.exists() else folder, os.W_OK):
            msg = f"{target} cannot be written: permission denied."
            raise InvalidInput(msg)
        real = target.resolve()
        if real in seen:
            msg = f"{target} is named for two outputs; give each its own file."
            raise InvalidInput(msg)
        seen.add(real)
        for given in inputs:
            if isinstance(given, str) and Path(given).exists() and real == Path(given).resolve():
                msg = f"{target} is an input; writing there would overwrite it."
                raise InvalidInput(msg)


def write_files(texts: Mapping[Path, str]) -> None:
    """Write all files, or none: each is written beside its target, and moved only when all of them are complete."""
    staged: list[tuple[Path, Path]] = []
    try:
        for target, text in texts.items():
            data = text.encode("utf-8", "replace")
            if target.exists() and not stat.S_ISREG(target.stat().st_mode):
                _direct(target, data)  # a device or a pipe: there is nothing to move
                continue
            real = target.resolve()  # a link keeps pointing to the file
            beside = real.with_name(f".{real.name[:200]}.{secrets.token_hex(4)}")
            staged.append((beside, real))
            _whole(beside, data, target)
        for beside, real in staged:
            if real.exists():
                beside.chmod(stat.S_IMODE(real.stat().st_mode))
            beside.replace(real)
    except OSError as error:
        msg = f"{error.filename2 or error.filename or 'output'} cannot be written: {error.strerror}."
        raise InvalidInput(msg) from None
    finally:
        for beside, _ in staged:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)


def _whole(beside: Path, data: bytes, target: Path) -> None:
    try:
        with beside.open("xb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())  # a full disk may show only here
    except OSError as error:
        error.filename = str(target)
        raise


def _direct(target: Path, data: bytes) -> None:
    try:
        with target.open("wb") as handle:
            handle.write(data)
    except OSError as error:
        error.filename = str(target)
        raise
