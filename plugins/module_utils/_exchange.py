# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exchange Online: reading and setting a mailbox's client protocols.

The only REST way to Get-CASMailbox and Set-CASMailbox is `adminapi/beta/{tenant}/InvokeCommand`, the call that
Microsoft's own PowerShell module makes. Microsoft does not document it for third parties: it may change without
notice. Only this file depends on it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import re
import sys
import typing as t
import urllib.parse
import uuid

from ._credentials import Token
from ._doors import PROTOCOLS, Mailbox
from ._errors import CredentialError, NetworkError, OffboardingError, ServiceError, shorten
from ._http import Response
from ._service import Answer, Call, Outcome, Service, error_of, mapping
from ._user_input import OBJECT_ID

# The one switch that is true when the protocol is off. Null inherits the organization's setting.
_INVERTED = "smtp_auth"

_NOT_FOUND = ("ManagementObjectNotFoundException", "ADNoSuchObjectException")
_AMBIGUOUS = "ManagementObjectAmbiguousException"
# Exchange's refusal to change what Active Directory masters.
_MASTERED_ELSEWHERE = "synchronized from your on-premises organization"
# The same in a text without a class, and the object that it names.
_NOT_FOUND_TEXT = re.compile("couldn't (find object|be found)", re.IGNORECASE)
_OBJECT = re.compile(r"\bobject:?\s*['\"\u2018\u2019\u201c\u201d]([^'\"\u2018\u2019\u201c\u201d]+)", re.IGNORECASE)
# The first name in quotes; an apostrophe within a word is not a quote.
_QUOTED = re.compile(r"(?<!\w)['\"\u2018\u201c]([^'\"\u2018\u2019\u201c\u201d]+)")
# Exceptions after which Microsoft's own client sends again, whatever the status; the last five are prefixes, seen by
# others (https://github.com/jflieben/M365Permissions, ExchangeRestClient.cs).
_TRANSIENT = (
    "DCOverloadedException",
    "SuitabilityDirectoryException",
    "ServerInMMException",
    "ADServerSettingsChangedException",
    "StorageTransientException",
    "CmdletProxyNotAvailable",
    "ServerBusy",
    "ServerTooBusy",
    "BackendCommunication",
    "OverBudget",
)
# Text in a 200's error for a temporary fault (https://github.com/cisagov/ScubaGear, EXORestHelper.psm1).
_TRANSIENT_TEXT = ("throttl", "busy", "unavailable", "try again")
# PowerShell's words for a parameter that the caller's role, or the tenant, does not have
# (https://learn.microsoft.com/powershell/exchange/find-exchange-cmdlet-permissions).
_UNKNOWN_PARAMETER = re.compile(
    r"parameter cannot be found that matches parameter name\s*['\"\u2018\u201c]?-?(\w+)", re.IGNORECASE
)
# A list with more pages than this is an error.
_MOST_PAGES = 1000


# A row of a cmdlet's output: property names in lower case, since Exchange spells them inconsistently.
Row = dict[str, t.Any]


