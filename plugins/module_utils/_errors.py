# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors of this collection. Each is one sentence about what failed, and a hint about what to do."""

from __future__ import annotations

import os
import textwrap
import traceback
import typing as t

# Every `error.code` that is not Microsoft's. docs/docsite/rst/troubleshooting.rst explains each; mypy and a test compare.
Code = t.Literal[
    "administrator",
    "administrators_unread",
    "ambiguous",
    "another_user",
    "bad_credential",
    "bad_option",
    "bad_protected_users",
    "before_unknown",
    "contradiction",
    "crashed",
    "deleted",
    "held_back",
    "internal",
    "last_global_administrator",
    "leave_date_unread",
    "limited_information",
    "mailbox_awaited",
    "max_users",
    "missing_library",
    "missing_permission",
    "network",
    "newer_account",
    "no_mailbox",
    "no_records",
    "not_a_name",
    "not_a_principal_name",
    "not_found",
    "not_in_evidence",
    "not_reached",
    "not_read_back",
    "not_recorded",
    "not_visible",
    "nothing_changed",
    "other_account",
    "protected",
    "recreated",
    "renamed",
    "roles_unread",
    "several_offboardings",
    "stale",
    "unusable_answer",
]
# A code from an answer of Microsoft, or `http_<status>` where the answer has none.
MicrosoftCode = t.NewType("MicrosoftCode", str)

# The hint of a failure that may have been a success. Evidence is read by it, too.
OUTCOME_UNKNOWN = "It is not known whether this was done: run again; the next run reads before it writes."

# The codes of errors about an account that may belong to a different person. Evidence is read by them, too.
NEWER_ACCOUNT: t.Final = "newer_account"
OTHER_ACCOUNT: t.Final = "other_account"
WRONG_PERSON = frozenset({NEWER_ACCOUNT, OTHER_ACCOUNT})
WHICH_ACCOUNT = "Find out which account is the right one, then use its object ID."


class OffboardingError(Exception):
    """A failure that a person can act on.

    :param message: what failed, for which user and why; one sentence, no secret, no response body.
    :param code: Microsoft's error code where there is one, otherwise one of ours (`bad_option` and the like).
    :param hint: what to do about it: the permission, role or option that is missing.
    :param request_id: Microsoft's id of the request, which its support asks for.
    :param outcome_unknown: the request may have been carried out although no answer says so.
    """

    default_code: t.ClassVar[Code] = "unusable_answer"

    def __init__(
        self,
        message: str,
        *,
        code: Code | MicrosoftCode | None = None,
        hint: str | None = None,
        request_id: str | None = None,
        outcome_unknown: bool = False,
    ) -> None:
        self.message = message if message.endswith((".", "!", "?")) else f"{message}."
        super().__init__(self.message)
        self.code: Code | MicrosoftCode = code or self.default_code
        self.hint = hint
        self.request_id = request_id
        self.outcome_unknown = outcome_unknown

    def __str__(self) -> str:
        parts = [self.message]
        if self.hint:
            parts.append(self.hint)
        if self.request_id:
            parts.append(f"(request id {self.request_id})")
        return " ".join(parts)

    def with_context(self, action: str) -> OffboardingError:
        """The same failure as the reason why `action` ("Could not block jane@contoso.com") failed."""
        return OffboardingError(
            f"{action}: {self.message}",
            code=self.code,
            hint=self.hint,
            request_id=self.request_id,
            outcome_unknown=self.outcome_unknown,
        )

    def as_record(self) -> dict[str, str | None]:
        """The `error` of a leaver's record."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "request_id": self.request_id}


class OptionError(OffboardingError):
    """The options are invalid; nothing was sent."""

    default_code: t.ClassVar[Code] = "bad_option"


class MissingLibraryError(OffboardingError):
    """A Python library is missing on the interpreter that runs the module; nothing was sent."""

    default_code: t.ClassVar[Code] = "missing_library"

    def __init__(self, library: str, interpreter: str) -> None:
        super().__init__(
            f"The Python library {library} is missing on {interpreter}, the interpreter that Ansible chose.",
            hint=f"Install it there ('{interpreter} -m pip install msal requests'), or set ansible_python_interpreter "
            "to one that has it, for example '{{ ansible_playbook_python }}'.",
        )


class CredentialError(OffboardingError):
    """Entra ID issues no token for these credentials, or they cannot be read."""

    default_code: t.ClassVar[Code] = "bad_credential"


class NetworkError(OffboardingError):
    """No usable answer arrived.

    :param reached: false if the request is known never to have left this machine, so that nothing can have happened.
    :param final: true when trying again cannot help (an untrusted certificate).
    :param late: true if the answer did not arrive in time.

    `spent` is the number of seconds that the attempt took; it is charged to the retry budget.
    """

    default_code: t.ClassVar[Code] = "network"

    def __init__(
        self, message: str, *, reached: bool, final: bool = False, late: bool = False, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, outcome_unknown=reached)
        self.reached = reached
        self.late = late
        self.final = final
        self.spent = 0.0


class ServiceError(OffboardingError):
    """Microsoft answered, and the answer is a refusal or a fault.

    :param status: the HTTP status of the answer.

    `retry_after` is the number of seconds that the answer asks us to wait, `None` if it does not.
    """

    def __init__(
        self, message: str, *, status: int, code: str, hint: str | None = None, request_id: str | None = None
    ) -> None:
        # These may come although the write was applied (https://learn.microsoft.com/graph/errors).
        unknown = status == 408 or status >= 500
        super().__init__(message, code=MicrosoftCode(code), hint=hint, request_id=request_id, outcome_unknown=unknown)
        self.status = status
        self.retry_after: float | None = None


def shorten(text: str) -> str:
    """A foreign text for one of our messages: its first line, shortened to 240 characters."""
    return textwrap.shorten(next(iter(text.splitlines()), ""), 240, placeholder=" ...")


def internal_error(exc: Exception) -> OffboardingError:
    """A bug of ours, without the exception's text and without values of variables: both may contain secrets."""
    frames = traceback.extract_tb(exc.__traceback__)
    place = " < ".join(f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in reversed(frames[-4:]))
    return OffboardingError(
        f"This is a bug in the collection: {type(exc).__name__} at {place}", code="internal", hint="Please report it."
    )
