"""What a user would do instead of an import: DuckDB turns the same lines into Parquet.

usage: duckdb_import.py GLOB OUT.parquet   (prints events and seconds as JSON)
"""
import json, sys, time
import duckdb

files, out = sys.argv[1:3]
connection = duckdb.connect()
began = time.perf_counter()
connection.execute(
    f"COPY (SELECT jsonPayload.* FROM read_json('{files}', format='newline_delimited')) "
    f"TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
)
seconds = time.perf_counter() - began
events = connection.execute(f"SELECT count(*) FROM '{out}'").fetchone()[0]
print(json.dumps({"version": duckdb.__version__, "events": events, "seconds": seconds}))
