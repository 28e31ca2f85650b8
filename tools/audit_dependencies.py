"""Known faults of what is installed: ``python -m tools.audit_dependencies``.

It asks the index of known vulnerabilities, which needs the internet. Where that cannot be reached it says
so and succeeds; a vulnerability that is found is a failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

_SECONDS = 300


def main() -> int:
    """Print what is known, and return 1 where a package has a known vulnerability."""
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "pip_audit", "--local", "--format", "json", "--progress-spinner", "off"],
            capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
        packages = json.loads(ended.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("NOT AUDITED: the index of known vulnerabilities cannot be reached from here.")
        return 0
    found = report(packages)
    print("\n".join(found))
    return 1 if any(line.startswith("VULNERABLE") for line in found) else 0


def report(packages: list[dict[str, Any]]) -> list[str]:
    """Return what an audit of packages found, in lines.

    Parameters
    ----------
    packages : list of dict
        As pip-audit prints them: name, version and vulns, or name and skip_reason.
    """
    asked = [package for package in packages if "vulns" in package]
    if not asked:
        return ["NOT AUDITED: the index of known vulnerabilities knows none of these packages."]
    lines = [
        f"VULNERABLE {package['name']} {package['version']}: {fault['id']}, "
        f"mended in {', '.join(fault['fix_versions']) or 'no version yet'}"
        for package in asked
        for fault in package["vulns"]
    ]
    skipped = [str(package["name"]) for package in packages if "vulns" not in package]
    if skipped:
        lines.append(f"Not audited: {', '.join(skipped)}.")
    return [*lines, f"{len(asked)} packages audited."]


if __name__ == "__main__":
    sys.exit(main())
