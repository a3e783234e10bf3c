# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""Exchange Online: reading and setting a mailbox's client protocols.

The only REST way to Get-CASMailbox and Set-CASMailbox is C(adminapi/beta/{tenant}/InvokeCommand), the call that
Microsoft's own PowerShell module makes. Microsoft gives third parties no contract for it: it may change without
notice. Everything that knows it is in this file.
"""

from __future__ import annotations

import functools
import typing as t
import uuid

from ._asked import OBJECT_ID
from ._credentials import Token
from ._doors import PROTOCOLS, Mailbox
from ._errors import CredentialError, NetworkError, OffboardingError, ServiceError, shorten
from ._http import Response
from ._service import Answer, Call, Outcome, Service, mapping

# The one switch that is true when the protocol is off. Null inherits the organisation's setting.
_INVERTED = "smtp_auth"

_NOT_FOUND = ("ManagementObjectNotFoundException", "ADNoSuchObjectException", "Couldn't find object")


# What a cmdlet says of one thing: Exchange's names in lower case, since it is not of one mind about them.
Row = dict[str, t.Any]


class Exchange(Service):
    """Exchange Online's admin endpoint."""

    name = "Exchange Online"
    batch_size = 10  # no documented limit; ten is what other clients send

    _connection_id = str(uuid.uuid4())

    def url(self, call: Call, token: Token) -> str:
        return f"{self._root(token)}{call.path}"

    def headers(self, call: Call | None, token: Token) -> dict[str, str]:
        headers = {
            # A routing hint for a caller without a mailbox of its own.
            "X-AnchorMailbox": f"APP:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{self._tenant(token)}",
            "Prefer": "odata.maxpagesize=1000",
            "connection-id": self._connection_id,
            "parameter-based-routing": "true",
        }
        if call is None:
            headers["Prefer"] += ";odata.continue-on-error"
        return headers

    def batch_url(self, token: Token) -> str:
        return f"{self._root(token)}/$batch"

    def envelope(self, call: Call, token: Token) -> dict[str, t.Any]:
        headers = {
            **self.headers(call, token),
            **call.headers,
            "Authorization": f"Bearer {token.value}",
            "Content-Type": "application/json",
            "client-request-id": str(uuid.uuid4()),
        }
        return {"method": call.method, "url": self.url(call, token), "headers": headers, "body": call.body}

    def refuses_batches(self, response: Response) -> bool:
        return response.status in (400, 404, 405, 501)

    def is_final(self, answer: Answer) -> bool:
        """An exception of the cmdlet itself; "not found" for one comes with 404 or with 500."""
        return answer.status != 429 and _kind(answer)[0] is not None

    def explain(self, answer: Answer) -> ServiceError:
        """The human text is what follows the last bar of C(details[0].message). The stack trace is not shown."""
        text = _text(answer)
        kind, code = _kind(answer)
        error = ServiceError(
            f"Exchange Online answered {answer.status}: {text}",
            status=answer.status,
            code=code,
            hint=_HINTS.get(answer.status if kind is None else 0),
            request_id=answer.request_id,
        )
        error.outcome_unknown = error.outcome_unknown and kind is None
        return error

    def get_mailbox(self, object_id: str) -> Call:
        return _cmdlet("Get-CASMailbox", {"Identity": object_id}, writes=False)

    def set_mailbox(self, object_id: str, switches: t.Mapping[str, bool | None]) -> Call:
        """C(None) gives a switch back to the organisation; nothing says that the endpoint takes a null."""
        parameters: dict[str, t.Any] = {"Identity": object_id}
        for protocol, on in switches.items():
            parameters[PROTOCOLS[protocol]] = (not on) if protocol == _INVERTED and on is not None else on
        return _cmdlet("Set-CASMailbox", parameters, writes=True)

    def read_rows(
        self, cmdlet: str, object_ids: t.Sequence[str], *, by: str = "Identity"
    ) -> list[list[Row] | OffboardingError | None]:
        """What a cmdlet says of these users' mailboxes: C(None) for who has none.

        :param by: the parameter that names the mailbox.
        """
        calls = [_cmdlet(cmdlet, {by: object_id}, writes=False, by=by) for object_id in object_ids]
        return [_all_rows(outcome) for outcome in self.send(calls)]

    def read_recipients(self, object_ids: t.Sequence[str]) -> list[list[Row] | OffboardingError | None]:
        """What Get-Mailbox says of each of these users, one row each: C(None) for who has no mailbox.

        https://learn.microsoft.com/powershell/module/exchangepowershell/get-mailbox
        """
        calls = [_cmdlet("Get-Mailbox", {"Identity": object_id}, writes=False) for object_id in object_ids]
        outcomes = zip(object_ids, self.send(calls), strict=True)
        found = [_own_row(object_id, outcome) for object_id, outcome in outcomes]
        return [[row] if isinstance(row, dict) else row for row in found]

    @functools.cached_property
    def accepted_domains(self) -> frozenset[str] | OffboardingError:
        """Asked for once: the domains whose mail is the organisation's own, C(*.) before one that brings its subdomains.

        https://learn.microsoft.com/powershell/module/exchangepowershell/get-accepteddomain
        """
        # Asked without an identity on purpose: all of them are meant.
        rows = _rows(self.send([_call("Get-AcceptedDomain", {}, writes=False)])[0])
        if isinstance(rows, OffboardingError):
            return rows
        domains = set()
        for row in rows or ():
            name = row.get("domainname")
            if isinstance(name, str) and name:
                domains.add(name.lower())
                domains.update([f"*.{name.lower()}"] if row.get("matchsubdomains") is True else [])
        return frozenset(domains) or NetworkError("Exchange Online did not name a single domain.", reached=True)

    def read_mailboxes(self, object_ids: t.Sequence[str]) -> list[Mailbox | OffboardingError | None]:
        """The mailboxes of these users: C(None) for who has none, an error for who could not be read."""
        calls = [self.get_mailbox(object_id) for object_id in object_ids]
        return [_mailbox(object_id, outcome) for object_id, outcome in zip(object_ids, self.send(calls), strict=True)]

    def _tenant(self, token: Token) -> str:
        if not token.tenant_id:
            raise CredentialError(
                "The Exchange Online token does not say which tenant it is for (claim tid).",
                hint="Give a token that Entra ID issued for Exchange Online.",
            )
        return token.tenant_id

    def _root(self, token: Token) -> str:
        return f"{self.base_url}/adminapi/beta/{self._tenant(token)}"