class Exchange(Service):
    """Exchange Online's admin endpoint."""

    name = "Exchange Online"
    address_option = "exchange_url"
    batch_size = 10  # no documented limit; ten is what other clients send
    # Ten calls of some seconds each are normal: Exchange throttles by delay.
    one_by_one = True

    def url(self, call: Call, token: Token) -> str:
        return f"{self._root(token)}{call.path}"

    def headers(self, call: Call | None, token: Token) -> dict[str, str]:
        headers = {
            # A routing hint for a caller without a mailbox of its own.
            "X-AnchorMailbox": f"APP:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{self._tenant(token)}",
            "Prefer": "odata.maxpagesize=1000",
            "connection-id": self._connection_id,
            "parameter-based-routing": "true",
            "X-ResponseFormat": "json",
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

    def digest(self, body: t.Any) -> t.Any:
        """The rows as `Row`. Their names are interned: a row has dozens of properties, and thousands of rows are held at once."""
        rows = mapping(body).get("value")
        return {**body, "value": [_row(row) for row in rows]} if isinstance(rows, list) else body

    def refuses_batches(self, response: Response) -> bool:
        return response.status in (400, 404, 405, 501)

    def is_transient(self, answer: Answer) -> bool:
        """Whether an exception is temporary, or the text of a 200's error says so.

        An error about a missing object or parameter is final, whatever else its text says.
        """
        errors = _reported(answer)
        kinds = [one.kind for one in errors if one.kind] or [_kind_in_header(answer)]
        if any(kind.startswith(_TRANSIENT) or "transient" in kind.lower() for kind in kinds):
            return True
        if not 200 <= answer.status < 300 or any(_is_not_found(one) or _parameter(one.text) for one in errors):
            return False
        text = " ".join([str(error_of(answer.body).get("code")), *(one.text for one in errors)]).lower()
        return any(mark in text for mark in _TRANSIENT_TEXT) or "toomanyrequests" in text

    def is_final(self, answer: Answer) -> bool:
        """An exception of the cmdlet itself; "not found" for one comes with 404, with 400 or with 500."""
        if answer.status in (408, 429, 502, 503, 504):
            return False
        return any(one.kind or _is_not_found(one) for one in _reported(answer))

    def explain(self, answer: Answer) -> ServiceError:
        """The class and text of the first error that has them. The stack trace is not shown."""
        errors = _reported(answer)
        first = next((one for one in errors if one.kind), errors[0] if errors else _ErrorText())
        kind = first.kind or _kind_in_header(answer)
        text = shorten(first.text.rsplit("|", 1)[-1].strip()) or "no reason given"
        if kind and not first.kind:
            text = f"{kind}, {text}"
        error = ExchangeError(
            f"Exchange Online answered {answer.status}: {text}",
            status=answer.status,
            code=kind or str(error_of(answer.body).get("code") or f"http_{answer.status}"),
            hint=None if first.kind else _HINTS.get(answer.status),
            request_id=answer.request_id,
        )
        if _MASTERED_ELSEWHERE in first.text:
            error.hint = "The mailbox's owner is mastered in Active Directory: change it there."
        error.not_found_texts = tuple(one.text for one in errors if _is_not_found(one))
        # There is another exception as well, so it is not only a missing mailbox.
        if any(one.kind and not _is_not_found(one) for one in errors):
            error.not_found_texts = ()
        error.parameter = next(filter(None, (_parameter(one.text) for one in errors)), None)
        if first.kind and answer.status not in (408, 502, 503, 504):
            error.outcome_unknown = False
        error.outcome_unknown = error.outcome_unknown or self.is_transient(answer)
        return error

    def get_mailbox(self, object_id: str) -> Call:
        return _cmdlet("Get-CASMailbox", {"Identity": object_id}, writes=False)

    def set_mailbox(self, object_id: str, switches: t.Mapping[str, bool | None]) -> Call:
        """`None` resets a switch to the organization's setting; whether the endpoint accepts null is not documented."""
        parameters: dict[str, t.Any] = {"Identity": object_id}
        for protocol, on in switches.items():
            parameters[PROTOCOLS[protocol]] = (not on) if protocol == _INVERTED and on is not None else on
        return _cmdlet("Set-CASMailbox", parameters, writes=True)

    def forward(self, object_id: str, **parameters: t.Any) -> Call:
        """Set the parameters of Set-Mailbox that forward mail; `None` clears an address.

        CIPP has long sent null there, so the endpoint accepts it (Set-CIPPForwarding.ps1,
        https://github.com/KelvinTegelaar/CIPP-API).
        https://learn.microsoft.com/powershell/module/exchangepowershell/set-mailbox
        """
        return _cmdlet("Set-Mailbox", {"Identity": object_id, **parameters}, writes=True)

    def block_phone(self, object_id: str, device_id: str, blocked: bool) -> Call:
        """Block a device for this mailbox, whatever the organization allows, or remove the block.

        Other devices on the list stay: how CIPP adds to it (Set-CIPPMobileDevice.ps1).
        https://learn.microsoft.com/powershell/module/exchangepowershell/set-casmailbox
        """
        change = {"@odata.type": "#Exchange.GenericHashTable", ("add" if blocked else "remove"): device_id}
        parameters = {"Identity": object_id, "ActiveSyncBlockedDeviceIDs": change}
        return _cmdlet("Set-CASMailbox", parameters, writes=True)

    def wipe_account(self, phone: str) -> Call:
        """Instruct a phone, by the GUID of its partnership, to delete only the mailbox's data when it next connects.

        https://learn.microsoft.com/powershell/module/exchangepowershell/clear-mobiledevice
        """
        return _cmdlet("Clear-MobileDevice", {"Identity": phone, "AccountOnly": True, "Confirm": False}, writes=True)

    def switch_rule(self, object_id: str, rule: str, enabled: bool) -> Call:
        """Enable or disable an inbox rule of this mailbox by its `RuleIdentity`, which no other rule of it has.

        Without confirmation, since no user is present. https://learn.microsoft.com/powershell/module/exchangepowershell/disable-inboxrule
        """
        parameters = {"Identity": rule, "Mailbox": object_id, "Confirm": False, "Force": True}
        name = "Enable-InboxRule" if enabled else "Disable-InboxRule"
        return _cmdlet(name, parameters, writes=True, by="Mailbox")

    def read_rows(
        self, cmdlet: str, object_ids: t.Sequence[str], *, by: str = "Identity", **parameters: t.Any
    ) -> list[list[Row] | OffboardingError | None]:
        """The rows that a cmdlet returns for these users' mailboxes: `None` for a user without one.

        :param by: the parameter that names the mailbox.
        """
        calls = [_cmdlet(cmdlet, {by: object_id, **parameters}, writes=False, by=by) for object_id in object_ids]
        outcomes = zip(object_ids, self._read_all(calls), strict=True)
        return [_rows(object_id, outcome) for object_id, outcome in outcomes]

    def read_recipients(self, object_ids: t.Sequence[str]) -> list[list[Row] | OffboardingError | None]:
        """What `Get-Mailbox` returns for each of these users, one row each: `None` for a user without a mailbox.

        https://learn.microsoft.com/powershell/module/exchangepowershell/get-mailbox
        """
        calls = [_cmdlet("Get-Mailbox", {"Identity": object_id}, writes=False) for object_id in object_ids]
        outcomes = zip(object_ids, self._read_all(calls), strict=True)
        found = [_own_row(object_id, outcome) for object_id, outcome in outcomes]
        return [[row] if isinstance(row, dict) else row for row in found]

    def find_recipients(self, names: t.Sequence[str]) -> list[Row | OffboardingError | None]:
        """The recipient that each of these names matches: `None` if it matches none or several.

        :param names: as Exchange itself wrote them; none is empty.
        """
        if not all(name.strip() for name in names):
            raise ValueError("without a name, Get-Recipient lists the whole tenant")
        found = self._read_all([_call("Get-Recipient", {"Identity": name}, writes=False) for name in names])
        return [_recipient(outcome) for outcome in found]

    @functools.cached_property
    def accepted_domains(self) -> frozenset[str] | OffboardingError:
        """Read once: the accepted domains of the organization, `*.` before one that includes its subdomains.

        https://learn.microsoft.com/powershell/module/exchangepowershell/get-accepteddomain
        """
        # Called without an identity on purpose, to list all of them.
        rows = self._read_all([_call("Get-AcceptedDomain", {}, writes=False)])[0]
        if isinstance(rows, OffboardingError):
            return rows
        domains = set()
        for row in rows:
            name = row.get("domainname")
            if isinstance(name, str) and name:
                domains.add(name.lower())
                domains.update([f"*.{name.lower()}"] if row.get("matchsubdomains") is True else [])
        return frozenset(domains) or NetworkError("Exchange Online returned no accepted domain.", reached=True)

    def read_mailboxes(self, object_ids: t.Sequence[str]) -> list[Mailbox | OffboardingError | None]:
        """The mailboxes of these users: `None` for a user without one, an error if it could not be read."""
        calls = [self.get_mailbox(object_id) for object_id in object_ids]
        outcomes = zip(object_ids, self._read_all(calls), strict=True)
        return [_mailbox(object_id, outcome) for object_id, outcome in outcomes]

    def _read_all(self, calls: t.Sequence[Call]) -> list[list[Row] | OffboardingError]:
        """All rows that each cmdlet returns, page after page: the same body is POSTed again to the link to the next page.

        A list is complete or an error: a page that fails, is not a page, or links elsewhere makes it an error.
        """
        readings = [_Reading(call) for call in calls]
        while pending := [one for one in readings if one.next]:
            for one, outcome in zip(pending, self.send([t.cast("Call", one.next) for one in pending]), strict=True):
                one.take(outcome, lambda: self._root(self.token))
        return [one.error or one.found for one in readings]

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
    "a new assignment can take up to an hour to take effect.",
    403: "The application's Entra role or Exchange role group does not allow this: reading needs Global Reader or "
    "View-Only Recipients, writing Exchange Administrator or Mail Recipients. "
    "A new assignment can take up to an hour to take effect.",
}


