# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write files atomically, readable only by their owner, with a checksum file beside them; and read them."""

from __future__ import annotations

import contextlib
import datetime
import errno
import hashlib
import os
import stat
import tempfile
import typing as t

SUFFIX = ".sha256"
# A leaver takes up to 8 kB in a file.
LARGEST_FILE = 256 * 1024 * 1024
# Reads at most so many bytes of a file, decrypted; raises `OSError`.
Load = t.Callable[[str, int], bytes]


class _Unusable(OSError):
    """A file that is not read."""


def read_bytes(path: str, most: int = LARGEST_FILE, load: Load | None = None) -> bytes:
    """:raises OSError: it cannot be read, is not a file, or is larger than `most` bytes."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise _Unusable(errno.EINVAL, "it is not a file")
    if load:
        content = load(os.path.realpath(path), most + 1)
    else:
        with open(path, "rb") as file:
            content = file.read(most + 1)
    if len(content) > most:
        raise _Unusable(errno.EFBIG, f"it is larger than {most:,} bytes")
    return content


def write(text: str, path: str, *, instead_of: str | None = None) -> tuple[str, str]:
    """Write `text` to `path`, or beside it under a name with the time if there is a file already, and its checksum.

    The checksum is in a file of that name with `.sha256` added, which replaces that of the earlier file of this run.

    :param instead_of: an earlier file of the same run, which is replaced.
    :returns: the absolute path of what was written, and its SHA-256 checksum.
    :raises OSError: with a sentence that names the path.
    """
    content = text.encode("utf-8")
    digest = sha256(content)
    written = _write(content, path, instead_of)
    # A run interrupted between the two leaves the checksum of the earlier file: it reports "changed", never "unchanged".
    _write(os.fsencode(sum_line(digest, written)), written + SUFFIX, written + SUFFIX)
    return written, digest


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def sum_line(digest: str, path: str) -> str:
    """The line that `sha256sum` writes for a file in the same folder, and that `sha256sum -c` checks.

    A name with a backslash or a line break is escaped:
    https://www.gnu.org/software/coreutils/manual/html_node/cksum-output-modes.html
    """
    name = os.path.basename(path)
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "" if escaped == name else "\\"
    return f"{mark}{digest}  {escaped}\n"


def _write(content: bytes, path: str, instead_of: str | None) -> str:
    with _draft(path) as (draft, wanted):
        with open(draft, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return _put(draft, wanted, instead_of)


def try_out(path: str) -> None:
    """Check that `path` can be written, creating its folder.

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
        if os.path.lexists(name + SUFFIX):
            # It belongs to a report that no longer exists.
            continue
        with contextlib.suppress(FileExistsError):
            # A rename replaces an existing file: claim the name first.
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            os.replace(draft, name)
            return name
    raise FileExistsError(errno.EEXIST, "too many files with that name exist already")


def _names(wanted: str) -> list[str]:
    stem, suffix = os.path.splitext(wanted)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    return [wanted, f"{stem}-{now}{suffix}", *(f"{stem}-{now}-{number}{suffix}" for number in range(2, 100))]
