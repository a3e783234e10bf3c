# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""Files that are whole or not there, and that only their owner can read."""

from __future__ import annotations

import contextlib
import datetime
import errno
import os
import tempfile
import typing as t


def write(text: str, path: str, *, instead_of: str | None = None) -> str:
    """Write C(text) to C(path), or beside it under a name with the time if there is a file already.

    :param instead_of: an earlier file of the same run, which is replaced.
    :returns: the absolute path of what was written.
    :raises OSError: with a sentence that names the path.
    """
    with _draft(path) as (draft, wanted):
        with open(draft, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return _put(draft, wanted, instead_of)


def try_out(path: str) -> None:
    """See that `path` can be written, and leave its folder behind.

    :raises OSError: as `write`.
    """
    with _draft(path) as (_draft_path, wanted):
        if os.path.isdir(wanted):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))


@contextlib.contextmanager
def _draft(path: str) -> t.Iterator[tuple[str, str]]:
    """An empty file in the folder of `path`, and the absolute path.

    :raises OSError: with a sentence that names the path, whatever went wrong with either of them.
    """
    wanted = os.path.abspath(os.path.expanduser(path))
    try:
        os.makedirs(os.path.dirname(wanted), mode=0o700, exist_ok=True)
        # mkstemp makes files that only their owner can read, and in the same folder a rename is atomic.
        handle, draft = tempfile.mkstemp(dir=os.path.dirname(wanted), prefix=".", suffix=".draft")
        os.close(handle)
        try:
            yield draft, wanted
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft)
    except OSError as exc:
        raise OSError(f"The report {wanted} cannot be written: {exc.strerror}.") from None


def _put(draft: str, wanted: str, instead_of: str | None) -> str:
    if instead_of:
        os.replace(draft, instead_of)
        return instead_of
    for name in _names(wanted):
        with contextlib.suppress(FileExistsError):
            # A rename takes the place of whatever is there: claim the name first.
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            os.replace(draft, name)
            return name
    raise FileExistsError(errno.EEXIST, "too many files of that name are there already")


def _names(wanted: str) -> list[str]:
    stem, suffix = os.path.splitext(wanted)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    return [wanted, f"{stem}-{now}{suffix}", *(f"{stem}-{now}-{number}{suffix}" for number in range(2, 100))]
