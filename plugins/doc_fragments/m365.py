# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - python >= 3.10
  - msal >= 1.30
  - requests >= 2.28
options:
  users:
    description:
      - The users, each by user principal name or object ID. Names are never guessed, and no user is ever created.
      - An element may be a mapping with C(user) and C(left_at), the moment from which this user must be kept out. It is
        written in ISO 8601 with an offset, for example V(2026-11-20T17:00:00+01:00).
      - A mapping may also have C(directory_roles), as returned by M(m365.offboarding.m365_user_info), which saves a request. An empty list
        means that the user holds no directory role. The Global Administrators are still read, if the application may do so
        (C(RoleManagement.Read.Directory)).
      - A mapping may also have C(protocols), in the form of C(mailbox_protocols) in that result. It saves a request if the user is given
        by object ID and a protocol of the mailbox is on. It is never taken as proof that a protocol is off.
      - A mapping may also have C(id), the object ID of the user. The name and the ID must then belong to the same user, otherwise the
        user is refused. Other keys are refused.
      - A name does not identify a person. A user who is given without an object ID, and was created (C(createdDateTime)) or hired
        (C(employeeHireDate)) after C(left_at), is refused as a newer account with that name. A date that is not set, or that the
        application may not read, is not compared.
      - One string may hold several users, separated by commas or newlines.
      - A user who is listed twice, under whatever name, is handled once. If one user is given with different dates, or once with a date
        and once without, that user is refused.
      - A string that does not have the form of a name fails for that user alone. If any element is empty, has the wrong type, or has a
        comma without a name beside it, the whole call is refused before anything is sent.
      - Corresponds to C(userPrincipalName) and C(id) of the Graph user.
    type: list
    elements: raw
    required: true
    aliases: [user]
  tenant_id:
    description:
      - The tenant, by its ID (a GUID) or one of its domains.
      - If not set, the environment variables E(AZURE_TENANT_ID) and E(AZURE_TENANT) are tried.
      - Not needed with O(managed_identity) and O(access_token).
    type: str
  client_id:
    description:
      - The application (client) ID of the app registration; with O(managed_identity), that of a user-assigned identity.
      - If not set, the environment variable E(AZURE_CLIENT_ID) is used.
    type: str
  client_secret:
    description:
      - A client secret's value.
      - >-
        Set at most one of O(client_secret), O(certificate_path), O(federated_token_file), O(managed_identity) and O(access_token). If
        none is set, the module looks in the environment for each of them, in this order.
      - The environment variables are E(AZURE_CLIENT_SECRET) and E(AZURE_SECRET). An empty variable is ignored.
    type: str
  certificate_path:
    description:
      - A PEM or PFX file with the application's certificate and its private key.
      - The environment variable is E(AZURE_CLIENT_CERTIFICATE_PATH).
    type: path
  certificate_password:
    description:
      - The password of the private key in O(certificate_path).
      - The environment variable is E(AZURE_CLIENT_CERTIFICATE_PASSWORD).
    type: str
  federated_token_file:
    description:
      - A file with a token from another identity provider, for which the application has a federated credential (workload identity).
      - The environment variable is E(AZURE_FEDERATED_TOKEN_FILE).
    type: path
  managed_identity:
    description:
      - Use the managed identity of the Azure machine on which the module runs.
      - The environment variable is E(M365_MANAGED_IDENTITY).
    type: bool
  access_token:
    description:
      - An access token for Microsoft Graph. The module does not renew it.
      - The environment variable is E(M365_ACCESS_TOKEN).
    type: str
  exchange_access_token:
    description:
      - An access token for Exchange Online, in addition to O(access_token). Needed only if mailboxes are read.
      - The environment variable is E(M365_EXCHANGE_ACCESS_TOKEN).
    type: str
  cloud:
    description:
      - The Microsoft cloud of the tenant, which determines the addresses.
      - If not set, the environment variable E(M365_CLOUD) is used.
    type: str
    choices: [public, usgov, usgov_dod, china]
    default: public
  authority_url:
    description:
      - Address of Entra ID instead of the one of O(cloud). Must be https.
      - If not set, the environment variable E(M365_AUTHORITY_URL) is used.
    type: str
  graph_url:
    description:
      - Address of Microsoft Graph instead of the one of O(cloud). Must be https.
      - If not set, the environment variable E(M365_GRAPH_URL) is used.
    type: str
  exchange_url:
    description:
      - Address of Exchange Online instead of the one of O(cloud). Must be https.
      - Microsoft documents two hosts for China; if the built-in one does not answer, set the other here. Some tenants have a host of
        their own, which the error message then names.
      - If not set, the environment variable E(M365_EXCHANGE_URL) is used.
    type: str
  validate_certs:
    description:
      - Whether TLS certificates are verified. If not, anyone on the network path can read the credential.
      - If not set, the environment variable E(M365_VALIDATE_CERTS) is used.
    type: bool
    default: true
  ca_path:
    description:
      - A file with the certificate authorities to trust, for example that of a proxy that inspects TLS.
      - If not set, the environment variable E(M365_CA_PATH) is used, then E(REQUESTS_CA_BUNDLE).
    type: path
  proxy:
    description:
      - Address of a proxy for all requests.
      - If not set, the environment variable E(M365_PROXY) is used, then E(HTTPS_PROXY).
    type: str
  timeout:
    description:
      - Seconds for one request as a whole, from connecting to the last byte of its answer. Its headers and body share this one deadline.
      - Exchange Online processes the calls of a batch one after the other, and throttles by delaying answers. A batch of up to ten calls
        therefore gets this time for each call, but at most half of O(retry_timeout) in total. A batch that takes longer is sent again in
        halves.
      - If not set, the environment variable E(M365_TIMEOUT) is used.
    type: float
    default: 30
  retry_timeout:
    description:
      - The retry budget of one request. This is how many seconds it may spend waiting in total, over all retries, when Microsoft throttles
        requests, is unavailable, or cannot be reached. If C(Retry-After) requests a longer wait, the affected users fail with a message
        that says so.
      - Time that a request spends waiting because other requests of the same run are throttled is not included.
      - If not set, the environment variable E(M365_RETRY_TIMEOUT) is used.
    type: float
    default: 300
  verify_timeout:
    description:
      - Seconds within which a write must be visible when it is read back. After that it is reported as V(accepted), not as V(verified).
      - Replicas of Exchange Online in the clouds of the US Government (GCC, GCC High and DoD) may show a write only after six minutes
        or more. Set V(600) there if the run itself is to prove the mailbox protocols.
      - For the same time, the module asks again for a mailbox that Exchange Online does not find although the user has an enabled Exchange
        plan.
      - With V(0), nothing is read back and every write is reported as V(accepted), for callers that read back themselves. The module
        then reads only if the answer to a write was lost, to find out whether it was applied.
      - If not set, the environment variable E(M365_VERIFY_TIMEOUT) is used.
    type: float
    default: 30
  protected_users:
    description:
      - Accounts that must never be touched (break-glass accounts, the automation's own), by user principal name, object ID,
        e-mail address or alias. They are refused under any of these.
      - The environment variable E(M365_PROTECTED_USERS), separated by commas or newlines, is added to this list, so that a
        credential can carry accounts that the person who launches a job cannot leave out.
      - Several accounts are separated by commas, semicolons or newlines, also within one element.
      - If an entry cannot be parsed as one or several names, every module fails before anything is sent, including those
        that only read. Examples of invalid entries are C(Break Glass <bg@contoso.com>), a GUID in braces, C(smtp:bg@contoso.com),
        quotation marks, comments, invisible characters, and null.
      - A name that matches no user of the tenant causes a warning, and the run continues.
    type: list
    elements: raw
    default: []
notes:
  - Reading users needs the application permission C(User.Read.All) on Microsoft Graph.
  - With the application permission C(User-LifeCycleInfo.Read.All), a user's C(employeeLeaveDateTime) is used as C(left_at) if it is in
    the past and no C(left_at) is given. One in the future is ignored for named users, since people are dismissed early.
  - Errors are reported per user in C(users), each with Microsoft's code and request ID and a hint about the remedy. One user's
    failure never stops the others; the module fails at the end, with all records in its result.
seealso:
  - name: Remove a former employee, step 1
    description: The procedure by Microsoft that this collection carries out.
    link: https://learn.microsoft.com/microsoft-365/admin/add-users/remove-former-employee-step-1
"""

    # For modules that write to existing accounts.
    ALLOW_ADMINS = r"""
options:
  allow_admins:
    description:
      - Whether holders of an active directory role may be changed. If not, they are refused, as are users whose roles cannot be read.
      - Unless V(true), the roles of users who would be changed are read with one more request, unless O(users) already has them in
        C(directory_roles). C(User.Read.All) is enough; the names of the roles need C(RoleManagement.Read.Directory).
      - Roles that a user could activate (Privileged Identity Management) and roles scoped to an administrative unit are not included.
    type: bool
    default: false
"""

    # For modules that change several objects of a user, and can restore them.
    OBJECTS = r"""
options:
  objects:
    description:
      - The objects to restore, by user. The keys are the users of O(users), spelled in the same way. The values are the C(objects) of
        these users in the result of an earlier run, or in its evidence. Only C(key), C(kind), C(name) and C(before) of each object are
        used.
      - Required for the state that restores objects, and refused otherwise.
      - An object that already exists is not written. One that exists in another form is left as it is and reported.
    type: dict
"""
