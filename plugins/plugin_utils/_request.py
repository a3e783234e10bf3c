# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request to the role `offboard_employee`: everything that can be refused before anything is sent."""

from __future__ import annotations

import datetime
import os
import typing as t

from ..module_utils._doors import ALSO, Protocols
from ..module_utils._errors import OptionError
from ..module_utils._times import format_moment
from ._also import topics_after
from ._carried import carried
from ._chain import links
from ._containment import parse_period
from ._earlier import earlier_runs, needed, tenants
from ._exceptions import names_kinds
from ._exceptions_file import exceptions
from ._fail_on import parse_fail_on
from ._files import Load, try_out
from ._given import typed
from ._inputs import Refused
from ._leavers_file import LARGEST, decode_csv, read_csv
from ._messages import Record
from ._report import formats_of

# Taken as they are: a name or a path with a comma in it is not a list.
_RAW = ("leavers", "report_path", "exceptions", "since")


def offboarding_request(
    given: Record, sources: Record, *, spec: Record, complaints: t.Sequence[str], load: Load, purpose: str, host: str
) -> dict[str, t.Any]:
    """The role's variables, checked and typed, and what follows from them.

    :param given: the variables of the role, without `offboard_employee_`.
    :param sources: the playbook's own variables, see `typed`.
    :param spec: the role's argument specification.
    :param complaints: sentences about variables that must not be given.
    :param load: reads a file.
    :param purpose: `audit` or `offboard`.
    :param host: the name of this tenant in the inventory.
    :returns: every variable of the role, and `named`, the leavers of the list and of the file; `is_searched`;
        `residual_after`, the topics of residual access to read at the end; `is_only_since`, whether no users are requested except
        those of earlier evidence; `report_paths`; `started_at`; `earlier`, the runs to compare with, see `carried` and
        `earlier_runs`, null without `since`; `known`, the option `earlier` of `m365_user_info`; `chain`, the checksums of
        their files, see `links`; `exceptions`, see `parse_exceptions` and `carried`; `exceptions_error`, why an offboarding goes on
        without exceptions, empty if it does not; `mailbox_types`, whether types of
        mailboxes must be read; `msg`, what the file of leavers holds, empty without one; `purpose` and `host`.
    :raises Refused: with everything that is wrong.
    """
    complaints = list(complaints)
    now = datetime.datetime.now(datetime.timezone.utc)
    request = typed("offboard_employee", given, sources, spec, complaints, raw=_RAW)
    if request["batch_size"] < 1 or request["max_users"] < 0 or not request["steps"]:
        complaints.append(
            "offboard_employee_batch_size must be 1 or more, offboard_employee_max_users 0 or more, and "
            "offboard_employee_steps must name a step."
        )
    if request["fail_on_residual"] and not (request["also"] or request["residual"]):
        complaints.append(
            "offboard_employee_fail_on_residual needs offboard_employee_also or offboard_employee_residual: otherwise no "
            "residual access is read."
        )
    _checked(complaints, lambda: Protocols.parse(request["protocols"]))
    from_file, msg = _checked(complaints, lambda: _file_of_leavers(request, load)) or ([], "")
    runs = _checked(complaints, lambda: earlier_runs(request["since"], load=load, now=now)) or []
    _checked(complaints, lambda: parse_period(request["contain_within"]))
    # Exceptions never stop a lock-out: an offboarding goes on without them, and fails at its end.
    unusable: list[str] = []
    excepted = (
        _checked(unusable if purpose == "offboard" else complaints, lambda: _exceptions(request, load, now)) or []
    )
    request["fail_on"] = _checked(complaints, lambda: list(parse_fail_on(request["fail_on"])))
    paths = _paths(request["report_path"])
    _checked(complaints, lambda: _see_writable(paths))
    if complaints:
        raise Refused(" ".join(complaints))
    leavers = _names(request["leavers"])
    is_searched = bool(request["blocked"]) or any(
        str(request[one]).strip() for one in ("group", "filter", "left_before")
    )
    if request.get("allow_empty") is None:
        # A group may well be empty, a list that is given may not.
        request["allow_empty"] = is_searched and not leavers and not request["leavers_file"]
    runs = needed(runs, purpose=purpose, host=host)
    chain = links(run["file"] for run in runs if run["hosts"])
    is_compared = request["since"] not in (None, "", [], [""])
    return {
        **request,
        "purpose": purpose,
        "host": host,
        "named": [*leavers, *from_file],
        "is_searched": is_searched,
        "also": [name for name in ALSO if name in request["also"]],
        "residual_after": topics_after(request["also"], request["residual"]),
        "is_only_since": is_compared and not (is_searched or leavers or request["leavers_file"]),
        "report_paths": paths,
        "started_at": format_moment(now),
        "earlier": carried(runs, _size(runs)) if is_compared else None,
        "known": tenants(runs, purpose=purpose, host=host),
        "chain": chain,
        "exceptions": carried(excepted, len(excepted)),
        "exceptions_error": " ".join(f"No exception was applied: {one}" for one in unusable),
        # The mailbox type is read if blocked users are searched for or a kind has an exception: it separates shared mailboxes from leavers.
        "mailbox_types": bool(request["blocked"]) or names_kinds(excepted),
        "msg": msg,
    }


