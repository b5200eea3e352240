SELECT DISTINCT
  hub,
  username,
  servername,
  CAST(field(text, '/last_activity') AS TIMESTAMP(6) WITH TIME ZONE) AS time
FROM events
WHERE schema IN ('schema.hubscope/server-seen') AND field(text, '/last_activity') IS NOT NULL
