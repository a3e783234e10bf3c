#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365_user_info
short_description: Tell which doors of Microsoft 365 users are open
version_added: 1.0.0
description:
  - Reads users, their mailboxes and their directory roles, and tells which of the doors that the other modules shut are open.
    On request it tells what else is left of their access.
  - Users are named, or found by O(filter), O(group), O(left_before) or O(blocked). At least one of these must be given; several add
    up, each person once, those who are named first. An empty text or list counts as not given where another one is given.
  - A search is whole or an error, whatever the number of pages. One that finds nobody is no error; C(users) is then empty.
  - Microsoft Graph answers searches from an index, where a change shows some time later than in the user itself. So a search only says
    who is meant. Each match is then read individually, and is reported even if it no longer meets the search. A user that no
    longer exists is reported as failed.
  - Never writes. A leaver is contained when every door is known to be shut.
author:
  - The m365.offboarding contributors (@m365-offboarding)
extends_documentation_fragment:
  - m365.offboarding.attributes.read_only
  - m365.offboarding.m365
options:
  users:
    description:
      - Who is meant, each by user principal name or by object id. Names are never guessed, and nothing is ever created.
      - An element may be a mapping with C(user) and C(left_at), the moment from which this user must be kept out. It is
        written in ISO 8601 with an offset, for example V(2026-11-20T17:00:00+01:00). The keys C(directory_roles) and
        C(protocols), which other modules know, are not looked at. Further keys are refused.
      - It may also hold C(id), an object id. Then C(user) and C(id) must both be the user's.
      - One string may hold several users, separated by commas or newlines.
      - A user who comes twice, by whatever name, is reported once. Different moments for one user are a C(contradiction), and the modules
        that write refuse that user.
      - A text that is not shaped like a name is that user's failure. If any element is empty, of a wrong type, or has a comma without a
        name beside it, the whole call is refused before anything is sent.
      - Corresponds to C(userPrincipalName) and C(id) of the Graph user.
    type: list
    elements: raw
    required: false
    aliases: [user]
  filter:
    description:
      - Users who meet this condition, in the language of Microsoft Graph, for example V(department eq 'Sales').
      - Sent as it is as C($filter) of C(/users), as an advanced query, which knows C(ne), C(not) and C(endsWith) too. What Graph
        refuses is an error with its words. Some properties need a permission of their own.
    type: str
  group:
    description:
      - The users in this group and in the groups in it, by the group's object id, or by its exact C(displayName) or C(mail).
        Members of other kinds are passed over.
      - Several groups of one name are an error that tells their ids, and so is a group that is not there.
      - Needs the application permission C(GroupMember.Read.All), C(Group.Read.All) or C(Directory.Read.All), and for a group that hides
        its members C(Member.Read.Hidden).
      - Corresponds to C(transitiveMembers) of the Graph group.
    type: str
  left_before:
    description:
      - Users whose C(employeeLeaveDateTime) is this moment or an earlier one, written as O(left_at), or V(now).
      - Needs the application permission C(User-LifeCycleInfo.Read.All).
    type: str
  blocked:
    description:
      - All users whose sign-in is blocked, guests, shared mailboxes and rooms among them.
      - Corresponds to C(accountEnabled) of the Graph user.
    type: bool
    default: false
  earlier:
    description:
      - What evidence of earlier runs says, as the role P(m365.offboarding.offboard_employee#role) gives it. It maps the id of a tenant to a
        list of users, each with C(id), C(user) (the name then), C(left_at), C(shut_out) and C(password). Only the tenant of the credential
        counts.
      - These users are read as well, by object id. Of those whom nobody named and no search found, C(earlier) is told.
      - A C(left_at) in the future does not count for a user with C(shut_out), wherever it comes from.
      - C(password) is the C(lastPasswordChangeDateTime) that a reset by this collection wrote. Where it is still the same, and sign-in is
        blocked, a later sign-out by another tool leaves the password shut.
    type: dict
    default: {}
  left_at:
    description:
      - The moment from which the users must be kept out, for those who bring none of their own.
      - Written in ISO 8601 with an offset, for example V(2026-11-20T17:00:00+01:00). Compared with Microsoft's clock.
      - For users whom a search found, their own C(employeeLeaveDateTime) comes before this, also one that lies ahead, where the
        application may read it.
    type: str
  steps:
    description: Whose doors to look at. Leave V(protocols) out for a tenant without Exchange Online.
    type: list
    elements: str
    choices: [password, sessions, signin, protocols]
    default: [password, sessions, signin, protocols]
  protocols:
    description:
      - Which mailbox protocols to look at, as in M(m365.offboarding.exo_mailbox_protocols).
      - Of a user of the cloud who has an enabled Exchange plan and no mailbox, they are V(unknown), since the mailbox may be about to
        appear; C(notes) says so. It is asked for again within O(verify_timeout).
    type: list
    elements: str
    default: [all]
  directory_roles:
    description:
      - Whether to read the active directory roles of each user, held directly or through a group. Roles that Privileged Identity
        Management could activate, and roles scoped to an administrative unit, are not seen there.
      - That there is a role can be read with C(User.Read.All); its name needs C(RoleManagement.Read.Directory), otherwise its id is told.
    type: bool
    default: false
  person:
    description:
      - Whether to read who each user is, so that a wrong person is noticed. These are C(department), C(job_title), C(manager),
        C(user_type), C(created_date_time) and C(employee_hire_date) of RV(users). It takes no further request.
    type: bool
    default: true
  tenant_name:
    description:
      - Whether to tell RV(tenant_name), the display name of the tenant (C(organization)). It takes one request, which is sent once,
        last, and fails nothing.
      - Needs the application permission C(Organization.Read.All) or C(Directory.Read.All). Where the token does not show that the
        name may be read, it is not asked for.
    type: bool
    default: false
  suggest:
    description:
      - Whether the error of a user principal name that nobody has also names users with a similar one, three at most, for people to
        choose from. Nobody is ever looked at or acted on because of it.
      - They are searched for in one more request for the first five such names of a call. If the search fails, the error stays as it is.
    type: bool
    default: false
  mailbox_types:
    description:
      - Whether to tell C(mailbox_type), to tell shared mailboxes and resource accounts, whose sign-in is blocked by nature, from
        leavers.
      - It is read by C(Get-Mailbox), with C(Exchange.ManageAsApp), in one call for each user who has a mailbox and an open or unknown
        door, whose sign-in is blocked, and for whom no C(left_at) is known. Of nobody else, and only if O(steps) has V(protocols).
    type: bool
    default: false
  residual:
    description:
      - What else to look at that outlives a blocked account or comes back with it. It is told in C(residual), and never changed.
      - V(forwarding) is mail that leaves the organisation. The mailbox's C(ForwardingSmtpAddress) and C(ForwardingAddress) are read by
        C(Get-Mailbox), with C(Exchange.ManageAsApp); enabled inbox rules with C(forwardTo), C(forwardAsAttachmentTo) or
        C(redirectTo) with C(MailboxSettings.Read). An address counts unless its domain is one of C(Get-AcceptedDomain); if those cannot
        be read, every address counts. A recipient of the directory is looked up with C(Get-Recipient), one request for each. Of a
        contact its C(ExternalEmailAddress) counts, a group counts as inside, and a name that means nobody counts as outside. Hidden
        rules are not seen there. M(m365.offboarding.exo_mailbox_forwarding) turns it off.
      - V(directory_roles) are the roles of O(directory_roles), with C(User.Read.All).
      - V(applications) are owned applications with a secret (C(passwordCredentials)) or certificate (C(keyCredentials)) that has not
        ended by Microsoft's clock, with C(Application.Read.All).
      - V(consents) are the user's own C(oauth2PermissionGrants) and C(appRoleAssignments), with C(Directory.Read.All). Assignments that
        the user has through a group do not count.
      - V(devices) are C(registeredDevices) and C(ownedDevices) that are enabled, with C(Device.Read.All).
      - V(delegates) are others who may open the mailbox (C(Get-MailboxPermission)), or send as the user
        (C(Get-RecipientPermission)) or on the user's behalf (C(GrantSendOnBehalfTo)), with C(Exchange.ManageAsApp).
      - V(phones) are partnerships of phones with the mailbox (C(Get-MobileDevice)), with C(Exchange.ManageAsApp), unless the phone is
        blocked, be it by the organization or by C(ActiveSyncBlockedDeviceIDs) of the mailbox (C(Get-CASMailbox)).
      - V(sign_in_methods) are C(authentication/methods) other than the password, with C(UserAuthenticationMethod.Read.All).
      - V(memberships) are the groups that hold the user directly (C(memberOf)) and are not dynamic, with C(GroupMember.Read.All).
      - V(all) is all of them.
      - A topic never fails the module. What may not be read, or does not tell what decides, is told as not looked at.
    type: list
    elements: str
    choices: [all, forwarding, directory_roles, applications, consents, devices, delegates, phones, sign_in_methods, memberships]
    default: []
  written:
    description:
      - What other modules of this collection have just written, as M(m365.offboarding.leaver_offboarding) sums it up. Users who are
        still read as before that are read again, until O(verify_timeout) is over.
      - The role P(m365.offboarding.offboard_employee#role) ends each batch with such a read. A read that fails is not
        repeated for this; faults have O(retry_timeout).
    type: dict
    default: {}
notes:
  - Since 2026 Microsoft names a smaller permission for listing the members of a group than the one that is asked for here
    (U(https://learn.microsoft.com/graph/api/group-list-transitivemembers)); finding the group by its name may need more.
  - Agent users (C(agentUser), since May 2026) are users too (U(https://learn.microsoft.com/graph/api/resources/agentuser)). One that acted
    for a leaver is another account, and must be named beside the leaver's own.
  - Mailbox protocols need the application permission C(Exchange.ManageAsApp) on Office 365 Exchange Online, and the Entra role
    C(Global Reader) or the Exchange role C(View-Only Recipients). So does what Exchange Online tells for O(residual).
  - Where the application may not read C(employeeLeaveDateTime), whether somebody whom O(filter) or O(group) finds leaves later is not
    known, unless O(left_at) is given. A warning says so.
seealso:
  - module: m365.offboarding.m365_user_password
  - module: m365.offboarding.m365_user_sessions
  - module: m365.offboarding.m365_user_signin
  - module: m365.offboarding.exo_mailbox_protocols
"""

EXAMPLES = r"""
- name: Look at a leaver's doors
  m365.offboarding.m365_user_info:
    users: jane.doe@contoso.com
    directory_roles: true
  register: doors

- name: Look at everybody who left until now, and at what else is left of their access
  m365.offboarding.m365_user_info:
    left_before: now
    residual: [forwarding, applications, devices]
  register: leavers

- name: Look at the members of a group
  m365.offboarding.m365_user_info:
    group: Leavers
  register: members

- name: Show since when each member has had their password, and whether they may sign in
  ansible.builtin.debug:
    msg: "{{ item.display_name }}: {{ item.last_password_change_date_time }}, {{ item.account_enabled | ternary('allowed', 'blocked') }}"
  loop: "{{ members.users }}"
  loop_control:
    label: "{{ item.user }}"

- name: Fail when one is open
  ansible.builtin.assert:
    that: doors.users[0].open | length == 0
    quiet: true
"""

RETURN = r"""
automation:
  description:
    - Who did this, by the token that was used, with the keys C(tenant_id), C(client_id) and C(application_name) (the application; the
      name is null where the token does not tell it) and C(object_id) (its service principal, or the user in whose name it acts). Null
      when nothing was sent.
  type: dict
  returned: always
  sample:
    tenant_id: 8f3e6b1c-54ad-4f0e-9d0c-0d7f2f2d1c11
    client_id: 1b2c3d4e-5f60-4172-8394-a5b6c7d8e9f0
    application_name: m365-offboarding
    object_id: 0a1b2c3d-4e5f-4061-8273-94a5b6c7d8e9
check_mode:
  description: Whether this was check mode.
  type: bool
  returned: always
  sample: false
msg:
  description: What came of it, in one line.
  type: str
  returned: always
  sample: "1 user: 1 unchanged."
read_at:
  description: When the users had been read, by Microsoft's clock; null where that is not known.
  type: str
  returned: success
  sample: "2026-11-20T16:04:07Z"
verify_timeout:
  description: How many seconds were allowed for a write to become visible, from O(verify_timeout) or the environment.
  type: float
  returned: success
  sample: 30.0
tenant_name:
  description: With O(tenant_name), the display name of the tenant. Null without it, and where the application may not read it.
  type: str
  returned: success
  sample: Contoso
users:
  description:
    - One record per user, in the order asked for, then in the order found, then those of O(earlier) alone.
    - Every record has all of these keys. A fact is null where it is not set, or was not or could not be read.
  type: list
  elements: dict
  returned: always
  contains:
    user:
      description: The user as asked for; of who was found the user principal name, or the object id if they could not be read.
      type: str
      sample: jane.doe@contoso.com
    id:
      description: The object id, null for who could not be read.
      type: str
      sample: 5c1f3f8a-3d5e-4b63-9d0a-3f5f6f0f8f11
    user_principal_name:
      description: The user principal name, null for who could not be read.
      type: str
      sample: jane.doe@contoso.com
    display_name:
      description: The display name.
      type: str
      sample: Jane Doe
    status:
      description: V(unchanged), or V(failed) when something that was asked for could not be read, see C(error).
      type: str
      sample: unchanged
    error:
      description:
        - Null, or what could not be read, with C(code), C(message), C(hint), which is what to do about it, and C(request_id), which is
          for Microsoft's support.
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
      description: Sessions that began before this moment are void (C(signInSessionsValidFromDateTime)).
      type: str
      sample: "2026-11-20T16:04:09Z"
    mailbox_protocols:
      description:
        - Each protocol of O(protocols) that the mailbox has, true where it is on. For C(smtp_auth), null means that the setting of the
          organisation applies.
        - Null where there is no mailbox, where it could not be read, and if O(steps) does not have V(protocols).
      type: dict
      sample: {activesync: true, owa: false}
    department:
      description: The department, as the other facts down to C(employee_hire_date) null without O(person).
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
      description: When the user was hired (C(employeeHireDate)). It is read only where no object id was given.
      type: str
      sample: "2019-03-01T00:00:00Z"
    left_at:
      description: The moment from which the user must be kept out, null if not known.
      type: str
      sample: "2026-11-20T16:00:00Z"
    due:
      description:
        - Whether C(left_at) has passed by Microsoft's clock; true if there is none.
        - Null for a user whom a search found, who can sign in, and whose C(employeeLeaveDateTime) the application may not read. Such a user
          may leave later, and the role P(m365.offboarding.offboard_employee#role) refuses to lock them out.
        - A C(employeeLeaveDateTime) that lies ahead counts only for users whom a search found. Who is named may be dismissed early.
      type: bool
      sample: true
    protected:
      description: Whether the user is in O(protected_users), or is the account that is used here.
      type: bool
      sample: false
    by_name:
      description:
        - Whether the user was asked for by a name alone. False where an object id was given, and for users that a search found.
      type: bool
      sample: true
    earlier:
      description:
        - Null, or for a user of O(earlier) whom nobody named and no search found, C(id) and C(user_principal_name) of then, and
          C(namesake), the object id of another user who has that name now. It is null where there is none.
      type: dict
      sample: null
    wrong_person:
      description:
        - Null, or why the account may not be that of the person who was asked for. It was created (C(createdDateTime)) or its user
          was hired (C(employeeHireDate)) after C(left_at), or its object id is not the one that was given with the name.
        - The other modules and the role P(m365.offboarding.offboard_employee#role) refuse such a user. An object id that is right decides
          alone.
      type: dict
      sample: null
    directory_roles:
      description: Names or ids of active directory roles, null if they were not read.
      type: list
      elements: str
      sample: []
    directory_roles_error:
      description: Null, or why the roles could not be read.
      type: dict
      sample: null
    contradiction:
      description: Null, or why this user must not be written, having been named with different moments.
      type: dict
      sample: null
    must_stay:
      description: Null, or, with O(directory_roles), why this user must not be locked out, being the last Global Administrator.
      type: dict
      sample: null
    mailbox_type:
      description:
        - The C(RecipientTypeDetails) of the mailbox, such as V(UserMailbox), V(SharedMailbox), V(RoomMailbox) or V(EquipmentMailbox).
          Null where it was not read, see O(mailbox_types).
      type: str
      sample: null
    mailbox_type_error:
      description: Null, or why the type of the mailbox could not be read.
      type: dict
      sample: null
    doors:
      description: Each door with V(open), V(shut), V(unknown) (it could not be read) or V(not_applicable).
      type: dict
      sample: {password: shut, sessions: shut, signin: shut, activesync: open, owa: shut}
    open:
      description: The doors that are open.
      type: list
      elements: str
      sample: [activesync]
    notes:
      description: What a person must know about this user, by step.
      type: dict
      sample: {}
    surely_shut_by:
      description: When Microsoft says that a step's door is surely shut, where that is known.
      type: dict
      sample: {password: "2026-11-20T17:04:09Z", sessions: "2026-11-20T17:04:09Z"}
    residual:
      description:
        - What else is left of the user's access, by topic of O(residual). Empty for who could not be looked up.
        - Each topic has C(state), which is V(none), V(found) or V(not_looked_at); C(found), a list with a C(text) for people and
          the facts by themselves; C(note), such as which part was not looked at, or null; C(permission), what the topic needs; and
          C(error), null or why something was not looked at.
        - V(none) is told only where all of a topic was read. Topics of a mailbox are V(none) for who has none.
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

from ansible_collections.m365.offboarding.plugins.module_utils._doors import STEPS, Protocols
from ansible_collections.m365.offboarding.plugins.module_utils._errors import OptionError
from ansible_collections.m365.offboarding.plugins.module_utils._graph import organization_name
from ansible_collections.m365.offboarding.plugins.module_utils._module import run_module
from ansible_collections.m365.offboarding.plugins.module_utils._run import Job, Run, argument_spec
from ansible_collections.m365.offboarding.plugins.module_utils._times import format_moment
from ansible_collections.m365.offboarding.plugins.module_utils._topics import TOPICS
from ansible_collections.m365.offboarding.plugins.module_utils._user_info import observe
from ansible_collections.m365.offboarding.plugins.module_utils._user_input import (
    RequestedUser,
    Search,
    names_nobody,
    parse_known,
)
from ansible_collections.m365.offboarding.plugins.module_utils._written import is_digest


def selection(run: Run) -> tuple[list[RequestedUser], Search]:
    """Who is named, and whom to look for."""
    search, users = Search.parse(run.params), run.params["users"]
    if (search or run.params["earlier"]) and names_nobody(users):
        return [], search
    if users in (None, [], [""]):
        raise OptionError("Nobody is meant: users, filter, group, left_before and blocked are all empty or not given.")
    return run.asked(), search


def look(run: Run) -> list[dict[str, t.Any]]:
    asked, search = selection(run)
    protocols = Protocols.parse(run.params["protocols"])
    if not is_digest(run.params["written"]):
        raise OptionError("written is not what the role offboard_employee gives.")
    tenant = run.tenant(with_exchange=True)
    if run.params["earlier"]:
        # Evidence of a tenant that cannot be told is nobody's here.
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
            "Whether anybody who was found leaves later is not known: the application may not read their leave dates "
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
