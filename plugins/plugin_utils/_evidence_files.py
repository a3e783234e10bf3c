# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the evidence of earlier runs in files and folders, and read it."""

from __future__ import annotations

import json
import os
import re
import typing as t

from ..module_utils._doors import ALSO, STEPS
from ..module_utils._errors import shorten
from ..module_utils._foreign import clean
from ._evidence import FORMAT, VERSION
from ._files import Load, read_bytes, sha256
from ._messages import Record

_MOST_FILES = 10_000
_MOST_REPORTED = 20
_TEXT, _MAYBE_TEXT, _MAPPING, _MAYBE_MAPPING, _LIST = (str,), (str, type(None)), (dict,), (dict, type(None)), (list,)
_BOOLEAN = (bool,)
_KINDS = {str: "a text", dict: "a mapping", list: "a list", bool: "true or false", type(None): "null"}
_OF_A_RESULT = {
    "user": _TEXT,
    "id": _MAYBE_TEXT,
    "left_at": _MAYBE_TEXT,
    "status": _TEXT,
    "contained": _BOOLEAN,
    **dict.fromkeys(("open", "unconfirmed", "not_looked_at"), _LIST),
    **dict.fromkeys(("error", "since"), _MAYBE_MAPPING),
}


class Evidence(t.NamedTuple):
    """A file of evidence, and the SHA-256 of its bytes in hexadecimal digits."""

    path: str
    content: dict[str, t.Any]
    sha256: str


def in_short(sentences: t.Sequence[str]) -> str:
    """Join sentences; of many, only the first."""
    more = [f"And {len(sentences) - _MOST_REPORTED} more files."] if len(sentences) > _MOST_REPORTED else []
    return " ".join([*sentences[:_MOST_REPORTED], *more])


def _files(evidence: t.Any, variable: str, *, may_be_empty: bool = False) -> list[tuple[str, bool]]:
    """Each file once, and whether it was named itself.

    :param evidence: a path, several in a list or separated by commas or newlines; a folder means the `.json` files in it.
    :param variable: the name of the variable, for messages.
    :param may_be_empty: whether a folder without such a file is accepted.
    :raises ValueError: not paths, a folder that cannot be read, or too many files.
    """
    found: dict[str, tuple[str, bool]] = {}
    for path in _paths(evidence, variable):
        inside = _in_folder(path, may_be_empty=may_be_empty) if os.path.isdir(path) else None
        for one in [path] if inside is None else inside:
            found.setdefault(os.path.realpath(one), (one, inside is None))
    if len(found) > _MOST_FILES:
        raise ValueError(f"The evidence is {len(found)} files, more than {_MOST_FILES}: name the files to use.")
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
        raise ValueError(f"The folder {folder} contains no .json file.")
    return [os.path.join(folder, name) for name in found]


def read_each(
    evidence: t.Any, variable: str, *, may_be_empty: bool = False, whole: bool = False, load: Load | None = None
) -> t.Iterator[tuple[str, Evidence | ValueError]]:
    """The evidence in each file, or why there is none: in a folder such a file is left out.

    A named file that is not evidence is an error: its content could decide.

    :param evidence: as in `_files`, and so are `variable` and `may_be_empty`.
    :param whole: as in `read_evidence`, and so is `load`.
    :returns: pairs of a path and what is in the file.
    :raises ValueError: a named file that cannot be read or is not evidence.
    """
    for path, named in _files(evidence, variable, may_be_empty=may_be_empty):
        try:
            yield path, read_evidence(path, whole=whole, load=load)
        except ValueError as exc:
            if named:
                raise
            yield path, exc


