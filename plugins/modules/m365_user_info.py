#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365_user_info
short_description: Report which doors of Microsoft 365 users are open
version_added: 1.0.0
description:
  - Reads users, their mailboxes and their directory roles, and reports which of the doors that the other modules shut are open.
    On request it also reports residual access.
  - Users are named in O(users), or found by O(filter), O(group), O(left_before) or O(blocked). At least one of these must be set. If
    several are set, their results are combined; each user is reported once, named users first. An empty string or list is ignored if
    another one is set.
  - A search returns all pages or fails. A search without a match does not fail; C(users) is then empty.
  - Microsoft Graph answers searches from an index, which lags behind the users themselves. A search therefore only selects users.
    Each match is then read individually, and is reported even if it no longer matches the search. A user that no longer exists is
    reported as failed.
  - Never writes. A leaver is contained when every door is known to be shut.
author:
  - The m365.offboarding contributors (@m365-offboarding)
extends_documentation_fragment:
  - m365.offboarding.attributes
  - m365.offboarding.m365
attributes:
  check_mode:
    details: It never changes anything.
  diff_mode:
    support: N/A
    details: It never changes anything.
options:
  users:
    description:
      - The users, each by user principal name or object ID. Names are never guessed, and no user is ever created.
      - An element may be a mapping with C(user) and C(left_at), the moment from which this user must be kept out. It is
        written in ISO 8601 with an offset, for example V(2026-11-20T17:00:00+01:00). The keys C(directory_roles) and
        C(protocols), which other modules use, are ignored. Other keys are refused.
      - It may also have the key C(id), an object ID. C(user) and C(id) must then both belong to the same user.
      - One string may hold several users, separated by commas or newlines.
      - A user who is listed twice, under whatever name, is reported once. Different dates for one user are a C(contradiction), and the
        modules that write refuse that user.
      - A string that does not have the form of a name fails for that user alone. If any element is empty, has the wrong type, or has a
        comma without a name beside it, the whole call is refused before anything is sent.
      - Corresponds to C(userPrincipalName) and C(id) of the Graph user.
    type: list
    elements: raw
    required: false
    aliases: [user]
  filter:
    description:
      - Users that match this condition, in the query language of Microsoft Graph, for example V(department eq 'Sales').
      - Passed unchanged as C($filter) of C(/users), in an advanced query, which also supports C(ne), C(not) and C(endsWith). If Graph
        refuses it, the module fails with Graph's message. Some properties need an additional permission.
    type: str
  group:
    description:
      - The users in this group and in its nested groups, by the group's object ID, or by its exact C(displayName) or C(mail).
        Members that are not users are skipped.
      - The module fails if no group has this name, or if several groups have it; the error then lists their ids.
      - Needs the application permission C(GroupMember.Read.All), C(Group.Read.All) or C(Directory.Read.All), and for a group that hides
        its members C(Member.Read.Hidden).
      - Corresponds to C(transitiveMembers) of the Graph group.
    type: str
  left_before:
    description:
      - Users whose C(employeeLeaveDateTime) is at or before this time, in the form of O(left_at), or V(now).
      - Needs the application permission C(User-LifeCycleInfo.Read.All).
    type: str
  blocked:
    description:
      - All users whose sign-in is blocked, including guests, shared mailboxes and rooms.
      - Corresponds to C(accountEnabled) of the Graph user.
    type: bool
    default: false
  earlier:
    description:
      - The contents of earlier evidence, as passed by the role P(m365.offboarding.offboard_employee#role). It maps the ID of a tenant to
        a list of users, each with C(id), C(user) (the name at that time), C(left_at), C(shut_out) and C(password). Only the entry for the
        credential's tenant is used.
      - These users are read as well, by object ID. Users that were neither named nor found by a search have C(earlier) in their record.
      - A C(left_at) in the future is ignored for a user with C(shut_out), wherever it comes from.
      - C(password) is the C(lastPasswordChangeDateTime) of a reset by this collection. If it is unchanged and sign-in is blocked, the
        door C(password) counts as shut even if another tool signed the user out later.
    type: dict
    default: {}
  left_at:
    description:
      - The time from which the users must be kept out, for users without a C(left_at) of their own.
      - Written in ISO 8601 with an offset, for example V(2026-11-20T17:00:00+01:00). Compared with Microsoft's clock.
      - For users found by a search, their own C(employeeLeaveDateTime) takes precedence, even if it is in the future, provided the
        application may read it.
    type: str
  steps:
    description: The steps whose doors are read. Leave V(protocols) out for a tenant without Exchange Online.
    type: list
    elements: str
    choices: [password, sessions, signin, protocols]
    default: [password, sessions, signin, protocols]
  protocols:
    description:
      - The mailbox protocols to read, as in M(m365.offboarding.exo_mailbox_protocols).
      - They are V(unknown) for a cloud user who has an enabled Exchange plan but no mailbox, since the mailbox may be about to appear;
        C(notes) says so. The module looks for the mailbox again until O(verify_timeout) has passed.
    type: list
    elements: str
    default: [all]
  directory_roles:
    description:
      - Whether to read the active directory roles of each user, held directly or through a group. Roles that Privileged Identity
        Management could activate, and roles scoped to an administrative unit, are not included.
      - C(User.Read.All) is enough to see that a user holds a role. Its name needs C(RoleManagement.Read.Directory); without it, the ID is
        returned instead.
    type: bool
    default: false
  person:
    description:
      - "Whether to read details that help identify the person: C(department), C(job_title), C(manager), C(user_type),
        C(created_date_time) and C(employee_hire_date) of RV(users). This needs no additional request."
    type: bool
    default: true
  tenant_name:
    description:
      - Whether to return RV(tenant_name), the display name of the tenant (C(organization)). It needs one request, which is sent last
        and never fails the module.
      - Needs the application permission C(Organization.Read.All) or C(Directory.Read.All). If the token does not show one of them, the
        request is not sent.
    type: bool
    default: false
  suggest:
    description:
      - Whether the error for an unknown user principal name also suggests up to three users with a similar name. They appear only in
        the error message; none of them is selected.
      - One additional request searches for the first five unknown names of a call. If the search fails, the error stays as it is.
    type: bool
    default: false
  mailbox_types:
    description:
      - Whether to return C(mailbox_type), which distinguishes shared mailboxes and resource accounts, whose sign-in is always blocked,
        from leavers.
      - It is read only for users that have a mailbox, a door that is open or unknown, blocked sign-in and no known C(left_at), and only
        if O(steps) includes V(protocols). Each of them needs one call of C(Get-Mailbox), with C(Exchange.ManageAsApp).
    type: bool
    default: false
  residual:
    description:
      - The kinds of residual access to report. Residual access outlives a blocked account or comes back with it. It is returned in
        C(residual), and never changed.
      - V(forwarding) is mail that leaves the organization. The mailbox's C(ForwardingSmtpAddress) and C(ForwardingAddress) are read by
        C(Get-Mailbox), with C(Exchange.ManageAsApp); enabled inbox rules with C(forwardTo), C(forwardAsAttachmentTo) or
        C(redirectTo), with C(MailboxSettings.Read). An address is reported unless its domain is one of C(Get-AcceptedDomain); if the
        domains cannot be read, every address is reported. A recipient in the directory is looked up with C(Get-Recipient), one request
        for each. For a contact, its C(ExternalEmailAddress) decides. A group is treated as inside, a name without a recipient as outside.
        Hidden rules are not included. M(m365.offboarding.exo_mailbox_forwarding) turns forwarding off.
      - V(directory_roles) are the roles of O(directory_roles), with C(User.Read.All).
      - V(applications) are owned applications with a secret (C(passwordCredentials)) or certificate (C(keyCredentials)) that has not
        expired by Microsoft's clock, with C(Application.Read.All).
      - V(consents) are the user's own C(oauth2PermissionGrants) and C(appRoleAssignments), with C(Directory.Read.All). Assignments that
        the user has through a group are not included.
      - V(devices) are C(registeredDevices) and C(ownedDevices) that are enabled, with C(Device.Read.All).
      - V(delegates) are other accounts that may open the mailbox (C(Get-MailboxPermission)), or send as the user
        (C(Get-RecipientPermission)) or on the user's behalf (C(GrantSendOnBehalfTo)), with C(Exchange.ManageAsApp).
      - V(phones) are partnerships of phones with the mailbox (C(Get-MobileDevice)), with C(Exchange.ManageAsApp), unless the phone is
        blocked by the organization or by C(ActiveSyncBlockedDeviceIDs) of the mailbox (C(Get-CASMailbox)).
      - V(sign_in_methods) are C(authentication/methods) other than the password, with C(UserAuthenticationMethod.Read.All).
      - V(memberships) are the non-dynamic groups of which the user is a direct member (C(memberOf)), with C(GroupMember.Read.All).
      - V(all) selects all of them.
      - A topic never fails the module. If it cannot be read, or only in part, its state is V(not_looked_at).
    type: list
    elements: str
    choices: [all, forwarding, directory_roles, applications, consents, devices, delegates, phones, sign_in_methods, memberships]
    default: []
  written:
    description:
      - The writes that other modules of this collection have just made, as summed up by M(m365.offboarding.leaver_offboarding). Users
        whose values do not show these writes yet are read again, until O(verify_timeout) has passed.
      - The role P(m365.offboarding.offboard_employee#role) ends each batch with such a read. This option does not repeat a read that
        fails; O(retry_timeout) covers faults.
    type: dict
    default: {}
notes:
  - Since 2026, Microsoft documents a less privileged permission for listing the members of a group than the ones named here
    (U(https://learn.microsoft.com/graph/api/group-list-transitivemembers)); finding the group by its name may need more.
  - Agent users (C(agentUser), since May 2026) are users too (U(https://learn.microsoft.com/graph/api/resources/agentuser)). An agent that
    acted for a leaver has an account of its own, which must be named in addition to the leaver's.
  - Mailbox protocols need the application permission C(Exchange.ManageAsApp) on Office 365 Exchange Online, and the Entra role
    C(Global Reader) or the Exchange role C(View-Only Recipients). The topics of O(residual) that are read from Exchange Online need them
    as well.
  - If the application may not read C(employeeLeaveDateTime) and O(left_at) is not set, it is not known whether users found by O(filter)
    or O(group) leave later. The module then warns.
seealso:
  - module: m365.offboarding.m365_user_password
  - module: m365.offboarding.m365_user_sessions
  - module: m365.offboarding.m365_user_signin
  - module: m365.offboarding.exo_mailbox_protocols
"""

EXAMPLES = r"""
- name: Read a leaver's doors
  m365.offboarding.m365_user_info:
    users: jane.doe@contoso.com
    directory_roles: true
  register: doors

- name: Read all users who have left, and their residual access
  m365.offboarding.m365_user_info:
    left_before: now
    residual: [forwarding, applications, devices]
  register: leavers

- name: Read the members of a group
  m365.offboarding.m365_user_info:
    group: Leavers
  register: members

- name: Show since when each member has had their password, and whether they may sign in
  ansible.builtin.debug:
    msg: "{{ item.display_name }}: {{ item.last_password_change_date_time }}, {{ item.account_enabled | ternary('allowed', 'blocked') }}"
  loop: "{{ members.users }}"
  loop_control:
    label: "{{ item.user }}"

- name: Fail if a door is open
  ansible.builtin.assert:
    that: doors.users[0].open | length == 0
    quiet: true
"""

RETURN = r"""
automation:
  description: The identity that did this, with the keys that M(m365.offboarding.m365_user_signin) returns; null if nothing was sent.
  type: dict
  returned: always
check_mode:
  description: Whether the module ran in check mode.
  type: bool
  returned: always
  sample: false
msg:
  description: The result in one line.
  type: str
  returned: always
  sample: "1 user: 1 unchanged."
read_at:
  description: When the read was complete, by Microsoft's clock; null if that is not known.
  type: str
  returned: success
  sample: "2026-11-20T16:04:07Z"
verify_timeout:
  description: How many seconds were allowed for a write to become visible, from O(verify_timeout) or the environment.
  type: float
  returned: success
  sample: 30.0
tenant_name:
  description: With O(tenant_name), the display name of the tenant. Null without it, or if the application may not read it.
  type: str
  returned: success
  sample: Contoso
users:
  description:
    - One record per user. Named users come first, then the users that a search found, then the remaining users of O(earlier).
    - Every record has all of these keys. A value is null if it is not set, was not read, or could not be read.
  type: list
  elements: dict
  returned: always
  contains:
    user:
      description: >-
        The user as named in O(users). For a user found by a search, the user principal name, or the object ID if the user could not
        be read.
      type: str
      sample: jane.doe@contoso.com
    id:
      description: The object ID, null if the user could not be read.
      type: str
      sample: 5c1f3f8a-3d5e-4b63-9d0a-3f5f6f0f8f11
    user_principal_name:
      description: The user principal name, null if the user could not be read.
      type: str
      sample: jane.doe@contoso.com
    display_name:
      description: The display name.
      type: str
      sample: Jane Doe
    status:
      description: V(unchanged), or V(failed) if a requested value could not be read, see C(error).
      type: str
      sample: unchanged
    error:
      description:
        - The error of a read that failed, null if there is none. It has C(code), C(message), C(hint) (the remedy) and C(request_id)
          (for Microsoft's support).
      type: dict
      sample: null
    account_enabled:
      description: Whether the user may sign in (C(accountEnabled)).
      type: bool
      sample: false
    last_password_change_date_time:
      description: When the password was last changed (C(lastPasswordChangeDateTime)).
      type: str
      sample: "2026-11-20T16:04:07Z"
    sign_in_sessions_valid_from_date_time:
      description: Sessions that began before this moment are no longer valid (C(signInSessionsValidFromDateTime)).
      type: str
      sample: "2026-11-20T16:04:09Z"
    mailbox_protocols:
      description:
        - Each protocol of O(protocols) that the mailbox has, and whether it is on. For C(smtp_auth), null means that the setting of the
          organization applies.
        - Null if there is no mailbox, if it could not be read, or if O(steps) does not include V(protocols).
      type: dict
      sample: {activesync: true, owa: false}
    department:
      description: The department. Like the keys below up to C(employee_hire_date), null unless O(person) is set.
      type: str
      sample: Sales
    job_title:
      description: The job title.
      type: str
      sample: Account manager
    manager:
      description: The manager, with C(id), C(display_name) and C(user_principal_name).
      type: dict
      sample: {id: 0f2a3b4c-5d6e-4f70-8192-a3b4c5d6e7f8, display_name: Jane Roe, user_principal_name: jane.roe@contoso.com}
    user_type:
      description: V(Member) or V(Guest) (C(userType)).
      type: str
      sample: Member
    created_date_time:
      description: When the account was created (C(createdDateTime)).
      type: str
      sample: "2019-03-01T08:00:00Z"
    employee_hire_date:
      description: When the user was hired (C(employeeHireDate)). It is read only if no object ID was given.
      type: str
      sample: "2019-03-01T00:00:00Z"
    left_at:
      description: The time from which the user must be kept out, null if not known.
      type: str
      sample: "2026-11-20T16:00:00Z"
    due:
      description:
        - Whether C(left_at) has passed by Microsoft's clock; true if no C(left_at) is known.
        - Null for a user found by a search who can sign in and whose C(employeeLeaveDateTime) the application may not read. Such a user
          may leave later, and the role P(m365.offboarding.offboard_employee#role) refuses to lock them out.
        - A C(employeeLeaveDateTime) in the future applies only to users found by a search. A named user may be dismissed early.
      type: bool
      sample: true
    protected:
      description: Whether the user is in O(protected_users), or is the account that the credential belongs to.
      type: bool
      sample: false
    by_name:
      description:
        - Whether the user was given by name alone. False if an object ID was given, and for users found by a search.
      type: bool
      sample: true
    earlier:
      description:
        - Null, except for a user of O(earlier) who was neither named nor found by a search. Then C(id) and C(user_principal_name) are
          those of that time, and C(namesake) is the object ID of another user who has that name now, null if there is none.
      type: dict
      sample: null
    former_id:
      description:
        - The object ID of a user that was deleted. Null for a user that exists, and if the ID is not known, for example because several
          deleted users had this name.
      type: str
      sample: null
    wrong_person:
      description:
        - "Why the account may belong to a different person: it was created (C(createdDateTime)) or its user was hired
          (C(employeeHireDate)) after C(left_at), or its object ID is not the one that was given with the name. Null otherwise."
        - The other modules and the role P(m365.offboarding.offboard_employee#role) refuse such a user. If an object ID was given and
          matches, the dates are not compared.
      type: dict
      sample: null
    directory_roles:
      description: Names or IDs of active directory roles, null if they were not read.
      type: list
      elements: str
      sample: []
    directory_roles_error:
      description: Why the roles could not be read, null otherwise.
      type: dict
      sample: null
    contradiction:
      description: >-
        Why this user must not be changed: the user was listed with conflicting dates. Null otherwise.
      type: dict
      sample: null
    must_stay:
      description: >-
        With O(directory_roles), why this user must not be locked out: the user may be the last enabled Global Administrator. Null
        otherwise.
      type: dict
      sample: null
    mailbox_type:
      description:
        - The C(RecipientTypeDetails) of the mailbox, such as V(UserMailbox), V(SharedMailbox), V(RoomMailbox) or V(EquipmentMailbox).
          Null if it was not read, see O(mailbox_types).
      type: str
      sample: null
    mailbox_type_error:
      description: Why the type of the mailbox could not be read, null otherwise.
      type: dict
      sample: null
    doors:
      description: The state of each door. This is V(open), V(shut), V(unknown) (it could not be read) or V(not_applicable).
      type: dict
      sample: {password: shut, sessions: shut, signin: shut, activesync: open, owa: shut}
    open:
      description: The doors that are open.
      type: list
      elements: str
      sample: [activesync]
    notes:
      description: Anything noteworthy about this user, by step.
      type: dict
      sample: {}
    surely_shut_by:
      description: >-
        By step, the time by which, according to Microsoft, the door is shut everywhere. Null if that is not known.
      type: dict
      sample: {password: "2026-11-20T17:04:09Z", sessions: "2026-11-20T17:04:09Z"}
    residual:
      description:
        - The user's residual access, by topic of O(residual). Empty if the user could not be looked up.
        - Each topic has C(state), which is V(none), V(found) or V(not_looked_at); C(found), a list with a readable C(text) and the
          values in it; C(note), for example which part was not read, or null; C(permission), which the topic needs; and C(error), why
          something was not read, or null.
        - C(state) is V(none) only if the whole topic was read. Topics of a mailbox are V(none) for a user without a mailbox.
      type: dict
      sample:
        devices:
          state: found
          found:
            - text: Device LAPTOP-JANE (Windows) is enabled, last seen 2026-11-18T08:12:00Z.
              name: LAPTOP-JANE
              id: 6f0d6e0a-6a5b-4f0e-9c43-6c1a3f2b7d10
              operating_system: Windows
              last_seen: "2026-11-18T08:12:00Z"
          note: null
          permission: Device.Read.All
          error: null
"""

import typing as t

from ..module_utils._doors import STEPS, Protocols
from ..module_utils._errors import OptionError
from ..module_utils._graph import organization_name
from ..module_utils._module import run_module
from ..module_utils._run import Job, Run, argument_spec
from ..module_utils._times import format_moment
from ..module_utils._topics import TOPICS
from ..module_utils._user_info import observe
from ..module_utils._user_input import RequestedUser, Search, names_nobody, parse_known
from ..module_utils._written import is_digest


def selection(run: Run) -> tuple[list[RequestedUser], Search]:
    """Return the named users and the search."""
    search, users = Search.parse(run.params), run.params["users"]
    if (search or run.params["earlier"]) and names_nobody(users):
        return [], search
    if users in (None, [], [""]):
        raise OptionError("No users selected: set users, filter, group, left_before or blocked.")
    return run.asked(), search


def look(run: Run) -> list[dict[str, t.Any]]:
    asked, search = selection(run)
    protocols = Protocols.parse(run.params["protocols"])
    if not is_digest(run.params["written"]):
        raise OptionError("written does not have the form that the role offboard_employee passes.")
    tenant = run.tenant(with_exchange=True)
    if run.params["earlier"]:
        # If the token does not show its tenant, no earlier evidence applies.
        tenant.earlier = parse_known(run.params["earlier"], tenant.graph.token.tenant_id)
    records = observe(
        tenant,
        asked,
        run.params["steps"],
        protocols,
        directory_roles=run.params["directory_roles"],
        search=search,
        residual=run.params["residual"],
        person=run.params["person"],
        suggest=run.params["suggest"],
        mailbox_types=run.params["mailbox_types"],
        written=run.params["written"],
        verify_timeout=run.params["verify_timeout"],
        with_earlier=bool(tenant.earlier),
    )
    run.facts["read_at"] = format_moment(tenant.graph.now)
    run.facts["verify_timeout"] = run.params["verify_timeout"]
    run.facts["tenant_name"] = None
    if run.params["tenant_name"] and tenant.graph.reads_organization:
        # Last, and once: nothing that is read of a leaver may wait for it.
        outcome = tenant.graph.try_read(tenant.graph.organization())
        run.facts["tenant_name"] = organization_name(outcome, tenant.graph.identity["tenant_id"])
    run.warn_of_unknown_protected(tenant)
    if any(one["due"] is None for one in records):
        run.warn(
            "It is not known whether any users found leave later: the application may not read leave dates "
            "(User-LifeCycleInfo.Read.All)."
        )
    return records


JOB = Job(
    argument_spec(
        left_at={"type": "str"},
        steps={"type": "list", "elements": "str", "choices": list(STEPS), "default": list(STEPS)},
        protocols={"type": "list", "elements": "str", "default": ["all"]},
        directory_roles={"type": "bool", "default": False},
        users={"type": "list", "elements": "raw", "aliases": ["user"]},
        filter={"type": "str"},
        group={"type": "str"},
        left_before={"type": "str"},
        blocked={"type": "bool", "default": False},
        person={"type": "bool", "default": True},
        tenant_name={"type": "bool", "default": False},
        suggest={"type": "bool", "default": False},
        mailbox_types={"type": "bool", "default": False},
        earlier={"type": "dict", "default": {}},
        residual={"type": "list", "elements": "str", "choices": ["all", *TOPICS], "default": []},
        written={"type": "dict", "default": {}},
    ),
    look,
)


def main() -> None:
    run_module(JOB)


if __name__ == "__main__":
    main()
