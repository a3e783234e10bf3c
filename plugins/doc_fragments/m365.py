# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

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
      - Who is meant, each by user principal name or by object id. Names are never guessed, and nothing is ever created.
      - An element may be a mapping with C(user) and C(left_at), the moment from which this user must be kept out. It is
        written in ISO 8601 with an offset, for example V(2026-11-20T17:00:00+01:00).
      - A third key, C(directory_roles), is the list from the result of M(m365.offboarding.m365_user_info), and saves a request
        where that has just been read. An empty one says that the user holds no directory role. Who the Global Administrators
        are is read all the same, where the application may (C(RoleManagement.Read.Directory)).
      - A fourth key, C(protocols), is C(before.protocols) from that result, and saves another request where a mailbox named by
        object id is to be shut and a protocol is on. It is never taken as a proof that one is off.
      - A fifth key, C(id), is the object id of the user. Then the name and the id must both be the user's, otherwise the user is
        refused. Other keys are refused.
      - A name is not a person. A user who is named without an object id, and was created (C(createdDateTime)) or hired
        (C(employeeHireDate)) after C(left_at), is refused as a newer account of that name. What is not known, or may not be read,
        is no reason.
      - One string may hold several users, separated by commas or newlines.
      - A user who comes twice, by whatever name, is handled once. Different moments for one user, one of which may be
        none, are contradictory, and that user is refused.
      - A text that is not shaped like a name is that user's failure. If any element is empty, of a wrong type, or has a comma without a
        name beside it, the whole call is refused before anything is sent.
      - Corresponds to C(userPrincipalName) and C(id) of the Graph user.
    type: list
    elements: raw
    required: true
    aliases: [user]
  tenant_id:
    description:
      - The tenant, as GUID or as one of its domains.
      - If not set, the environment variables E(AZURE_TENANT_ID) and E(AZURE_TENANT) are tried.
      - Not needed with O(managed_identity) and O(access_token).
    type: str
  client_id:
    description:
      - The application (client) id of the app registration; with O(managed_identity), that of a user-assigned identity.
      - If not set, the environment variable E(AZURE_CLIENT_ID) is used.
    type: str
  client_secret:
    description:
      - A client secret's value.
      - >-
        Of O(client_secret), O(certificate_path), O(federated_token_file), O(managed_identity) and O(access_token), at most one
        may be given. If none is given, the environment is asked for one, in this order.
      - The environment variables are E(AZURE_CLIENT_SECRET) and E(AZURE_SECRET). An empty variable counts as not set.
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
      - A file with a token of another identity provider, for which Entra ID holds a federated credential (workload identity).
      - The environment variable is E(AZURE_FEDERATED_TOKEN_FILE).
    type: path
  managed_identity:
    description:
      - Use the managed identity of the Azure machine on which the module runs.
      - The environment variable is E(M365_MANAGED_IDENTITY).
    type: bool
  access_token:
    description:
      - A ready token for Microsoft Graph. It is not renewed.
      - The environment variable is E(M365_ACCESS_TOKEN).
    type: str
  exchange_access_token:
    description:
      - A ready token for Exchange Online, beside O(access_token). Needed only where mailboxes are looked at.
      - The environment variable is E(M365_EXCHANGE_ACCESS_TOKEN).
    type: str
  cloud:
    description:
      - The Microsoft cloud in which the tenant lives; decides the addresses.
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
      - Microsoft's pages name two hosts for China; if the built-in one does not answer, give the other here. Some tenants have a host of
        their own, which an error then names.
      - If not set, the environment variable E(M365_EXCHANGE_URL) is used.
    type: str
  validate_certs:
    description:
      - Whether TLS certificates are verified. Turning this off hands the credential to whoever is on the line.
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
      - Exchange Online works on the calls of a batch one after the other, and throttles by delay. So a batch of up to ten calls is given
        this time for each call, up to half of O(retry_timeout) for all. One that takes longer is sent again in halves.
      - If not set, the environment variable E(M365_TIMEOUT) is used.
    type: float
    default: 30
  retry_timeout:
    description:
      - Seconds that one request may wait altogether before it is sent again, when Microsoft throttles, is not available,
        or cannot be reached. A longer wait asked for by C(Retry-After) is a failure that names it.
      - Not counted is how long it waits in line because other requests of the same run are throttled.
      - If not set, the environment variable E(M365_RETRY_TIMEOUT) is used.
    type: float
    default: 300
  verify_timeout:
    description:
      - Seconds until a write must be seen when it is read back. After that it is told as V(accepted), not as V(verified).
      - Replicas of Exchange Online in the clouds of the US Government (GCC, GCC High and DoD) may show a write only after six minutes
        and more. Set V(600) there, if the run is to prove the mailbox protocols itself.
      - For as long, a mailbox is asked for again that Exchange Online does not know although the user has an enabled Exchange plan.
      - With V(0), nothing is read back and every write is told as V(accepted), for callers who read afterwards themselves. Only where
        the answer to a write was lost, the module looks whether it was done.
      - If not set, the environment variable E(M365_VERIFY_TIMEOUT) is used.
    type: float
    default: 30
  protected_users:
    description:
      - Accounts that must never be touched (break-glass accounts, the automation's own), by user principal name, object id,
        mail address or alias. They are refused whatever they are called by.
      - The environment variable E(M365_PROTECTED_USERS), separated by commas or newlines, is added to this list, so that a
        credential can carry accounts which the person launching a job cannot leave out.
      - Several accounts are separated by commas, semicolons or newlines, also within one element.
      - If an entry cannot be read as one or several names, every module refuses to work before anything is sent, also those
        that only read. Such are C(Break Glass <bg@contoso.com>), a GUID in braces, C(smtp:bg@contoso.com), quotation marks,
        comments, invisible characters, and null.
      - A name that no user of the tenant has is reported in a warning, and the run goes on.
    type: list
    elements: raw
    default: []
notes:
  - Reading users needs the application permission C(User.Read.All) on Microsoft Graph.
  - With the application permission C(User-LifeCycleInfo.Read.All), a past C(employeeLeaveDateTime) of a user counts as its
    C(left_at) where none is given. One in the future is ignored for users who are named, since people are dismissed early.
  - Errors come one per user in C(users), each with Microsoft's code and request id and with what to do. One user's failure
    never stops the others; the module fails at the end, with all records in its result.
seealso:
  - name: Remove a former employee, step 1
    description: The page of Microsoft that this collection carries out.
    link: https://learn.microsoft.com/microsoft-365/admin/add-users/remove-former-employee-step-1
"""

    # For modules that write accounts which are in use.
    ALLOW_ADMINS = r"""
options:
  allow_admins:
    description:
      - Whether holders of an active directory role may be changed. If not, they are refused, and so is whoever's roles cannot be read.
      - Unless V(true), the roles of users who would be changed are read with one more request, except where C(directory_roles) in O(users)
        already tells them. C(User.Read.All) is enough; the roles' names need C(RoleManagement.Read.Directory).
      - Roles that a user could activate (Privileged Identity Management) and roles scoped to an administrative unit are not seen.
    type: bool
    default: false
"""

    # For modules that change several objects of a user, and can make them again.
    OBJECTS = r"""
options:
  objects:
    description:
      - What to make again, by user. The keys are the users of O(users), written in the same way. The values are the C(objects) of
        these users in the result of an earlier run, or in its evidence. Of each object C(key), C(kind), C(name) and C(before) are used.
      - Required to make objects again, and refused otherwise.
      - An object that is there already is not written. One that is there in another form is left as it is and reported.
    type: dict
"""
