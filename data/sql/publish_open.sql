-- A snapshot beneath a database in memory, to copy its tables out of it.
ATTACH {path} AS snapshot (READ_ONLY);
