# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors as the Exchange admin interface writes them.

Sources: public reports of the answers of `InvokeCommand`, and CIPP, which reads `error.details[0].message`
(`id|exception class|text`), then `innererror.internalexception`, then `error.message`.
"""

from __future__ import annotations

import json
from typing import Any

from .wire import Answer

_TASKS = "Microsoft.Exchange.Configuration.Tasks"
_ODATA = "Microsoft.Exchange.Admin.OData.Core.ODataServiceException"
SERVER = "AM0PR01A002DC01.EURPR01A002.PROD.OUTLOOK.COM"
NO_WARNINGS: dict[str, Any] = {"adminapi.warnings@odata.type": "#Collection(String)", "@adminapi.warnings": []}


class ExchangeError(Exception):
    """An error answer with a body."""

    def __init__(self, status: int, code: str, identifier: str, kind: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.identifier, self.kind, self.text = status, code, identifier, kind, text

    def body(self) -> dict[str, Any]:
        stack = "   at Microsoft.Exchange.Admin.OData.Core.Controller.InvokeCommand()\r\n   at (left out)"
        return {
            "error": {
                "code": self.code,
                "message": "Error executing cmdlet",
                "details": [{"code": "Client", "target": "", "message": f"{self.identifier}|{self.kind}|{self.text}"}],
                "innererror": {
                    "message": "Error executing cmdlet",
                    "type": _ODATA,
                    "stacktrace": stack,
                    "internalexception": {"message": self.text, "type": self.kind, "stacktrace": stack},
                },
            },
            **NO_WARNINGS,
        }


# Exceptions after which a caller may send again, whatever the status: Microsoft's client does, and others saw the last ones
# with 400 (a port of that client; M365Permissions, ExchangeRestClient.cs).
TRANSIENT = (
    "Microsoft.Exchange.Data.Directory.DCOverloadedException",
    "Microsoft.Exchange.Data.Directory.SuitabilityDirectoryException",
    "Microsoft.Exchange.Data.Directory.ServerInMMException",
    "Microsoft.Exchange.Data.Directory.ADServerSettingsChangedException",
    "Microsoft.Exchange.Data.Storage.StorageTransientException",
    "CmdletProxyNotAvailableFailure",
    "Microsoft.Exchange.Server.ServerBusyException",
    "Microsoft.Exchange.BackendCommunicationException",
)
# The shapes in which an error travels.
SHAPES = ("details", "without id", "json", "odata", "adminapi")


def error_body(kind: str, text: str, shape: str = "details") -> dict[str, Any]:
    """The body of an error, for a fault: any of these may also come with 200 (ScubaGear, CIPP, a port of Microsoft's client)."""
    reported = f"Ex0A1B2C|{kind}|{text}"
    if shape == "adminapi":
        return {"@adminapi.errors": [reported], "value": []}
    if shape == "without id":
        reported = f"|{kind}|{text}"
    elif shape == "json":
        reported = json.dumps({"localizedString": text, "ClassName": kind, "Message": text})
    error = {
        "code": "BadRequest",
        "message": "Error executing cmdlet",
        "details": [{"code": "Client", "message": reported}],
    }
    return {"@odata.error" if shape == "odata" else "error": error}


class BareRefusal(Exception):
    """An answer without a readable body: empty, or NUL bytes that say they are gzip."""

    def __init__(self, status: int, *, nul: bool = False, headers: dict[str, str] | None = None) -> None:
        super().__init__(str(status))
        self.status, self.nul, self.headers = status, nul, headers or {}

    def answer(self) -> Answer:
        if not self.nul:
            return Answer(self.status, raw=b"", headers=dict(self.headers))
        return Answer(
            self.status,
            raw=bytes(47),
            headers={
                "Content-Type": "application/json",
                "Content-Encoding": "gzip",
                "X-ExceptionType": f"{_TASKS}.CmdletAccessDeniedException",
                **self.headers,
            },
        )


def not_found(identity: str, status: int, text: str) -> ExchangeError:
    """Both texts occur (Learn Q&A 1405929; a test of CIPP), and both statuses."""
    code = "NotFound" if status == 404 else "InternalServerError"
    kind = f"{_TASKS}.ManagementObjectNotFoundException"
    if text == "ex41baf5":
        return ExchangeError(status, code, "Ex41BAF5", kind, "The specified mailbox doesn't exist.")
    message = f"The operation couldn't be performed because object '{identity}' couldn't be found on '{SERVER}'."
    return ExchangeError(status, code, "Ex6F9304", kind, message)


def ambiguous(identity: str) -> ExchangeError:
    kind = f"{_TASKS}.ManagementObjectAmbiguousException"
    message = f"The operation couldn't be performed because object: '{identity}' matches multiple entries."
    return ExchangeError(400, "BadRequest", "Ex9E65A2", kind, message)


def unknown_parameter(name: str) -> ExchangeError:
    kind = "System.Management.Automation.AmbiguousParameterSetException"
    message = (
        "Parameter set cannot be resolved using the specified named parameters. Invalid cmdlet parameters specified. "
        + name
    )
    return ExchangeError(400, "BadRequest", "", kind, message)


def missing_parameter(name: str) -> ExchangeError:
    """A parameter that the caller's role or the tenant does not have is one that there is not."""
    kind = "System.Management.Automation.ParameterBindingException"
    message = f"A parameter cannot be found that matches parameter name '{name}'."
    return ExchangeError(400, "BadRequest", "", kind, message)


def bad_value(name: str, wanted: str) -> ExchangeError:
    kind = (
        "System.Management.Automation.ParameterBindingArgumentTransformationException.ParameterTransformationException"
    )
    message = (
        f"Cannot process argument transformation on parameter '{name}'. Cannot convert the value to type \"{wanted}\"."
    )
    return ExchangeError(400, "BadRequest", "", kind, message)


def null_value(name: str, wanted: str) -> ExchangeError:
    """Null for a parameter that may be null: what PowerShell would say of a value it cannot bind."""
    kind = (
        "System.Management.Automation.ParameterBindingArgumentTransformationException.ParameterTransformationException"
    )
    message = f"Cannot process argument transformation on parameter '{name}'. Cannot convert null to type \"{wanted}\"."
    return ExchangeError(400, "BadRequest", "", kind, message)


def on_premises(identity: str, cmdlet: str, names: list[str]) -> ExchangeError:
    """A property that Active Directory masters; text seen in many reports, its class is a guess."""
    kind = "Microsoft.Exchange.Configuration.Tasks.TaskInvalidOperationException"
    message = (
        f"The operation on mailbox \"{identity}\" failed because it's out of the current user's write scope. The action "
        f"'{cmdlet}', '{','.join(names)}', can't be performed on the object '{identity}' because the object is being "
        "synchronized from your on-premises organization. This action should be performed on the object in your "
        "on-premises organization."
    )
    return ExchangeError(400, "BadRequest", "Ex8EDDB9", kind, message)


def too_old_for_account_wipe(device: str) -> ExchangeError:
    """That there is such an error is documented, its words are not."""
    kind = "Microsoft.Exchange.Configuration.Tasks.TaskInvalidOperationException"
    return ExchangeError(
        400, "BadRequest", "", kind, f"The device '{device}' doesn't support an account only remote wipe."
    )


def missing_identity() -> ExchangeError:
    kind = "System.Management.Automation.ParameterBindingException"
    message = "Cannot bind argument to parameter 'Identity' because it is null or an empty string."
    return ExchangeError(400, "BadRequest", "", kind, message)


def bad_request(text: str) -> ExchangeError:
    return ExchangeError(400, "BadRequest", "", _ODATA, text)
