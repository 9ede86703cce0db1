"""Runs one command and tells how long it took and how much memory it had at its peak.

    measure.py REPORT.json COMMAND [ARGUMENT...]

The command's own output goes where ours goes. Used by `cargo xtask bench`, since the standard library of
Rust does not tell a child's peak memory.
"""

import json
import resource
import subprocess
import sys
import time


def main() -> int:
    report, command = sys.argv[1], sys.argv[2:]
    begun = time.monotonic()
    status = subprocess.run(command, check=False).returncode
    seconds = time.monotonic() - begun
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(report, "w", encoding="utf-8") as out:
        json.dump(
            {
                "seconds": round(seconds, 3),
                "user_seconds": round(usage.ru_utime, 3),
                "system_seconds": round(usage.ru_stime, 3),
                "peak_megabytes": usage.ru_maxrss // 1024,
                "status": status,
            },
            out,
        )
    return status


if __name__ == "__main__":
    sys.exit(main())
