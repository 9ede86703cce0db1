"""The peer of the benchmark: DuckDB runs the same collisions over the same Parquet files.

    bench_duckdb.py DATA QUERIES AS_OF THREADS MEMORY_GB REPORT.json [GRAPH_DIR]

DATA is a data directory of lianjing (its catalogue says which Parquet files are live), QUERIES the folder
with `rules/` and `views/`. Each rule's own SQL is carried over to DuckDB's dialect word by word, so that the
peer answers the very same question and a changed rule changes the peer with it. Where DuckDB has a better
way to say it, `duckdb_rules/<rule file's name>` beside this script is run instead.

What makes it fair, or favours the peer:
- a view that is read twice or more, by rules or by one of them, is computed once, as lianjing does, and its
  time counts;
- only the columns of parties that a rule names are joined in;
- what the graph answers (`related_suppliers()`, `related_parties(n)`) is no SQL: the peer gets the finished
  rows from GRAPH_DIR (`<function>.parquet` or `.jsonl`) and pays nothing for them;
- the files are in the page cache, since lianjing has just read them.
"""

import json
import pathlib
import re
import sqlite3
import sys
import time

import duckdb

HERE = pathlib.Path(__file__).parent

MACROS = """
create macro local_date(t) as cast(t + interval 8 hours as date);
create macro norm_mac(t) as case
    when regexp_matches(upper(t), '^[0-9A-F]{2}([-:.]?[0-9A-F]{2}){5}$')
        or regexp_matches(upper(t), '^[0-9A-F]{4}[.][0-9A-F]{4}[.][0-9A-F]{4}$')
    then lower(regexp_replace(t, '[^0-9A-Fa-f]', '', 'g')) end;
create macro norm_phone(t) as case
    when length(regexp_replace(t, '[^0-9]', '', 'g')) >= 7
    then regexp_replace(regexp_replace(t, '[^0-9]', '', 'g'), '^(0086|86)(1[0-9]{10})$', '\\2') end;
create macro norm_account(t) as case
    when length(regexp_replace(t, '[^0-9]', '', 'g')) >= 8 then regexp_replace(t, '[^0-9]', '', 'g') end;
create macro hash64(a) as case when a is not null then hash(a) end,
    (a, b, c) as case when a is not null and b is not null and c is not null then hash(a, b, c) end;
create macro balance64(q, a, b, c, d) as case
    when a is not null and b is not null and c is not null and d is not null
    then cast(hash(a, b, c, d) >> 1 as hugeint) * cast(q * 10000 as bigint) end;
create macro regexp_like(t, p) as regexp_matches(t, p);
"""


class Query:
    """A rule's or a view's file: its front matter, as far as it matters here, and its SELECT."""

    def __init__(self, path: pathlib.Path):
        text = path.read_text(encoding="utf-8")
        head, sql = re.match(r"\s*/\*---\n(.*?)\n---\*/(.*)", text, re.S).groups()
        self.path = path
        self.head = head
        self.sql = sql.strip().rstrip(";")
        self.name = re.search(r"^(?:id|name):\s*(\S+)", head, re.M).group(1)
        own = HERE / "duckdb_rules" / path.name
        self.by_hand = own.exists()
        if self.by_hand:
            self.sql = own.read_text(encoding="utf-8").strip().rstrip(";")
        self.plain = re.sub(r"--[^\n]*", "", self.sql)

    def params(self) -> dict:
        """The defaults under `params:`, written as YAML in one line or as a list below it."""
        match = re.search(r"^params:(.*(?:\n[ \t]+.*)*)", self.head, re.M)
        if not match:
            return {}
        body = match.group(1).strip()
        if not body.startswith("{"):
            pairs = re.findall(r"^\s+(\w+):\s*(.*)$", match.group(1), re.M)
            return {name: parameter(value.strip()) for name, value in pairs}
        found = {}
        for name, value in re.findall(r"(\w+):\s*(\[[^\]]*\]|\"[^\"]*\"|[^,}]+)", body[1:-1]):
            found[name] = parameter(value.strip())
        return found


def quoted(text: str) -> str:
    return "'" + text.strip().strip("'\"").replace("'", "''") + "'"


def parameter(value: str) -> str:
    """A parameter's default as an SQL literal: decimals are quoted in the front matter, words are not."""
    if value.startswith("["):
        return ", ".join(quoted(v) for v in value[1:-1].split(","))
    bare = value.strip("'\"")
    if re.fullmatch(r"-?\d+", bare):
        return bare
    if re.fullmatch(r"-?\d+\.\d+", bare):
        return f"cast({bare} as decimal(18, 4))"
    if re.fullmatch(r"\d{4}-\d\d-\d\d", bare):
        return f"date '{bare}'"
    return quoted(bare)