def _cmdlet(name: str, parameters: t.Mapping[str, t.Any], *, writes: bool, by: str = "Identity") -> Call:
    # Get- without an identity lists the whole tenant: only an object ID ever gets here.
    if not OBJECT_ID.match(str(parameters.get(by) or "")):
        raise ValueError("an Exchange cmdlet needs an object ID")
    return _call(name, parameters, writes=writes)


def _call(name: str, parameters: t.Mapping[str, t.Any], *, writes: bool) -> Call:
    body = {"CmdletInput": {"CmdletName": name, "Parameters": parameters}}
    return Call("POST", "/InvokeCommand", body, writes=writes, headers={"X-CmdletName": name})


def _row(row: t.Any) -> t.Any:
    """An object as `Row`, without annotations; anything else as it is."""
    if not isinstance(row, dict):
        return row
    return {sys.intern(name.lower()): value for name, value in row.items() if "@" not in name}


class _Reading:
    """The output of a cmdlet, read page after page."""

    def __init__(self, call: Call) -> None:
        self.next: Call | None = call
        self.found: list[Row] = []
        self.error: OffboardingError | None = None
        self._seen: set[str] = set()

    def take(self, outcome: Outcome, root: t.Callable[[], str]) -> None:
        """Add a page, and set `next` to the call for the following one.

        :param root: returns the address below which a following page must be: no other host may see the token.
        """
        call, self.next = t.cast("Call", self.next), None
        if isinstance(outcome, OffboardingError):
            # A later page that is "not found" does not mean that the mailbox is: its first page was read.
            self.error = (
                outcome.with_context("Exchange Online did not return the whole list") if self._seen else outcome
            )
            return
        page = mapping(outcome.body)
        rows, link = page.get("value"), page.get("@odata.nextLink")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self.error = NetworkError("Exchange Online did not return a list.", reached=True)
            return
        self.found += rows
        if link in (None, ""):
            return
        path = _path_below(root(), link)
        if path is None:
            self.error = NetworkError(
                "Exchange Online returned a link to a next page at another address.", reached=True
            )
        elif path in self._seen or len(self._seen) == _MOST_PAGES:
            self.error = NetworkError("Exchange Online returned next pages without end.", reached=True)
        else:
            self._seen.add(path)
            self.next = dataclasses.replace(call, path=path)


