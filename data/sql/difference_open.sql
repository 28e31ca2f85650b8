-- Two snapshots side by side, to count what is different.
ATTACH {before} AS before (READ_ONLY);
ATTACH {after} AS after (READ_ONLY);
