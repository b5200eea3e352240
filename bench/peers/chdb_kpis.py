"""The same questions as duckdb_kpis.py asks, answered by ClickHouse's engine from the file that one wrote.

usage: chdb_kpis.py LAUNCHES.parquet   (prints the median of five answers of each question as JSON, seconds)
"""
import json, statistics, sys, time
from chdb import session

launches = f"file('{sys.argv[1]}', Parquet)"
firsts = f"SELECT repo, min(day) AS day FROM {launches} GROUP BY repo"
questions = {
    "launches": f"SELECT day, count() FROM {launches} GROUP BY 1 ORDER BY 1",
    "launches-by-origin": f"SELECT day, origin, count() FROM {launches} GROUP BY 1, 2 ORDER BY 1, 2",
    "launches-by-provider": f"SELECT day, provider, count() FROM {launches} GROUP BY 1, 2 ORDER BY 1, 2",
    "repos-active": f"SELECT day, uniqExact(repo) FROM {launches} GROUP BY 1 ORDER BY 1",
    "top-repos": f"SELECT repo, count() AS n FROM {launches} GROUP BY 1 ORDER BY n DESC, repo LIMIT 25",
    "repo-history": f"SELECT toStartOfMonth(day) AS month, count() FROM {launches} "
    "WHERE repo = 'organisation-1/repository-1' GROUP BY 1 ORDER BY 1",
    "new-repos": f"SELECT day, count() FROM ({firsts}) GROUP BY 1 ORDER BY 1",
    "repo-survival": f"SELECT toStartOfMonth(f.day) AS born, toStartOfMonth(l.day) AS month, uniqExact(l.repo) "
    f"FROM {launches} AS l JOIN ({firsts}) AS f ON f.repo = l.repo GROUP BY 1, 2",
    "owners": f"SELECT day, uniqExact(owner) FROM {launches} GROUP BY 1 ORDER BY 1",
    "concentration": f"SELECT sum(n) FROM (SELECT count() AS n FROM {launches} GROUP BY repo ORDER BY n DESC LIMIT 100)",
    "doi-launches": f"SELECT toStartOfMonth(day) AS month, count() FROM {launches} WHERE provider = 'Zenodo' GROUP BY 1",
    "growth": f"SELECT toMonday(day) AS week, count() FROM {launches} GROUP BY 1 ORDER BY 1",
}
engine = session.Session()
seconds = {}
for name, sql in questions.items():
    times = []
    for _ in range(5):
        began = time.perf_counter()
        engine.query(sql, "CSV")
        times.append(time.perf_counter() - began)
    seconds[name] = statistics.median(times)
print(json.dumps(seconds))