def _path_below(root: str, link: t.Any) -> str | None:
    """The part of an address after `root`, `None` if it is not below `root`."""
    if not isinstance(link, str) or link[: len(root) + 1].lower() != f"{root}/".lower():
        return None
    path = link[len(root) :]
    steps = urllib.parse.unquote(path.partition("?")[0]).replace("\\", "/").split("/")
    return None if {".", ".."} & set(steps) or not path.isascii() or not path.isprintable() or " " in path else path


def _rows(object_id: str, found: list[Row] | OffboardingError) -> list[Row] | OffboardingError | None:
    """The rows that a cmdlet returned, `None` if it reports that the requested mailbox does not exist."""
    if isinstance(found, ExchangeError) and found.says_missing(object_id):
        return None
    return found


def _own_row(object_id: str, found: list[Row] | OffboardingError) -> Row | OffboardingError | None:
    """The only row, which must be about the requested mailbox."""
    rows = _rows(object_id, found)
    if not isinstance(rows, list):
        return rows
    if len(rows) != 1:
        return NetworkError("Exchange Online did not return exactly one mailbox.", reached=True)
    owner = rows[0].get("externaldirectoryobjectid")
    if not isinstance(owner, str) or not owner:
        return NetworkError("The answer of Exchange Online does not say whose mailbox it is about.", reached=True)
    if owner.lower() != object_id.lower():
        return NetworkError("Exchange Online returned a different mailbox from the one requested.", reached=True)
    return rows[0]


def _recipient(found: list[Row] | OffboardingError) -> Row | OffboardingError | None:
    if isinstance(found, OffboardingError):
        means_none = isinstance(found, ExchangeError) and (bool(found.not_found_texts) or found.code == _AMBIGUOUS)
        return None if means_none else found
    return found[0] if len(found) == 1 else None


