# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""Find the evidence of earlier runs in files and folders, and read it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import typing as t

from ..module_utils._doors import ALSO, STEPS
from ..module_utils._errors import shorten
from ..module_utils._foreign import clean
from ._evidence import FORMAT, VERSION
from ._messages import Record

# A leaver takes up to 8 kB of a file.
_LARGEST_FILE = 256 * 1024 * 1024
_MOST_FILES = 10_000
_MOST_TOLD = 20
TEXT, MAYBE_TEXT, MAPPING, MAYBE_MAPPING, LIST = (str,), (str, type(None)), (dict,), (dict, type(None)), (list,)
BOOLEAN = (bool,)
# Reads a file, decrypted, so many bytes of it at most; raises OSError.
Load = t.Callable[[str, int], bytes]
_KINDS = {str: "a text", dict: "a mapping", list: "a list", bool: "true or false", type(None): "null"}


class Evidence(t.NamedTuple):
    """A file of evidence, and the SHA-256 of its bytes in hexadecimal digits."""

    path: str
    content: dict[str, t.Any]
    sha256: str


def in_short(sentences: t.Sequence[str]) -> str:
    """Sentences in a row; of many the first."""
    more = [f"And {len(sentences) - _MOST_TOLD} more files."] if len(sentences) > _MOST_TOLD else []
    return " ".join([*sentences[:_MOST_TOLD], *more])


def files(evidence: t.Any, variable: str, *, may_be_empty: bool = False) -> list[tuple[str, bool]]:
    """Each file once, and whether it was named itself.

    :param evidence: a path, several in a list or separated by commas or newlines; a folder means the `.json` files in it.
    :param variable: what the operator calls it.
    :param may_be_empty: whether a folder without such a file is none at all, and no error.
    :raises ValueError: not paths, a folder that cannot be read, or too many files.
    """
    found: dict[str, tuple[str, bool]] = {}
    for path in _paths(evidence, variable):
        inside = _in_folder(path, may_be_empty=may_be_empty) if os.path.isdir(path) else None
        for one in [path] if inside is None else inside:
            found.setdefault(os.path.realpath(one), (one, inside is None))
    if len(found) > _MOST_FILES:
        raise ValueError(f"The evidence is {len(found)} files, more than {_MOST_FILES}: name the files that are meant.")
    return list(found.values())


def _paths(evidence: t.Any, variable: str) -> list[str]:
    elements = evidence if isinstance(evidence, list) else [evidence]
    if not all(isinstance(one, str) for one in elements):
        raise ValueError(f"{variable} is not a path or a list of paths.")
    paths = []
    for one in elements:
        whole = os.path.expanduser(one.strip())
        # A comma may be part of a file's name.
        parts = [whole] if os.path.exists(whole) else [part.strip() for part in re.split(r"[,\n]", one)]
        paths += [os.path.expanduser(part) for part in parts if part]
    return paths