def _checked(complaints: list[str], check: t.Callable[[], t.Any]) -> t.Any:
    try:
        return check()
    except (OSError, ValueError, OptionError) as exc:
        complaints.append(str(exc))
        return None


def _names(leavers: t.Any) -> list[t.Any]:
    """The leavers of a list, a text or a mapping; an empty text in a list of several is refused by the module."""
    if leavers in ([""], [None]) or not str("" if leavers is None else leavers).strip() or leavers == []:
        return []
    one_by_one = list(leavers) if isinstance(leavers, (list, tuple)) else [leavers]
    return [_plain(one) for one in one_by_one]


def _plain(leaver: t.Any) -> t.Any:
    """YAML's own timestamps as text."""
    if not isinstance(leaver, t.Mapping):
        return leaver
    return {key: value.isoformat() if isinstance(value, datetime.date) else value for key, value in leaver.items()}


def _file_of_leavers(request: Record, load: Load) -> tuple[list[dict[str, str]], str]:
    path = str(request["leavers_file"])
    if not path:
        return [], ""
    content = _content("leavers_file", path, load)
    try:
        leavers = read_csv(decode_csv(content), request["leavers_column"])
    except ValueError as exc:
        raise ValueError(f"leavers_file {path}: {exc}") from None
    dated = sum(1 for one in leavers if "left_at" in one)
    rows = f"{len(leavers)} row{'' if len(leavers) == 1 else 's'}"
    return leavers, f"{path}: {rows}, {dated} of them with a date (left_at)"


def _content(variable: str, path: str, load: Load) -> bytes:
    """A file that a variable names.

    :raises ValueError: it cannot be read.
    """
    if not path.strip():
        raise ValueError(f"{variable} must be the path of a file.")
    full = os.path.realpath(os.path.expanduser(path.strip()))
    if not os.path.isfile(full):
        reason = "is not a file" if os.path.exists(full) else "does not exist"
        raise ValueError(f"{variable}: {full} {reason}.")
    try:
        return load(full, LARGEST + 1)
    except OSError as exc:
        raise ValueError(f"{variable}: {full} cannot be read: {exc.strerror}.") from None


def _exceptions(request: Record, load: Load, now: datetime.datetime) -> list[dict[str, t.Any]]:
    path = str(request["exceptions_file"])
    content = _content("exceptions_file", path, load) if path else b""
    return exceptions(request["exceptions"], path, content, today=now.date().isoformat())


def _size(runs: t.Sequence[Record]) -> int:
    return sum(len(tenant["people"]) for run in runs for tenant in run["hosts"].values())


def _paths(given: t.Any) -> list[str]:
    paths = given if isinstance(given, (list, tuple)) else [given]
    flat = [one for path in paths for one in (path if isinstance(path, (list, tuple)) else [path])]
    return list(dict.fromkeys(str(one).strip() for one in flat if one is not None and str(one).strip()))


def _see_writable(paths: t.Sequence[str]) -> None:
    formats_of(paths)
    for path in paths:
        try_out(path)
