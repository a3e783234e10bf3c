# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""Read the evidence of offboardings from files and folders, and keep of it what a restoration needs."""

from __future__ import annotations

import json
import os
import re
import stat
import typing as t

from ..module_utils._doors import ALSO, STEPS
from ..module_utils._errors import shorten
from ..module_utils._foreign import clean
from ._evidence import FORMAT, VERSION
from ._sentences import Record

# A leaver takes up to 8 kB of a file.
_LARGEST_FILE = 256 * 1024 * 1024
_MOST_FILES = 10_000
_MOST_TOLD = 20
_TEXT, _MAYBE_TEXT, _MAPPING, _MAYBE_MAPPING, _LIST = (str,), (str, type(None)), (dict,), (dict, type(None)), (list,)
_KINDS = {str: "a text", dict: "a mapping", list: "a list", bool: "true or false", type(None): "null"}
_OF_A_LEAVER = ("user", "id", "user_principal_name", "display_name", "directory_roles")
_OF_A_STEP = ("status", "before", "after", "written_at", "error")
_OF_AN_OBJECT = ("key", "kind", "name", "status", "before", "after", "error")


class Unusable(ValueError):
    """A file that is evidence, and not of a run that changed anything."""


def read(evidence: t.Any) -> tuple[list[dict[str, t.Any]], list[str]]:
    """Every run of which there is evidence, and a sentence for each file that is left out.

    A file that was named and is not evidence stops everything: what it should have told may decide. In a folder it is
    left out.

    :param evidence: a path, several in a list or separated by commas or newlines; a folder means the `.json` files in it.
    :returns: runs as `{path, started_at, written_at, complete, job_id, hosts: {name: {tenant_id, leavers}}}`, in which
        leavers hold only what is needed here.
    :raises ValueError: a named file that cannot be read or is not evidence, or nothing that can be used.
    """
    runs, left_out = [], []
    for path, named in _files(evidence):
        try:
            runs.append(_run(path, _load(path)))
        except Unusable as exc:
            left_out.append(str(exc))
        except ValueError as exc:
            if named:
                raise
            left_out.append(str(exc))
    if not runs:
        raise ValueError(in_short(left_out))
    return runs, left_out


def in_short(sentences: t.Sequence[str]) -> str:
    """Sentences in a row; of many the first."""
    more = [f"And {len(sentences) - _MOST_TOLD} more files."] if len(sentences) > _MOST_TOLD else []
    return " ".join([*sentences[:_MOST_TOLD], *more])


def _files(evidence: t.Any) -> list[tuple[str, bool]]:
    """Each file once, and whether it was named itself."""
    files: dict[str, tuple[str, bool]] = {}
    for path in _paths(evidence):
        inside = _in_folder(path) if os.path.isdir(path) else None
        for one in [path] if inside is None else inside:
            files.setdefault(os.path.realpath(one), (one, inside is None))
    if len(files) > _MOST_FILES:
        raise ValueError(f"The evidence is {len(files)} files, more than {_MOST_FILES}: name the files that are meant.")
    return list(files.values())


def _paths(evidence: t.Any) -> list[str]:
    elements = evidence if isinstance(evidence, list) else [evidence]
    if not all(isinstance(one, str) for one in elements):
        raise ValueError("restore_employee_evidence is not a path or a list of paths.")
    paths = []
    for one in elements:
        whole = os.path.expanduser(one.strip())
        # A comma may be part of a file's name.
        parts = [whole] if os.path.exists(whole) else [part.strip() for part in re.split(r"[,\n]", one)]
        paths += [os.path.expanduser(part) for part in parts if part]
    return paths