def _in_folder(folder: str, *, may_be_empty: bool) -> list[str]:
    """The `.json` files of a folder, without those that are hidden: drafts of reports are."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as exc:
        raise ValueError(f"The evidence {folder} cannot be read: {exc.strerror}.") from None
    found = [name for name in names if name.lower().endswith(".json") and not name.startswith(".")]
    if not found and not may_be_empty:
        raise ValueError(f"The folder {folder} holds no .json file.")
    return [os.path.join(folder, name) for name in found]


def read(path: str, load: Load | None = None) -> Evidence:
    """The evidence in a file, its texts clean. No error quotes what the file holds.

    :raises ValueError: why it is not evidence.
    """
    raw = _bytes(path, load)
    try:
        content = clean(json.loads(raw.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise ValueError(f"The evidence {path} is no text in UTF-8.") from None
    except json.JSONDecodeError as exc:
        raise ValueError(f"The evidence {path} is no JSON: {exc.msg} in line {exc.lineno}.") from None
    except RecursionError:
        raise ValueError(f"The evidence {path} is nested too deeply.") from None
    except ValueError:
        raise ValueError(f"The evidence {path} holds a number that is too long.") from None
    complaint = _complaint(content)
    if complaint:
        raise ValueError(f"The evidence {path} cannot be used: {complaint}.")
    return Evidence(path, content, hashlib.sha256(raw).hexdigest())


def _bytes(path: str, load: Load | None) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ValueError(f"The evidence {path} is not a file.")
        if load:
            content = load(os.path.realpath(path), _LARGEST_FILE + 1)
        else:
            with open(path, "rb") as file:
                content = file.read(_LARGEST_FILE + 1)
    except OSError as exc:
        raise ValueError(f"The evidence {path} cannot be read: {exc.strerror}.") from None
    if len(content) > _LARGEST_FILE:
        raise ValueError(f"The evidence {path} is larger than {_LARGEST_FILE // 1024**2} MiB.")
    return content


def _complaint(content: t.Any) -> str | None:
    """What is wrong with it, `None` when it is evidence. Only what is used is looked at."""
    try:
        check(content, "the file", {})
        if content.get("format") != FORMAT:
            return f"its format is not {FORMAT}; it must be the .json report of an offboarding"
        if content.get("version") != VERSION or isinstance(content.get("version"), bool):
            return f"its version is not {VERSION}, the only one that is known here"
        check(content, "the file", {"purpose": TEXT, "check_mode": BOOLEAN, "hosts": MAPPING})
        for host, entry in content["hosts"].items():
            where = f"hosts[{shorten(str(host))!r}]"
            check(entry, where, {"tenant_id": MAYBE_TEXT, "leavers": LIST})
            for index, leaver in enumerate(entry["leavers"]):
                _check_leaver(leaver, f"{where}.leavers[{index}]")
    except ValueError as exc:
        return str(exc)
    return None


def _check_leaver(leaver: t.Any, where: str) -> None:
    check(leaver, where, {"user": TEXT, "id": MAYBE_TEXT, "user_principal_name": MAYBE_TEXT, "steps": MAPPING})
    _check_also(leaver, where)
    for step, entry in leaver["steps"].items():
        if step not in STEPS:
            raise ValueError(f"{where}.steps names a step that is not known here")
        place = f"{where}.steps.{step}"
        check(
            entry,
            place,
            {"status": TEXT, "before": MAYBE_MAPPING, "after": MAYBE_MAPPING, "error": MAYBE_MAPPING},
        )
        for facts in ("before", "after"):
            kinds = MAYBE_TEXT if step in ("password", "sessions") else (bool, type(None))
            for number, value in enumerate((entry[facts] or {}).values()):
                if not isinstance(value, kinds):
                    raise ValueError(f"{place}.{facts}[{number}] is not {' or '.join(_KINDS[kind] for kind in kinds)}")


def _check_also(leaver: Record, where: str) -> None:
    """What was closed besides the doors; evidence of a run that closed nothing does not have it."""
    if "also" not in leaver:
        return
    check(leaver, where, {"also": MAPPING})
    for topic, entry in leaver["also"].items():
        if topic not in ALSO:
            raise ValueError(f"{where}.also names something that is not known here")
        place = f"{where}.also.{topic}"
        check(entry, place, {"status": TEXT, "objects": LIST})
        for number, one in enumerate(entry["objects"]):
            check(
                one,
                f"{place}.objects[{number}]",
                {
                    **dict.fromkeys(("key", "kind", "status"), TEXT),
                    **dict.fromkeys(("before", "after", "error"), MAYBE_MAPPING),
                    "name": MAYBE_TEXT,
                },
            )


def check(holder: t.Any, where: str, keys: t.Mapping[str, tuple[type, ...]]) -> None:
    """:raises ValueError: `holder` is not a mapping, lacks one of these keys, or has a value of another kind."""
    if not isinstance(holder, dict):
        raise ValueError(f"{where} is no mapping")
    for key, kinds in keys.items():
        if key not in holder:
            raise ValueError(f"{where} lacks {key!r}")
        if not isinstance(holder[key], kinds):
            raise ValueError(f"{where}.{key} is not {' or '.join(_KINDS[kind] for kind in kinds)}")
