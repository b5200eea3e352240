SELECT hub, username, servername, time, seen
FROM (
  SELECT
    hub,
    username,
    servername,
    CAST(field(text, '/last_activity') AS TIMESTAMP(6) WITH TIME ZONE) AS time,
    time AS seen
  FROM events
  WHERE schema IN ('schema.hubscope/server-seen', 'schema.hubscope/hub-poll')
)
WHERE time IS NOT NULL
