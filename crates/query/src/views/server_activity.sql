SELECT DISTINCT hub, username, servername, time
FROM (
  SELECT
    hub,
    username,
    servername,
    CAST(field(text, '/last_activity') AS TIMESTAMP(6) WITH TIME ZONE) AS time
  FROM events
  WHERE schema IN ('schema.hubscope/server-seen')
)
WHERE time IS NOT NULL
