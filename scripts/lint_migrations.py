"""Renders each package's migrations as SQL and lets squawk judge it: locks and rewrites that hurt a live database."""

import io
import subprocess
import sys
from pathlib import Path

from common import migrations

PACKAGES = ("common", "auth_service", "listings_service", "orders_service", "compliance_service")
# A first revision creates empty tables: nothing is locked that anybody uses. Types are fixed by the models.
EXCLUDED = (
    "prefer-robust-stmts,require-concurrent-index-creation,require-timeout-settings,prefer-bigint-over-int,"
    "prefer-identity,prefer-text-field,prefer-timestamptz,adding-foreign-key-constraint,ban-char-field"
)
SQUAWK = Path(sys.executable).with_name("squawk")


def main() -> int:
    failed = 0
    for package in PACKAGES:
        sql = io.StringIO()
        migrations.sql(package, sql)
        judged = subprocess.run(  # noqa: S603 - the wheel's own binary
            [
                SQUAWK,
                "--exclude",
                EXCLUDED,
                "--pg-version",
                "18",
                "--stdin-filepath",
                package,
            ],
            input=sql.getvalue(),
            text=True,
            capture_output=True,
            check=False,
        )
        if judged.returncode:
            failed = 1
            sys.stdout.write(judged.stdout + judged.stderr)
    sys.stdout.write("migrations: " + ("see above\n" if failed else f"{len(PACKAGES)} packages, nothing to object\n"))
    return failed


if __name__ == "__main__":
    sys.exit(main())
