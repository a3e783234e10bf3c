# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What personnel departments and spreadsheets send."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.m365.offboarding.plugins.plugin_utils._leavers_file import read_csv as read

ANN, BOB = {"user": "ann@contoso.com", "left_at": "2026-11-20T16:00:00Z"}, {"user": "bob@contoso.com"}


@pytest.mark.parametrize(
    "text",
    [
        "user,left_at\nann@contoso.com,2026-11-20T16:00:00Z\nbob@contoso.com,\n",
        "user,left_at\nann@contoso.com,2026-11-20T16:00:00Z\nbob@contoso.com,",
        "\ufeffuser,left_at\r\nann@contoso.com,2026-11-20T16:00:00Z\r\nbob@contoso.com,\r\n",
        "user;left_at\nann@contoso.com;2026-11-20T16:00:00Z\nbob@contoso.com;\n",
        "user\tleft_at\nann@contoso.com\t2026-11-20T16:00:00Z\nbob@contoso.com\t\n",
        "\n\nUSER , Left_At\n\n ann@contoso.com , 2026-11-20T16:00:00Z \n,\n  \nbob@contoso.com,\n\n",
        "name,user,left_at,cost centre\nAnn,ann@contoso.com,2026-11-20T16:00:00Z,4711\nBob,bob@contoso.com,,\n",
        '"left_at","user"\n"2026-11-20T16:00:00Z","ann@contoso.com"\n,"bob@contoso.com"\n',
        'user,left_at,remark\nann@contoso.com,2026-11-20T16:00:00Z,"two\nlines, and ""quotes"""\nbob@contoso.com,,\n',
        'remark;user;left_at\n"a;b";ann@contoso.com;2026-11-20T16:00:00Z\n;bob@contoso.com;\n',
    ],
    ids=[
        "plain",
        "no last newline",
        "byte order mark",
        "semicolons",
        "tabs",
        "blank lines",
        "more columns",
        "quoted",
        "newlines in quotes",
        "delimiters in quotes",
    ],
)
def test_the_usual_spellings_are_understood(text):
    assert read(text) == [ANN, BOB]


def test_only_a_column_of_users_is_enough():
    assert read("user\nann@contoso.com\n\nbob@contoso.com\n") == [{"user": "ann@contoso.com"}, BOB]


def test_another_column_may_hold_the_users():
    text = "Display name,User principal name,user\nAnn,ann@contoso.com,ann\n"

    assert read(text, "user  PRINCIPAL name") == [{"user": "ann@contoso.com"}]
    with pytest.raises(ValueError, match="no column 'UPN'"):
        read(text, column="UPN")


@pytest.mark.parametrize("header", ["department", "hire_date", "contract type", "leader", "left wing", "date of birth"])
def test_other_columns_are_not_taken_for_left_at(header):
    assert read(f"user,{header}\nann@contoso.com,x\n") == [{"user": "ann@contoso.com"}]


def test_a_header_alone_names_nobody():
    assert read("user,left_at\n") == []


def test_ten_thousand_rows_are_read():
    text = "user,left_at\n" + "".join(f"leaver{number}@contoso.com,2026-11-20T16:00:00Z\n" for number in range(10_000))

    leavers = read(text)

    assert len(leavers) == 10_000
    assert leavers[-1] == {"user": "leaver9999@contoso.com", "left_at": "2026-11-20T16:00:00Z"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        ("\ufeff", "empty"),
        ("name,mail\nAnn,ann@contoso.com\n", "no column 'user'"),
        ("ann@contoso.com\nbob@contoso.com\n", "no column 'user'"),
        ("user,left_at\nann@contoso.com,\n,2026-11-20T16:00:00Z\n", "line 3"),
        ("user,remark\n,somebody\n", "line 2"),
        ("user,left_at\nann@contoso.com\n", "line 2 of the CSV has 1 cells, its first line names 2 columns"),
        ("user,name\nann@contoso.com,Doe, Ann\n", "line 2 of the CSV has 3 cells, its first line names 2 columns"),
        (
            "name,USER,user\nAnn,ann@contoso.com,bob@contoso.com\n",
            "names the column 'user' twice, as its columns 2 and 3",
        ),
        ("user,phone,Phone\nann@contoso.com,1,2\n", "names the column twice, as its columns 2 and 3"),
        ("user,left at\nann@contoso.com,2026-11-20T16:00:00Z\n", "column 2 looks like 'left_at'"),
        ("user,Last working day (UTC)\nann@contoso.com,2026-11-20T16:00:00Z\n", "column 2 looks like 'left_at'"),
        ("user,Actual termination date\nann@contoso.com,2026-11-20T16:00:00Z\n", "column 2 looks like 'left_at'"),
        ("user,leave_date\nann@contoso.com,2026-11-20T16:00:00Z\n", "column 2 looks like 'left_at'"),
        ("user,left_at,LeftAt\nann@contoso.com,,2026-11-20T16:00:00Z\n", "column 3 looks like 'left_at'"),
        (
            'user,name\nann@contoso.com,"Ann\nbob@contoso.com,Bob"\n',
            "line 2 of the CSV: a value in double quotes goes on",
        ),
        ("user\nann@contoso.com\nb\0b@contoso.com\n", "line 3 of the CSV holds a NUL"),
        ('user,remark\nann@contoso.com,"never closed\nbob@contoso.com,\n', "CSV"),
        ('user,remark\nann@contoso.com,"never closed\n' + "bob@contoso.com,\n" * 10_000, "CSV"),
    ],
    ids=[
        "empty",
        "blank",
        "only a byte order mark",
        "no such column",
        "no header",
        "no user",
        "no user 2",
        "a cell too few",
        "a cell too many",
        "two columns of users",
        "two columns of one name",
        "left at",
        "last working day within a longer name",
        "termination date within a longer name",
        "leave_date",
        "left_at and LeftAt",
        "a swallowed row",
        "a NUL",
        "open quote",
        "open quote before ten thousand rows",
    ],
)
def test_an_invalid_value_is_refused_by_line(text, complaint):
    with pytest.raises(ValueError, match="CSV") as caught:
        read(text)

    assert complaint in str(caught.value)


@settings(derandomize=True, max_examples=150, deadline=None, database=None)
@given(st.text(alphabet=st.sampled_from('user,;\t\n\r"left_at@. \x00\ufeff'), max_size=60))
@example('user\n"' + "x" * 200_000)
def test_any_text_is_read_or_refused(text):
    try:
        leavers = read(text)
    except ValueError:
        return
    assert all(leaver["user"] and set(leaver) <= {"user", "left_at"} for leaver in leavers)