def read_evidence(path: str, *, whole: bool = False, load: Load | None = None) -> Evidence:
    """The evidence in a file, its texts cleaned. No error quotes the content of the file.

    :param whole: whether the whole result of each leaver is required, or only the steps.
    :param load: reads the file, where it may be encrypted.
    :raises ValueError: why it is not evidence.
    """
    try:
        raw = read_bytes(path, load=load)
        content = clean(json.loads(raw.decode("utf-8-sig")))
    except OSError as exc:
        raise ValueError(f"The evidence {path} cannot be read: {exc.strerror}.") from None
    except UnicodeDecodeError:
        raise ValueError(f"The evidence {path} is not UTF-8 text.") from None
    except json.JSONDecodeError as exc:
        raise ValueError(f"The evidence {path} is not JSON: {exc.msg} in line {exc.lineno}.") from None
    except RecursionError:
        raise ValueError(f"The evidence {path} is nested too deeply.") from None
    except ValueError:
        raise ValueError(f"The evidence {path} contains a number that is too long.") from None
    try:
        _check_evidence(content, whole=whole)
    except ValueError as exc:
        raise ValueError(f"The evidence {path} cannot be used: {exc}.") from None
    return Evidence(path, content, sha256(raw))


# --- what is required. Only keys that are used are checked. ---


def _check_evidence(content: t.Any, *, whole: bool) -> None:
    """:raises ValueError: what is wrong with it. So does each of the following."""
    _check(content, "the file", {})
    if content.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}; it must be the .json report of an offboarding")
    if content.get("version") != VERSION or isinstance(content.get("version"), bool):
        raise ValueError(f"its version is not {VERSION}, the only supported version")
    times = {"written_at": _TEXT, "complete": _BOOLEAN} if whole else {}
    _check(content, "the file", {"purpose": _TEXT, "check_mode": _BOOLEAN, "hosts": _MAPPING, **times})
    for host, entry in content["hosts"].items():
        where = f"hosts[{shorten(str(host))!r}]"
        _check(entry, where, {"tenant_id": _MAYBE_TEXT, "leavers": _LIST})
        for index, leaver in enumerate(entry["leavers"]):
            _check_leaver(leaver, f"{where}.leavers[{index}]")
            if whole:
                _check_result(leaver, f"{where}.leavers[{index}]")


def _check_result(leaver: Record, where: str) -> None:
    """Check a result, without its steps."""
    _check(leaver, where, _OF_A_RESULT)
    for key in ("open", "unconfirmed", "not_looked_at"):
        if not all(isinstance(name, str) for name in leaver[key]):
            raise ValueError(f"{where}.{key} contains a value that is not text")
    # Evidence of earlier versions does not have all keys.
    since = {"id": None, "password": None, "shut_out": False, "last_known": {}, **(leaver["since"] or {})}
    kinds = {"id": _MAYBE_TEXT, "password": _MAYBE_TEXT, "shut_out": _BOOLEAN, "last_known": _MAPPING}
    _check(since, f"{where}.since", kinds)


def _check_leaver(leaver: t.Any, where: str) -> None:
    _check(leaver, where, {"user": _TEXT, "id": _MAYBE_TEXT, "user_principal_name": _MAYBE_TEXT, "steps": _MAPPING})
    _check_also(leaver, where)
    for step, entry in leaver["steps"].items():
        if step not in STEPS:
            raise ValueError(f"{where}.steps contains an unknown step")
        place = f"{where}.steps.{step}"
        _check(
            entry, place, {"status": _TEXT, "before": _MAYBE_MAPPING, "after": _MAYBE_MAPPING, "error": _MAYBE_MAPPING}
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
            raise ValueError(f"{where}.also contains an unknown step")
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
    """:raises ValueError: `holder` is not a mapping, lacks one of these keys, or has a value of another kind."""
    if not isinstance(holder, dict):
        raise ValueError(f"{where} is not a mapping")
    for key, kinds in keys.items():
        if key not in holder:
            raise ValueError(f"{where} lacks {key!r}")
        if not isinstance(holder[key], kinds):
            raise ValueError(f"{where}.{key} is not {' or '.join(_KINDS[kind] for kind in kinds)}")