def _mailbox(object_id: str, found: list[Row] | OffboardingError) -> Mailbox | OffboardingError | None:
    row = _own_row(object_id, found)
    if not isinstance(row, dict):
        return row
    switches = {}
    for protocol, switch in PROTOCOLS.items():
        if switch.lower() in row:
            value = row[switch.lower()]
            value = value if isinstance(value, bool) else None
            switches[protocol] = (not value) if protocol == _INVERTED and value is not None else value
    blocked = row.get("activesyncblockeddeviceids")
    listed = isinstance(blocked, list) and all(isinstance(one, str) for one in blocked)
    return Mailbox(
        switches, frozenset(one.lower() for one in blocked) if listed and isinstance(blocked, list) else None
    )


class ExchangeError(ServiceError):
    """An error of Exchange.

    `not_found_texts` are the whole texts of its errors where they say that something was not found and nothing else;
    `parameter` is the parameter of the cmdlet that this caller does not have.
    """

    not_found_texts: tuple[str, ...] = ()
    parameter: str | None = None

    def says_missing(self, object_id: str) -> bool:
        """Whether it reports that the requested object, and no other, was not found."""
        wanted = object_id.lower()
        for text in self.not_found_texts:
            # Other names may follow: a domain controller, or the user it was looked up for.
            named = _OBJECT.search(text) or _QUOTED.search(text)
            if wanted in (named.group(1) if named else text).lower():
                return True
        return False


@dataclasses.dataclass(frozen=True)
class _ErrorText:
    """One error of an answer: the name of its class without what stands before it, and its text, both may be empty."""

    kind: str = ""
    text: str = ""


def _reported(answer: Answer) -> list[_ErrorText]:
    """The errors of an answer, the most specific first. Texts are complete: classes and names can be anywhere in them.

    Seen are `error.details[].message` and each of `@adminapi.errors`, as `id|class|text`; Microsoft's client is also
    prepared for JSON with `ClassName` and `Message` there.
    """
    error = error_of(answer.body)
    details = error.get("details")
    details = details if isinstance(details, list) else [details]
    errors = [_parsed(mapping(one).get("message")) for one in details if mapping(one).get("message")]
    internal = mapping(mapping(error.get("innererror")).get("internalexception"))
    if internal:
        errors.append(_ErrorText(_class_name(internal.get("type")), str(internal.get("message") or "")))
    if error.get("message"):
        errors.append(_parsed(error["message"]))
    lower = {str(name).lower(): value for name, value in mapping(answer.body).items()}
    for name in ("error", "@odata.error"):
        if isinstance(lower.get(name), str):
            errors.append(_parsed(lower[name]))
    others = lower.get("@adminapi.errors") or []
    errors += [_parsed(one) for one in (others if isinstance(others, list) else [others])]
    errors = [one for one in errors if one.kind or one.text]
    # If a text has a class, "Error executing cmdlet" adds nothing.
    return [one for one in errors if one.kind] or errors


def _parsed(message: t.Any) -> _ErrorText:
    parsed = message
    if isinstance(message, str) and message.lstrip().startswith("{"):
        with contextlib.suppress(ValueError, RecursionError):
            parsed = json.loads(message)
    if isinstance(parsed, dict):
        lower = {str(name).lower(): value for name, value in parsed.items()}
        texts = [value for name, value in lower.items() if name == "message" or name.startswith("localizedstring")]
        text = next((one for one in [lower.get("message"), *texts] if isinstance(one, str) and one), json.dumps(parsed))
        return _ErrorText(_class_name(lower.get("classname")), text)
    text = str(message)
    parts = text.split("|")
    if len(parts) >= 3:
        return _ErrorText(_class_name(parts[1]), "|".join(parts[2:]))
    if len(parts) == 2 and _class_name(parts[0]).endswith("Exception"):
        return _ErrorText(_class_name(parts[0]), parts[1])
    return _ErrorText("", text)


def _class_name(name: t.Any) -> str:
    """The last part of a class's full name, empty if the text is not a class name."""
    last = re.split(r"[.+]", name.strip())[-1] if isinstance(name, str) else ""
    return last if re.fullmatch(r"\w{1,120}", last, re.ASCII) else ""


def _kind_in_header(answer: Answer) -> str:
    """The class of the exception when the body consists of NUL bytes."""
    return _class_name(answer.headers.get("x-exceptiontype"))


def _is_not_found(error: _ErrorText) -> bool:
    return error.kind in _NOT_FOUND or (not error.kind and bool(_NOT_FOUND_TEXT.search(error.text)))


def _parameter(text: str) -> str | None:
    found = _UNKNOWN_PARAMETER.search(text)
    return found.group(1) if found else None
