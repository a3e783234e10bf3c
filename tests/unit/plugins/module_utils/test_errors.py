# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors: whole sentences, and never the text of an exception that is not ours."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._errors import (
    MissingLibraryError,
    OffboardingError,
    ServiceError,
    internal_error,
    shorten,
)


def test_an_error_says_what_why_and_the_request_id():
    error = OffboardingError("It failed", code="x", hint="Do that.", request_id="42")

    assert str(error) == "It failed. Do that. (request id 42)"
    assert error.as_record() == {"code": "x", "message": "It failed.", "hint": "Do that.", "request_id": "42"}


def test_an_error_is_the_reason_of_an_action_and_keeps_its_facts():
    inner = ServiceError("Forbidden.", status=503, code="c", hint="h", request_id="r")

    error = inner.with_context("Could not block jane")

    assert error.message == "Could not block jane: Forbidden."
    assert (error.code, error.hint, error.request_id, error.outcome_unknown) == ("c", "h", "r", True)


@pytest.mark.parametrize(("status", "unknown"), [(400, False), (403, False), (429, False), (500, True), (504, True)])
def test_after_a_fault_of_the_service_nobody_knows_what_was_done(status, unknown):
    assert ServiceError("x", status=status, code="c").outcome_unknown is unknown


def test_a_missing_library_names_the_interpreter_and_how_to_install_it():
    text = str(MissingLibraryError("msal", "/usr/bin/python3"))

    assert "msal is missing on /usr/bin/python3" in text
    assert "/usr/bin/python3 -m pip install" in text
    assert "ansible_python_interpreter" in text


def test_an_internal_error_is_reported_by_kind_and_place_without_its_text():
    with pytest.raises(KeyError) as caught:
        {}["the password is hunter2"]
    error = internal_error(caught.value)

    assert "KeyError at test_errors.py:" in error.message
    assert "hunter2" not in str(error)
    assert error.code == "internal"


@pytest.mark.parametrize(
    ("text", "short"), [("", ""), ("one\ntwo", "one"), ("\n", ""), ("a" * 500, "..."), ("word " * 100, "word ...")]
)
def test_a_foreign_text_is_cut_to_something_readable(text, short):
    assert shorten(text).endswith(short)
    assert len(shorten(text)) <= 240
    assert "\n" not in shorten(text)
