# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leavers from a CSV file.

An ambiguous list is refused with the line number. No message contains a cell of the file: the path may
lead to anything, even to a file of secrets.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import re
import typing as t

USER = "user"
LEFT_AT = "left_at"
# A list of 100,000 leavers takes less.
LARGEST = 32 * 1024 * 1024
# UTF-32 comes first, because its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, None),
    (codecs.BOM_UTF32_BE, None),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Names that HR departments use for the date. Only letters are compared, in lower case.
_LIKE_LEFT_AT = """
left leftat leftby leftdate leftdatetime leftdtm lefton lefttime dateleft
leave leaveat leavedate leavedatetime leaveon leavetime leaver leaverdate leaves leavesat leaveson dateofleaving
leaving leavingat leavingdate leavingdatetime leavingon leavingtime employeeleavedatetime employeeleavedate
exit exitat exitdate exitdatetime exiton lastday lastdate lastdayofwork lastdayworked lastworkday lastworkingday
lastworkingdate end endat enddate enddatetime endon endtime endson enddateofemployment employmentend employmentenddate
contractend contractenddate termination terminationat terminationdate terminationdatetime terminated terminatedat
terminatedon termdate datetermination dateofexit dateofdeparture endofemployment endofcontract departs departure
departureat departuredate departuretime
departed departedat departson outat outon offboardat offboarddate offboarding offboardingat offboardingdate
separationdate resignationdate dismissed dismissedat dismissaldate quitdate validuntil validto until effectivedate
austritt austrittsdatum austrittam letzterarbeitstag datededepart datedesortie
"""
# Names with "date" or "day" are also recognized within a longer name ("Termination date (UTC)").
_TELLING_WORDS = tuple(word for word in _LIKE_LEFT_AT.split() if len(word) >= 7 and re.search(r"date|day|datum", word))
# Something that names a user, as in a row that an open quote has swallowed.
_NAME = re.compile(r"@|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-")
_SAVE_AS = "save the file as CSV UTF-8"


def decode_csv(content: bytes) -> str:
    """The text of a CSV file: UTF-8, or UTF-16 with its byte order mark, as Excel's "Unicode text" has it.

    :raises ValueError: the file is too large, or has another encoding; the message names the line.
    """
    if len(content) > LARGEST:
        raise ValueError(f"the file is larger than {LARGEST // 1024 // 1024} MiB; it is not a list of leavers")
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    if encoding is None:
        raise ValueError(f"the CSV is in UTF-32: {_SAVE_AS}")
    try:
        return content.decode(encoding).lstrip("\ufeff")
    except UnicodeDecodeError as exc:
        if encoding == "utf-16":
            raise ValueError(f"the CSV begins as UTF-16 and cannot be read as such: {_SAVE_AS}") from None
        line = content.count(b"\n", 0, exc.start) + 1
        raise ValueError(f"line {line} of the CSV is not UTF-8: {_SAVE_AS}") from None


def read_csv(text: str, column: str = USER) -> list[dict[str, str]]:
    """The leavers of a CSV, each as ``{"user": ..., "left_at": ...}``, the latter where the row has it.

    The first line that is not blank names the columns. `column` and, if it is there, ``left_at`` are read, in any case of
    letters; the others are ignored. Excel's byte order mark, semicolons, tabs and blank lines are understood.

    :param column: the name of the column that holds the users.
    :raises ValueError: a column that is missing, doubled or looks like ``left_at``; a row with more or fewer cells than
        the first line, but for empty cells at its end; a row without a user.
    """
    wanted = _folded(column) or USER
    text = text.lstrip("\ufeff")
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    if "\0" in text:
        # Python before 3.11 cannot split such a line.
        _columns(first.replace("\0", delimiter).split(delimiter), wanted, column, 1)
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ValueError(f"line {line} of the CSV holds a NUL character: {_SAVE_AS}")
    columns: list[str] = []
    leavers = []
    for line, row in _rows(text, delimiter):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if not columns:
            columns = _columns(cells, wanted, column, line)
            continue
        if any(_NAME.search(cell.partition("\n")[2]) for cell in cells):
            raise ValueError(
                f"line {line} of the CSV: a value in double quotes goes on in the next line, and names a user there: "
                "a double quote is missing, or is one too many"
            )
        named = dict(zip(columns, _fitting(cells, len(columns), line), strict=True))
        if not named[wanted]:
            raise ValueError(f"line {line} of the CSV names no user")
        leavers.append({USER: named[wanted], **({LEFT_AT: named[LEFT_AT]} if named.get(LEFT_AT) else {})})
    if not columns:
        raise ValueError(f"the CSV is empty; its first line must name the column {column!r}")
    return leavers


def _columns(cells: t.Sequence[str], wanted: str, column: str, line: int) -> list[str]:
    columns = [_folded(cell) for cell in cells]
    while len(columns) > 1 and not columns[-1]:
        columns.pop()
    if wanted not in columns:
        # The content is not repeated: it may be a file of secrets.
        raise ValueError(
            f"the CSV has no column {column!r}; its first line must name it, or leavers_column must name the column "
            "that holds the users"
        )
    for number, name in enumerate(columns, 1):
        first = columns.index(name) + 1
        if name and first != number:
            which = f" {name!r}" if name in (wanted, LEFT_AT) else ""
            raise ValueError(
                f"line {line} of the CSV names the column{which} twice, as its columns {first} and {number}: "
                "keep one of them, or rename the other"
            )
    for number, name in enumerate(columns, 1):
        if name not in (wanted, LEFT_AT) and _looks_like_left_at(name, also=LEFT_AT not in columns):
            raise ValueError(
                f"line {line} of the CSV: the name of column {number} looks like 'left_at' and is not: call it "
                "'left_at' if it says from when they must be out, otherwise remove the column"
            )
    return columns


def _fitting(cells: list[str], width: int, line: int) -> list[str]:
    """The cells of a row, as many as there are columns: empty ones at the end of a row mean nothing."""
    count = len(cells)
    while count > width and not cells[count - 1]:
        count -= 1
    if count != width:
        raise ValueError(
            f"line {line} of the CSV has {count} cells, its first line names {width} columns: put a value that holds the "
            "delimiter in double quotes, and give each row all its cells"
        )
    return cells[:width]


def _looks_like_left_at(name: str, *, also: bool) -> bool:
    """Whether a column's name is a spelling of ``left_at`` or, with `also`, another word for it."""
    letters = re.sub(r"[\W\d_]+", "", name)
    if difflib.SequenceMatcher(None, letters, "leftat").ratio() >= 0.8:
        return True
    return also and (
        letters in _LIKE_LEFT_AT.split()
        or any(word in letters for word in _TELLING_WORDS)
        or bool(difflib.get_close_matches(letters, ["leavedate", "leavingdate"], cutoff=0.8))
    )


def _folded(name: str) -> str:
    return " ".join(name.split()).lower()


def _rows(text: str, delimiter: str) -> t.Iterator[tuple[int, list[str]]]:
    """Each row with the number of the line that it begins in."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in rows:
            yield line, row
            line = rows.line_num + 1
    except csv.Error as exc:
        # Python's own message contains no content of the file.
        raise ValueError(f"line {line} of the CSV cannot be read: {exc}") from None
