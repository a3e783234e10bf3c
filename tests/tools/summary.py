# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Count what pytest ran in all sessions of nox since the reports were last cleared away."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET

from . import tree


def main() -> int:
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for report in sorted((tree.WORK / "reports").glob("*.xml")):
        counts = dict.fromkeys(total, 0)
        for suite in ET.parse(report).getroot().iter("testsuite"):
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped = int(suite.get("skipped", 0))
            counts["failed"] += failed
            counts["skipped"] += skipped
            counts["passed"] += int(suite.get("tests", 0)) - failed - skipped
        print(f"{report.stem:16}", _told(counts))
        total = {outcome: total[outcome] + number for outcome, number in counts.items()}
    print(_told(total))
    return 1 if total["failed"] or not total["passed"] else 0


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {outcome}" for outcome, number in counts.items())


if __name__ == "__main__":
    sys.exit(main())
