"""What a user would do instead of asking the catalogue: DuckDB on one Parquet file of the launches.

usage: duckdb_kpis.py 'TABLE/*.parquet' OUT.parquet   (prints the median of five answers of each question as JSON, seconds)
"""
import json, statistics, sys, time
import duckdb

files, out = sys.argv[1:3]
connection = duckdb.connect()
connection.execute(
    "COPY (SELECT time, CAST(time AT TIME ZONE 'UTC' AS DATE) AS day, provider, spec, origin, "
    "lower(regexp_replace(spec, '/[^/]*$', '')) AS repo, lower(split_part(spec, '/', 1)) AS owner "
    f"FROM read_parquet('{files}', union_by_name = true) "
    "WHERE schema = 'binderhub.jupyter.org/launch' AND status = 'success' AND NOT time_suspect) "
    f"TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
)
launches = f"'{out}'"
firsts = f"SELECT repo, min(day) AS day FROM {launches} GROUP BY repo"
questions = {
    "launches": f"SELECT day, count(*) FROM {launches} GROUP BY 1 ORDER BY 1",
    "launches-by-origin": f"SELECT day, origin, count(*) FROM {launches} GROUP BY 1, 2 ORDER BY 1, 2",
    "launches-by-provider": f"SELECT day, provider, count(*) FROM {launches} GROUP BY 1, 2 ORDER BY 1, 2",
    "repos-active": f"SELECT day, count(DISTINCT repo) FROM {launches} GROUP BY 1 ORDER BY 1",
    "top-repos": f"SELECT repo, count(*) FROM {launches} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 25",
    "repo-history": f"SELECT date_trunc('month', day), count(*) FROM {launches} "
    "WHERE repo = 'organisation-1/repository-1' GROUP BY 1 ORDER BY 1",
    "new-repos": f"SELECT day, count(*) FROM ({firsts}) GROUP BY 1 ORDER BY 1",
    "repo-survival": f"SELECT date_trunc('month', f.day), date_trunc('month', l.day), count(DISTINCT l.repo) "
    f"FROM {launches} l JOIN ({firsts}) f ON f.repo = l.repo GROUP BY 1, 2",
    "owners": f"SELECT day, count(DISTINCT owner) FROM {launches} GROUP BY 1 ORDER BY 1",
    "concentration": f"SELECT sum(n) FROM (SELECT count(*) AS n FROM {launches} GROUP BY repo ORDER BY 1 DESC LIMIT 100)",
    "doi-launches": f"SELECT date_trunc('month', day), count(*) FROM {launches} WHERE provider = 'Zenodo' GROUP BY 1",
    "growth": f"SELECT date_trunc('week', day), count(*) FROM {launches} GROUP BY 1 ORDER BY 1",
}
seconds = {}
for name, sql in questions.items():
    times = []
    for _ in range(5):
        began = time.perf_counter()
        connection.execute(sql).fetchall()
        times.append(time.perf_counter() - began)
    seconds[name] = statistics.median(times)
print(json.dumps(seconds))
