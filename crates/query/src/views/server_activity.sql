SELECT
  hub,
  username,
  servername,
  CAST(field(text, '/last_activity') AS TIMESTAMP(6) WITH TIME ZONE) AS time,
  time AS seen
FROM events
WHERE schema IN ('schema.hubscope/server-seen', 'schema.hubscope/hub-poll') AND field(text, '/last_activity') IS NOT NULL
