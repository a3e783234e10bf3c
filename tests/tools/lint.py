# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run ansible-lint on a copy that lies in a collections tree, where it resolves our names and installs nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from . import tree


def main(arguments: list[str]) -> int:
    collection = tree.copy("ansible-lint")
    environment = {
        **os.environ,
        **tree.home("ansible-lint"),
        "ANSIBLE_COLLECTIONS_PATH": str(collection.parents[2]),
        "NO_COLOR": "1",
    }
    command = ["ansible-lint", "--offline", "--strict", "--profile=production", *arguments]
    ran = subprocess.run(
        command,
        cwd=collection,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(ran.stdout)
    looked_at = re.search(r"in ([0-9]+) files processed", ran.stdout)
    least = sum(
        1 for path in tree.listed() if re.match(r"(playbooks/[^/]+|roles/[^/]+/(tasks|handlers)/.+)\.yml", path)
    )
    if not looked_at or int(looked_at.group(1)) < max(least, 1):
        print(f"ERROR: ansible-lint did not look at the {least} playbooks and task files there are")
        return 1
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
