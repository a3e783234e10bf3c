# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that evidence is unchanged: a checksum beside each file, and the checksum of the earlier evidence in the next.

Anyone who can replace every file and every checksum can replace the chain. A checksum that is kept elsewhere (the log of a job, the
artifacts of AWX) shows that, see `expected` of `verify`.
"""

from __future__ import annotations

import json
import os
import re
import typing as t

from ..module_utils._errors import shorten
from ..module_utils._foreign import clean, one_line
from ._evidence import FORMAT
from ._files import SUFFIX, read_bytes, sha256

# Reports. Other files of a folder are ignored.
_REPORTS = (".json", ".html", ".csv", ".xml")
_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE | re.ASCII)
# As sha256sum writes it: a backslash first where the name is escaped, then a blank, and a blank or an asterisk.
_LINE = re.compile(r"(\\?)([0-9a-f]{64}) [ *](.+)", re.IGNORECASE | re.ASCII)
# A checksum is one line.
_LONGEST_SUM = 64 * 1024
_PROBLEMS = ("changed", "missing", "unlisted", "broken", "unreadable", "lost")


def links(paths: t.Iterable[str]) -> list[dict[str, str]]:
    """What a run records about the earlier evidence it was given: `file` (the name without folders) and `sha256`.

    :raises ValueError: a file that cannot be read.
    """
    reported = []
    for path in paths:
        try:
            content = read_bytes(os.path.expanduser(path))
        except OSError as exc:
            raise ValueError(f"The earlier evidence {path} cannot be read: {exc.strerror}.") from None
        reported.append({"file": one_line(clean(os.path.basename(path))), "sha256": sha256(content)})
    return reported


def verify(folder: str, expected: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """Compare the reports below a folder with their checksums, and follow the chain.

    :param expected: checksums that were kept elsewhere. A file of each must be there.
    :returns: `checked`, how many reports there are; `newest`, the name and checksum of each evidence file that no other one
        names; and lists of sentences: `changed` (a file is not as its checksum says), `missing` (a file that a
        checksum or later evidence names is not there), `unlisted` (a file without a checksum), `broken` (a file is not the
        one that later evidence names), `unreadable`, `lost` (nothing has an expected checksum) and `incomplete` (the run
        was killed; not a problem of the chain).
    :raises ValueError: not a folder, a folder that cannot be read, or a checksum in `expected` that is not one.
    """
    wanted = [str(one).strip().lower() for one in expected]
    for one in wanted:
        if not _SHA256.fullmatch(one):
            raise ValueError(f"{shorten(one)!r} is not a SHA-256 checksum, which has 64 hexadecimal digits.")
    reports, sums = _found(folder)
    reported: dict[str, list[str]] = {name: [] for name in (*_PROBLEMS, "incomplete")}
    digests, references = {}, []
    for name in reports:
        try:
            content = read_bytes(os.path.join(folder, name))
        except OSError as exc:
            reported["unreadable"].append(f"{name} cannot be read: {exc.strerror}.")
            continue
        digests[name] = sha256(content)
        if name.lower().endswith(".json"):
            found, complete = _links_in(content)
            references += [(name, link) for link in found]
            if not complete:
                reported["incomplete"].append(f"{name} belongs to a run that was still in progress or was killed.")
    for name in reports:
        if name + SUFFIX not in sums:
            reported["unlisted"].append(f"{name} has no checksum beside it.")
    for name in sums:
        _verify_sum(folder, name, digests, reports, reported)
    _verify_links(references, digests, reported)
    for one in wanted:
        if one not in digests.values():
            reported["lost"].append(f"No file has the checksum {one}.")
    named = {link["sha256"] for _name, link in references}
    newest = {name: one for name, one in digests.items() if name.lower().endswith(".json") and one not in named}
    return {"checked": len(reports), "newest": newest, **reported}


def problems(reported: t.Mapping[str, t.Any]) -> list[str]:
    """Why a check has failed, a sentence for each file, empty if it passed. A folder without evidence proves nothing."""
    found = [sentence for name in _PROBLEMS for sentence in reported[name]]
    return found if reported["checked"] or found else [_nobody()]


def _nobody() -> str:
    return "There is no report in the folder: nothing was checked."


def in_one_line(reported: t.Mapping[str, t.Any]) -> str:
    """The message of a check that passed, with the checksums to keep elsewhere."""
    count = reported["checked"]
    newest = "; ".join(f"{name}, SHA-256 {digest}" for name, digest in list(reported["newest"].items())[-3:])
    kept = f" The newest evidence: {newest}." if newest else ""
    return f"{count} report{' is as it was' if count == 1 else 's are as they were'} written.{kept}"


def _found(folder: str) -> tuple[list[str], list[str]]:
    """The reports and the checksums below a folder, by their paths within it; hidden files are drafts."""
    if not folder or not os.path.isdir(folder):
        raise ValueError(f"The folder {folder} cannot be checked: it is not a folder.")
    names: list[str] = []

    def stop(exc: OSError) -> None:
        raise ValueError(f"The folder {exc.filename} cannot be checked: {exc.strerror}.") from None

    for place, folders, files in os.walk(folder, onerror=stop):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        names += [os.path.relpath(os.path.join(place, one), folder) for one in files if not one.startswith(".")]
    reports = sorted(name for name in names if name.lower().endswith(_REPORTS))
    return reports, sorted(name for name in names if name.lower().endswith(tuple(one + SUFFIX for one in _REPORTS)))


def _verify_sum(
    folder: str, name: str, digests: t.Mapping[str, str], reports: t.Container[str], reported: t.Mapping[str, list[str]]
) -> None:
    """Compare one checksum with the file that it stands beside."""
    of = name.removesuffix(SUFFIX)
    try:
        text = os.fsdecode(read_bytes(os.path.join(folder, name), _LONGEST_SUM))
    except OSError as exc:
        reported["unreadable"].append(f"{name} cannot be read: {exc.strerror}.")
        return
    match = _LINE.fullmatch(text.strip("\r\n"))
    if not match or _unescaped(match) != os.path.basename(of):
        reported["changed"].append(f"{name} is not the checksum of {os.path.basename(of)}.")
    elif of not in reports:
        reported["missing"].append(f"{of} is missing, but its checksum file exists.")
    elif of in digests and digests[of] != match[2].lower():
        reported["changed"].append(f"{of} has changed since it was written: its checksum differs.")


def _unescaped(match: re.Match[str]) -> str:
    if not match[1]:
        return match[3]
    return re.sub(r"\\(.)", lambda one: {"n": "\n", "r": "\r"}.get(one[1], one[1]), match[3])


def _verify_links(
    references: t.Iterable[tuple[str, t.Mapping[str, str]]],
    digests: t.Mapping[str, str],
    reported: t.Mapping[str, list[str]],
) -> None:
    """Find each file that later evidence names, by its checksum, under whatever name it has now."""
    names = {os.path.basename(name) for name in digests}
    for name, link in references:
        if link["sha256"] in digests.values():
            continue
        if link["file"] in names:
            reported["broken"].append(
                f"{link['file']} is not the file that {name} was compared with: it was changed since."
            )
        else:
            reported["missing"].append(f"{link['file']} is missing, but {name} was compared with it.")


def _links_in(content: bytes) -> tuple[list[dict[str, str]], bool]:
    """The links of evidence to earlier evidence, and whether its run was completed. Other files have no links."""
    try:
        evidence = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return [], True
    if not isinstance(evidence, dict) or evidence.get("format") != FORMAT:
        return [], True
    chain = evidence.get("chain")
    links_ = [
        {"file": one_line(clean(str(link.get("file")))), "sha256": str(link.get("sha256")).lower()}
        for link in (chain if isinstance(chain, list) else [])
        if isinstance(link, dict)
    ]
    return links_, evidence.get("complete") is not False
