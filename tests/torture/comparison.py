"""Source and destination as multisets of rows, at a moment when nobody writes."""

import psycopg
from harness.database import Database, difference
from harness.scenario import Table

from torture.catalog import quoted

_NAMES = """
SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"""


def unlike(source: Database, target: Database, tables: list[Table]) -> str:
    """Tells each table that differs, with the first rows; nothing if all are equal."""
    told = []
    for table in tables:
        try:
            found = _unlike(source, target, table)
        except psycopg.errors.UndefinedTable as error:
            found = f"not there: {error}"
        except psycopg.errors.UndefinedColumn as error:
            found = f"columns: {error}"
        if found:
            told.append(f"table {quoted(table.name)}: {found}")
    return "\n".join(told)


def _unlike(source: Database, target: Database, table: Table) -> str:
    columns = source.columns_of(table)
    there = {column for (column,) in target.query(_NAMES, [quoted(table.name)])}
    if there != set(columns):
        return f"columns {sorted(columns)} at the source, {sorted(there)} at the destination"
    if not table.where and columns and source.checksum_of(table, columns) == target.checksum_of(table, columns):
        return ""
    wanted = source.rows_of(table, columns, table.where)
    return difference(wanted, target.rows_of(table, columns))