def arguments(text: str, at: int) -> tuple:
    """The arguments of the call whose parenthesis opened before `at`, and where it closes."""
    depth, quote, begun, found = 0, False, at, []
    for n in range(at, len(text)):
        c = text[n]
        if c == "'":
            quote = not quote
        elif quote:
            continue
        elif c in "([{":
            depth += 1
        elif c in ")]}" and depth:
            depth -= 1
        elif c == "," and not depth:
            found.append(text[begun:n].strip())
            begun = n + 1
        elif c == ")":
            found.append(text[begun:n].strip())
            return found, n
    raise ValueError("a call does not close")


def structs(sql: str) -> str:
    """`named_struct('a', x, 'b', y)` is `{'a': x, 'b': y}` there."""
    while (call := sql.find("named_struct(")) >= 0:
        given, end = arguments(sql, call + len("named_struct("))
        fields = ", ".join(f"{name}: {value}" for name, value in zip(given[::2], given[1::2]))
        sql = sql[:call] + "{" + fields + "}" + sql[end + 1 :]
    return sql


def translate(sql: str, params: dict, as_of: str) -> str:
    """From DataFusion's dialect to DuckDB's."""
    values = {"as_of": f"date '{as_of}'", **params}
    sql = re.sub(r"\$(\w+)", lambda m: values[m.group(1)], sql)
    sql = structs(sql)
    # The aggregate with an order of its own is `first` there; `over` makes it the window function.
    sql = re.sub(r"\bfirst_value\(", "first(", sql)
    sql = re.sub(r"\bleft anti join\b", "anti join", sql)
    sql = re.sub(r"\bleft semi join\b", "semi join", sql)
    sql = re.sub(r"\barray_concat\(", "list_concat(", sql)
    sql = re.sub(r"\bmake_array\(", "list_value(", sql)
    return sql


class Lake:
    """The live Parquet files of a data directory, told by its catalogue."""

    def __init__(self, data: pathlib.Path):
        self.tables = {}
        catalogue = sqlite3.connect(f"file:{data / 'catalog.sqlite'}?mode=ro", uri=True)
        rows = catalogue.execute(
            """
            select t.table_name, t.path, f.path, f.path_is_relative, f.record_count
            from ducklake_table t
            left join ducklake_data_file f on f.table_id = t.table_id and f.end_snapshot is null
            where t.end_snapshot is null
            order by t.table_name, f.data_file_id
            """
        ).fetchall()
        dead = catalogue.execute(
            "select count(*) from ducklake_delete_file where end_snapshot is null"
        ).fetchone()[0]
        if dead:
            raise SystemExit("the lake holds deleted rows: measure a freshly synced one")
        columns = catalogue.execute(
            """
            select t.table_name, c.column_name, c.column_type
            from ducklake_column c join ducklake_table t on t.table_id = c.table_id
            where c.end_snapshot is null and t.end_snapshot is null
            order by t.table_name, c.column_order
            """
        ).fetchall()
        self.columns = {}
        for table, column, kind in columns:
            self.columns.setdefault(table, []).append((column, kind))
        names = {p.name: p for p in data.glob("lake/**/*.parquet")}
        for table, _, path, _, count in rows:
            files = self.tables.setdefault(table, [[], 0])
            if path is not None:
                files[0].append(str(names[pathlib.Path(path).name]))
                files[1] += count


def slots(columns: list) -> list:
    """`_supplier_ref` is the mention slot `supplier`."""
    return [m.group(1) for name, _ in columns if (m := re.fullmatch(r"_(\w+)_ref", name))]


DUCK_TYPES = {"int64": "bigint"}


