# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all modules share, wherever they run: options, the outermost error handler, the result."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible.module_utils.errors import AnsibleFallbackNotFound

from ._clouds import CLOUDS, endpoints
from ._credentials import TokenSource, choose_credential, first_set
from ._errors import OffboardingError, OptionError, internal_error
from ._exchange import Exchange
from ._graph import Graph
from ._guards import PROTECTED_VARIABLE, protected_entries
from ._http import PatientTokenHttp, Transport, proxy_secrets
from ._records import summary
from ._steps import Step, run_step
from ._tenant import Tenant
from ._user_input import RequestedUser, parse_left_at, parse_users


def _from_environment(*names: str) -> str:
    """A fallback like Ansible's own `env_fallback`, but an empty variable is ignored."""
    value = first_set(os.environ, names)
    if value is None:
        raise AnsibleFallbackNotFound
    return value


def _environment(*names: str) -> tuple[t.Callable[..., str], list[str]]:
    return _from_environment, list(names)


# The option of every module that writes to existing accounts.
ALLOW_ADMINS: dict[str, t.Any] = {"type": "bool", "default": False}


def argument_spec(**own: t.Any) -> dict[str, t.Any]:
    """The options of every module, and a module's `own`.

    Credentials have no fallback here: options beat the environment as a group, which `choose_credential` decides.
    """
    return {
        "users": {"type": "list", "elements": "raw", "required": True, "aliases": ["user"]},
        "tenant_id": {"type": "str", "fallback": _environment("AZURE_TENANT_ID", "AZURE_TENANT")},
        "client_id": {"type": "str", "fallback": _environment("AZURE_CLIENT_ID")},
        "client_secret": {"type": "str", "no_log": True},
        "certificate_path": {"type": "path"},
        "certificate_password": {"type": "str", "no_log": True},
        "federated_token_file": {"type": "path"},
        "managed_identity": {"type": "bool"},
        "access_token": {"type": "str", "no_log": True},
        "exchange_access_token": {"type": "str", "no_log": True},
        "cloud": {"type": "str", "choices": list(CLOUDS), "default": "public", "fallback": _environment("M365_CLOUD")},
        "authority_url": {"type": "str", "fallback": _environment("M365_AUTHORITY_URL")},
        "graph_url": {"type": "str", "fallback": _environment("M365_GRAPH_URL")},
        "exchange_url": {"type": "str", "fallback": _environment("M365_EXCHANGE_URL")},
        "validate_certs": {"type": "bool", "default": True, "fallback": _environment("M365_VALIDATE_CERTS")},
        "ca_path": {"type": "path", "fallback": _environment("M365_CA_PATH")},
        # Its user name and password must not be shown, not even when other options are refused.
        "proxy": {"type": "str", "no_log": True, "fallback": _environment("M365_PROXY")},
        "timeout": {"type": "float", "default": 30, "fallback": _environment("M365_TIMEOUT")},
        "retry_timeout": {"type": "float", "default": 300, "fallback": _environment("M365_RETRY_TIMEOUT")},
        "verify_timeout": {"type": "float", "default": 30, "fallback": _environment("M365_VERIFY_TIMEOUT")},
        "protected_users": {"type": "list", "elements": "raw", "default": []},
        **own,
    }