_HINTS = {
    401: "The application needs Exchange.ManageAsApp with an administrator's consent, and an Exchange role; "
    "a fresh grant takes up to an hour to count.",
    403: "The application's Entra role or Exchange role group does not allow this: reading needs Global Reader or "
    "View-Only Recipients, writing Exchange Administrator or Mail Recipients. "
    "A fresh grant takes up to an hour to count.",
}


def _cmdlet(name: str, parameters: t.Mapping[str, t.Any], *, writes: bool, by: str = "Identity") -> Call:
    # Get- without an identity lists the whole tenant: only an object id ever gets here.
    if not OBJECT_ID.match(str(parameters.get(by) or "")):
        raise ValueError("an Exchange cmdlet needs an object id")
    return _call(name, parameters, writes=writes)


def _call(name: str, parameters: t.Mapping[str, t.Any], *, writes: bool) -> Call:
    body = {"CmdletInput": {"CmdletName": name, "Parameters": parameters}}
    return Call("POST", "/InvokeCommand", body, writes=writes, headers={"X-CmdletName": name})


def _rows(outcome: Outcome) -> list[Row] | OffboardingError | None:
    """The rows that a cmdlet gave, C(None) when it says that there is no such mailbox."""
    if not isinstance(outcome, Answer):
        missing = any(mark in f"{outcome.code} {outcome}" for mark in _NOT_FOUND)
        return None if isinstance(outcome, ServiceError) and missing else outcome
    rows = mapping(outcome.body).get("value")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return NetworkError("Exchange Online did not answer with a list.", reached=True)
    return [{str(key).lower(): value for key, value in row.items() if "@" not in str(key)} for row in rows]


def _all_rows(outcome: Outcome) -> list[Row] | OffboardingError | None:
    """As R(_rows), but a first page of several is an error: nothing says how the next one is to be fetched."""
    if isinstance(outcome, Answer) and mapping(outcome.body).get("@odata.nextLink"):
        return NetworkError("Exchange Online has more to say than fits on one page.", reached=True)
    return _rows(outcome)


def _own_row(object_id: str, outcome: Outcome) -> Row | OffboardingError | None:
    """The only row, which must be about the mailbox that was asked for."""
    rows = _rows(outcome)
    if not isinstance(rows, list):
        return rows
    if len(rows) != 1:
        return NetworkError("Exchange Online did not answer with exactly one mailbox.", reached=True)
    owner = rows[0].get("externaldirectoryobjectid")
    if owner and str(owner).lower() != object_id.lower():
        return NetworkError("Exchange Online answered for another mailbox than the one asked for.", reached=True)
    return rows[0]


def _mailbox(object_id: str, outcome: Outcome) -> Mailbox | OffboardingError | None:
    row = _own_row(object_id, outcome)
    if not isinstance(row, dict):
        return row
    switches = {}
    for protocol, switch in PROTOCOLS.items():
        if switch.lower() in row:
            value = row[switch.lower()]
            value = value if isinstance(value, bool) else None
            switches[protocol] = (not value) if protocol == _INVERTED and value is not None else value
    return Mailbox(switches)


def _details(answer: Answer) -> tuple[dict[str, t.Any], str]:
    error = mapping(mapping(answer.body).get("error"))
    details = error.get("details")
    first = mapping(details[0]) if isinstance(details, list) and details else {}
    return error, str(first.get("message") or "")


def _kind(answer: Answer) -> tuple[str | None, str]:
    """The exception class that Exchange names, if any, and the code for the record."""
    error, detail = _details(answer)
    kind = detail.split("|")[1].rsplit(".", 1)[-1] if detail.count("|") >= 2 else None
    return kind, kind or str(error.get("code") or f"http_{answer.status}")


def _text(answer: Answer) -> str:
    error, detail = _details(answer)
    internal = mapping(mapping(error.get("innererror")).get("internalexception"))
    text = detail.rsplit("|", 1)[-1].strip() or internal.get("message") or error.get("message") or "no reason given"
    return shorten(str(text))
