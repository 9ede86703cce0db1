"""Attaches a lake read-only with DuckDB's own ducklake extension and prints what it reads, as JSON lines.

    duckdb_attach.py CATALOG.sqlite [SNAPSHOT ...]

One line a table and snapshot (all snapshots when none is named):
{"snapshot": 2, "table": "products", "rows": 3, "sums": {"_row": "6", ...}, "digest": "..."}
Sums are of whole numbers, decimals and dates (as days); the digest is over all rows, sorted, as text.
Works without a network: the extensions come from PyPI packages.
"""

import hashlib
import json
import sys

import duckdb
from duckdb_extensions import import_extension


def connect(catalog, snapshot):
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    version = "" if snapshot is None else f", snapshot_version {snapshot}"
    connection.execute("load sqlite")
    connection.execute("load ducklake")
    connection.execute(f"attach 'ducklake:sqlite:{catalog}' as lake (read_only{version})")
    return connection


def describe(connection, snapshot, table):
    columns = connection.execute(f'describe lake."{table}"').fetchall()
    sums = {}
    for name, kind, *_ in columns:
        if kind in ("BIGINT", "INTEGER") or kind.startswith("DECIMAL"):
            value = f'sum("{name}")::varchar'
        elif kind == "DATE":
            value = f"sum(\"{name}\" - date '1970-01-01')::varchar"
        else:
            continue
        sums[name] = connection.execute(f'select {value} from lake."{table}"').fetchone()[0]
    rows = connection.execute(f'select * from lake."{table}"').fetchall()
    texts = sorted("|".join("" if cell is None else str(cell) for cell in row) for row in rows)
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    return {"snapshot": snapshot, "table": table, "rows": len(rows), "sums": sums, "digest": digest}


def main():
    catalog, *wanted = sys.argv[1:]
    import_extension("sqlite")
    import_extension("ducklake")
    newest = connect(catalog, None)
    snapshots = [int(n) for n in wanted] or [
        row[0] for row in newest.execute("select snapshot_id from lake.snapshots() order by 1").fetchall()
    ]
    for snapshot in snapshots:
        connection = connect(catalog, snapshot)
        tables = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'lake' order by 1"
        ).fetchall()
        for (table,) in tables:
            print(json.dumps(describe(connection, snapshot, table), ensure_ascii=False))
        connection.close()


if __name__ == "__main__":
    main()