class Run:
    """One run of a module: its options and its tenant. Creating it sends nothing.

    Its host (`run_module`, or the action plugin) adds `warnings` to the result, and masks `secrets` in both.

    :param params: the options by name, validated, each of them present.
    """

    def __init__(self, params: dict[str, t.Any], *, check_mode: bool) -> None:
        self.params = params
        self.check_mode = check_mode
        self.warnings: list[str] = []
        self.secrets: set[str] = set()
        # Keys of a module's result in addition to the records.
        self.facts: dict[str, t.Any] = {}
        self._tenant: Tenant | None = None

    def asked(self) -> list[RequestedUser]:
        try:
            default = parse_left_at(self.params.get("left_at"))
        except ValueError as exc:
            raise OptionError(str(exc)) from None
        return parse_users(self.params["users"], default)

    def remember_secret(self, secret: str) -> None:
        """Mask it from now on in everything that the module returns, including warnings."""
        self.secrets.add(secret)

    def tenant(self, *, with_exchange: bool) -> Tenant:
        """Build the tenant from the options, without sending anything; `OptionError` if they are invalid."""
        params = self.params
        for name in ("timeout", "retry_timeout", "verify_timeout"):
            if not 0 <= params[name] < float("inf") or (name == "timeout" and not params[name]):
                raise OptionError(f"{name} must be a number of seconds, not {params[name]:g}.")
        addresses = endpoints(
            params["cloud"], **{name: params[name] for name in ("authority_url", "graph_url", "exchange_url")}
        )
        if not params["validate_certs"]:
            self.warn("validate_certs is off: anyone on the network path to Microsoft can read and use the credential.")
        credential = choose_credential(params, os.environ)
        for secret in proxy_secrets(params["proxy"], os.environ):
            self.remember_secret(secret)
        transport = Transport(
            validate_certs=params["validate_certs"],
            ca_path=params["ca_path"],
            proxy=params["proxy"],
            timeout=params["timeout"],
        )
        tokens = TokenSource(
            credential,
            tenant_id=params["tenant_id"],
            client_id=params["client_id"],
            authority_url=addresses.authority_url,
            http=PatientTokenHttp(transport, params["retry_timeout"]),
            on_secret=self.remember_secret,
            monotonic=transport.clock.monotonic,
        )
        graph = Graph(addresses.graph_url, transport, tokens, params["retry_timeout"])
        exchange = Exchange(addresses.exchange_url, transport, tokens, params["retry_timeout"])
        self._tenant = Tenant(graph, exchange if with_exchange else None, self._protected(), params["verify_timeout"])
        return self._tenant

    @property
    def automation(self) -> dict[str, str | None] | None:
        """The identity that sent requests, `None` if nothing was sent."""
        return self._tenant.graph.identity if self._tenant else None

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def warn_of_unknown_protected(self, tenant: Tenant) -> None:
        for entry, why in tenant.unknown_protected.items():
            self.warn(f"protected_users: {entry} {why}.")

    def step(self, step: Step, *, force: bool = False) -> list[dict[str, t.Any]]:
        """Run a step for the users; return one record per leaver."""
        asked = self.asked()
        tenant = self.tenant(with_exchange=step.uses_exchange)
        records = run_step(
            tenant,
            step,
            asked,
            check_mode=self.check_mode,
            # A module without this option decides about administrators by itself.
            allow_admins=self.params.get("allow_admins", True),
            force=force,
            retry_timeout=self.params["retry_timeout"],
            verify_timeout=self.params["verify_timeout"],
        )
        self.warn_of_unknown_protected(tenant)
        return records

    def _protected(self) -> list[str]:
        return protected_entries(self.params["protected_users"], os.environ.get(PROTECTED_VARIABLE, ""))


@dataclasses.dataclass(frozen=True)
class Job:
    """A module: its options (Ansible's argument spec) and its work, which returns one record per leaver."""

    spec: t.Mapping[str, t.Any]
    work: t.Callable[[Run], list[dict[str, t.Any]]]


def perform(job: Job, run: Run, *, diff: bool) -> dict[str, t.Any]:
    """Do a module's work and return its result, with `failed` if it failed. Only our own messages get out.

    ansible-core 2.19 and later print the text of an exception that escapes a module even under `no_log`.

    :param diff: whether the result has `diff` (`--diff`).
    """
    try:
        records = job.work(run)
    except Exception as exc:
        error = exc if isinstance(exc, OffboardingError) else internal_error(exc)
        return failure(error, run)
    result = {
        "changed": any(one.get("changed") for one in records),
        "msg": summary(records),
        "users": records,
        # A role cannot see it otherwise: `ansible_check_mode` reflects the command line, not the keyword of a play or task.
        "check_mode": run.check_mode,
        "automation": run.automation,
        **run.facts,
    }
    if diff:  # the same facts again, shown only with --diff
        result["diff"] = _diff(records)
    if any(one["status"] in ("failed", "refused") for one in records):
        result["failed"] = True
    return result


def failure(error: OffboardingError, run: Run) -> dict[str, t.Any]:
    """The result of a run that ended with an error instead of records."""
    return {
        "failed": True,
        "msg": str(error),
        "changed": False,
        "error": error.as_record(),
        "users": [],
        "automation": run.automation,
    }


def _diff(records: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Before and after of the users that changed, by user principal name, as `--diff` shows it."""
    changed = [one for one in records if one.get("changed")]
    return {
        "before": {str(one["user_principal_name"]): one["before"] for one in changed},
        "after": {str(one["user_principal_name"]): _foretold(one) for one in changed},
    }


def _foretold(one: t.Mapping[str, t.Any]) -> t.Any:
    if one["status"] != "planned" or not one["after"]:
        return one["after"]
    return {
        name: "(time of the write)" if name.endswith("_date_time") else value for name, value in one["after"].items()
    }