def create_view(con, lake: Lake, dataset: str, text: str) -> None:
    """`dataset` as rules see it, with those columns of parties that `text` names."""
    files, _ = lake.tables[dataset]
    columns = lake.columns[dataset]
    own = [f't."{name}"' for name, _ in columns if not re.fullmatch(r"_\w+_ref", name)]
    if files:
        source = f"read_parquet({files!r})"
    else:
        empty = ", ".join(f'cast(null as {DUCK_TYPES.get(k, k)}) as "{n}"' for n, k in columns)
        source = f"(select {empty} limit 0)"
    joins = []
    for slot in slots(columns):
        wanted = [c for c in ("party_id", "party_key") if f"{slot}_{c.replace('party_key', 'key')}" in text]
        if not wanted:
            continue
        joins.append(f'left join _party_refs as "r_{slot}" on t."_{slot}_ref" = "r_{slot}".ref')
        for column in wanted:
            own.append(f'"r_{slot}".{column} as {slot}_{column.replace("party_key", "key")}')
    con.execute(
        f'create or replace temp view "{dataset}" as select {", ".join(own)} from {source} as t {" ".join(joins)}'
    )


def words(sql: str) -> set:
    return set(re.findall(r"\b[a-z_]+\b", sql))


def load(queries: pathlib.Path):
    views = {q.name: q for q in map(Query, sorted(queries.glob("views/*.sql")))}
    rules = [Query(p) for p in sorted(queries.glob("rules/*/*.sql"))]
    return views, rules


def closure(query: Query, views: dict) -> list:
    """The views that a query reads, those they read first."""
    found = []

    def visit(q):
        for name in sorted(words(q.plain) & set(views)):
            if name != q.name and name not in found:
                visit(views[name])
                if name not in found:
                    found.append(name)

    visit(query)
    return found


def times_read(query: Query, name: str) -> int:
    """How often a query reads a view: what is read twice is computed once and kept, as lianjing does."""
    return len(re.findall(rf"\b(?:from|join)\s+{name}\b", query.plain))


def main() -> None:
    data, queries = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    as_of, threads, memory, report = sys.argv[3], sys.argv[4], sys.argv[5], sys.argv[6]
    graph = pathlib.Path(sys.argv[7]) if len(sys.argv) > 7 else None
    lake = Lake(data)
    views, rules = load(queries)

    con = duckdb.connect()
    con.execute(f"set threads = {int(threads)}")
    con.execute(f"set memory_limit = '{int(memory)}GB'")
    con.execute(MACROS)
    refs = lake.tables["_party_refs"][0]
    con.execute(f"create temp table _party_refs as select ref, party_id, party_key from read_parquet({refs!r})")
    for file in sorted(graph.glob("*")) if graph else []:
        reader = "read_parquet" if file.suffix == ".parquet" else "read_json_auto"
        con.execute(f"create temp table graph_{file.stem} as select * from {reader}('{file}')")
        con.execute(f"create macro {file.stem}(hops := 4) as table select * from graph_{file.stem}")

    uses = {rule.name: closure(rule, views) for rule in rules}
    readers = {name: 0 for name in views}
    for query in rules + [views[name] for name in sorted(set().union(*uses.values()))]:
        for name in views:
            if name != query.name:
                readers[name] += times_read(query, name)
    datasets = [d for d in lake.tables if d != "_party_refs"]
    made, results, shared_seconds = set(), [], {}

    def prepare(query: Query, used: list) -> None:
        text = query.plain + " ".join(views[v].plain for v in used)
        for dataset in sorted(words(text) & set(datasets)):
            create_view(con, lake, dataset, text)
        for name in used:
            view = views[name]
            if name in made:
                continue
            sql = translate(view.sql, view.params(), as_of)
            # A plain pass over one table is read in place, by lianjing too.
            in_place = not re.search(r"\b(with|join|union|group by)\b", view.plain)
            if readers[name] > 1 and not in_place:
                begun = time.monotonic()
                con.execute(f'create temp table "{name}" as {sql}')
                shared_seconds[name] = round(time.monotonic() - begun, 4)
                made.add(name)
            else:
                con.execute(f'create or replace temp view "{name}" as {sql}')

    begun_all = time.monotonic()
    for rule in rules:
        outcome = {"rule": rule.name, "by_hand": rule.by_hand}
        try:
            prepare(rule, uses[rule.name])
            sql = translate(rule.sql, rule.params(), as_of)
            begun = time.monotonic()
            rows = con.execute(sql).fetchall()
            outcome["seconds"] = round(time.monotonic() - begun, 4)
            outcome["rows"] = len(rows)
        except (duckdb.Error, KeyError) as error:
            outcome["error"] = str(error).splitlines()[0]
        results.append(outcome)
    total = round(time.monotonic() - begun_all, 4)
    with open(report, "w", encoding="utf-8") as out:
        json.dump(
            {"version": duckdb.__version__, "total_seconds": total, "shared": shared_seconds, "rules": results},
            out,
            indent=1,
        )


if __name__ == "__main__":
    main()