def _in_folder(folder: str) -> list[str]:
    """The `.json` files of a folder, without those that are hidden: drafts of reports are."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as exc:
        raise ValueError(f"The evidence {folder} cannot be read: {exc.strerror}.") from None
    found = [name for name in names if name.lower().endswith(".json") and not name.startswith(".")]
    if not found:
        raise ValueError(f"The folder {folder} holds no .json file.")
    return [os.path.join(folder, name) for name in found]


def _load(path: str) -> dict[str, t.Any]:
    """The evidence in a file. No error quotes what the file holds.

    :raises Unusable: evidence of an audit or of check mode.
    :raises ValueError: why it is not evidence.
    """
    raw = _bytes(path)
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
    reason = _useless(content)
    if reason:
        raise Unusable(f"The evidence {path} cannot be used: {reason}.")
    return t.cast("dict[str, t.Any]", content)


def _bytes(path: str) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ValueError(f"The evidence {path} is not a file.")
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
        _check(content, "the file", {})
        if content.get("format") != FORMAT:
            return f"its format is not {FORMAT}; it must be the .json report of an offboarding"
        if content.get("version") != VERSION or isinstance(content.get("version"), bool):
            return f"its version is not {VERSION}, the only one that is known here"
        _check(content, "the file", {"purpose": _TEXT, "check_mode": (bool,), "hosts": _MAPPING})
        for host, entry in content["hosts"].items():
            where = f"hosts[{shorten(str(host))!r}]"
            _check(entry, where, {"tenant_id": _MAYBE_TEXT, "leavers": _LIST})
            for index, leaver in enumerate(entry["leavers"]):
                _check_leaver(leaver, f"{where}.leavers[{index}]")
    except ValueError as exc:
        return str(exc)
    return None


def _useless(content: Record) -> str | None:
    """Why there is nothing in it that could be undone, `None` when there may be."""
    if content["purpose"] != "offboard":
        return "it is of an audit, which changes nothing: give the file of the run that shut the doors"
    if content["check_mode"]:
        return "it was written in check mode, which changes nothing: give the file of the run that shut the doors"
    if not any(entry["leavers"] for entry in content["hosts"].values()):
        if content.get("complete") is False:
            return "the run was cut off before it had looked at anybody"
        return "it holds no leaver"
    return None


def _check_leaver(leaver: t.Any, where: str) -> None:
    _check(leaver, where, {"user": _TEXT, "id": _MAYBE_TEXT, "user_principal_name": _MAYBE_TEXT, "steps": _MAPPING})
    _check_also(leaver, where)
    for step, entry in leaver["steps"].items():
        if step not in STEPS:
            raise ValueError(f"{where}.steps names a step that is not known here")
        place = f"{where}.steps.{step}"
        _check(
            entry,
            place,
            {"status": _TEXT, "before": _MAYBE_MAPPING, "after": _MAYBE_MAPPING, "error": _MAYBE_MAPPING},
        )
        for facts in ("before", "after"):
            kinds = _MAYBE_TEXT if step in ("password", "sessions") else (bool, type(None))
            for number, value in enumerate((entry[facts] or {}).values()):
                if not isinstance(value, kinds):
                    raise ValueError(f"{place}.{facts}[{number}] is not {' or '.join(_KINDS[kind] for kind in kinds)}")


def _check_also(leaver: Record, where: str) -> None:
    """What was closed besides the doors; evidence of a run that closed nothing does not have it."""
    if "also" not in leaver:
        return
    _check(leaver, where, {"also": _MAPPING})
    for topic, entry in leaver["also"].items():
        if topic not in ALSO:
            raise ValueError(f"{where}.also names something that is not known here")
        place = f"{where}.also.{topic}"
        _check(entry, place, {"status": _TEXT, "objects": _LIST})
        for number, one in enumerate(entry["objects"]):
            _check(
                one,
                f"{place}.objects[{number}]",
                {
                    **dict.fromkeys(("key", "kind", "status"), _TEXT),
                    **dict.fromkeys(("before", "after", "error"), _MAYBE_MAPPING),
                    "name": _MAYBE_TEXT,
                },
            )


def _check(holder: t.Any, where: str, keys: t.Mapping[str, tuple[type, ...]]) -> None:
    if not isinstance(holder, dict):
        raise ValueError(f"{where} is no mapping")
    for key, kinds in keys.items():
        if key not in holder:
            raise ValueError(f"{where} lacks {key!r}")
        if not isinstance(holder[key], kinds):
            raise ValueError(f"{where}.{key} is not {' or '.join(_KINDS[kind] for kind in kinds)}")


def _run(path: str, content: Record) -> dict[str, t.Any]:
    run = content.get("run") if isinstance(content.get("run"), dict) else {}
    written_at = _text(content.get("written_at"))
    return {
        "path": path,
        "started_at": _text(t.cast("Record", run).get("started_at")) or written_at,
        "written_at": written_at,
        "complete": content.get("complete") is not False,
        "job_id": _text(t.cast("Record", run).get("job_id")),
        "hosts": {
            host: {"tenant_id": entry["tenant_id"], "leavers": [_slim(one) for one in entry["leavers"]]}
            for host, entry in content["hosts"].items()
        },
    }


def _text(value: t.Any) -> str:
    return str(value) if isinstance(value, str | int) else ""


def _slim(leaver: Record) -> dict[str, t.Any]:
    steps = {step: {key: entry.get(key) for key in _OF_A_STEP} for step, entry in leaver["steps"].items()}
    also = {
        topic: {
            "status": entry["status"],
            "objects": [{key: one[key] for key in _OF_AN_OBJECT} for one in entry["objects"]],
        }
        for topic, entry in (leaver.get("also") or {}).items()
    }
    return {**{key: leaver.get(key) for key in _OF_A_LEAVER}, "steps": steps, "also": also}
