# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: target_hosts
short_description: Return a pattern of hosts, or fail if it matches none
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Ansible skips a play whose pattern matches no host, and reports the run as successful. With this lookup as C(hosts) the run fails before
    anything is sent.
  - The limit of the run (C(--limit)) is taken into account.
options:
  _terms:
    description: The pattern, in the form that C(hosts) of a play takes.
    type: list
    elements: raw
    required: true
"""

EXAMPLES = r"""
- name: Shut leavers out of the selected tenants, or fail
  hosts: "{{ lookup('m365.offboarding.target_hosts', target_hosts | default('localhost')) }}"
  gather_facts: false
  roles:
    - m365.offboarding.offboard_employee
"""

RETURN = r"""
_raw:
  description: The pattern as given.
  type: list
  elements: raw
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.inventory.manager import InventoryManager
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible has no types
    def run(self, terms: t.Any, variables: t.Any = None, **kwargs: t.Any) -> list[t.Any]:
        known = variables or {}
        manager = InventoryManager(self._loader, parse=False)
        for group, hosts in (known.get("groups") or {}).items():
            manager.add_group(group)
            for host in hosts:
                manager.add_host(host, group=group)
        limit = known.get("ansible_limit")
        manager.subset(limit)
        for pattern in terms:
            if not pattern or not manager.get_hosts(pattern=pattern):
                within = f" within the limit {limit!r}" if limit else ""
                raise AnsibleLookupError(f"target_hosts: the pattern {pattern!r} matches no host{within}.")
        return list(terms)
