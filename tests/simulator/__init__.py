# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Microsoft 365 tenant on this machine: Entra, Graph and Exchange Online, strict enough to be believed.

    with Tenant() as tenant:
        os.environ.update(tenant.environment)

or, in the foreground, `python -m simulator` from the `tests` folder.
"""

from __future__ import annotations

from .faults import Fault
from .server import Tenant

__all__ = ["Fault", "Tenant"]
