SELECT
  hub,
  username,
  servername,
  CAST(field(text, '/started') AS TIMESTAMP(6) WITH TIME ZONE) AS time,
  field(text, '/profile') AS profile,
  field(text, '/image') AS image,
  time AS seen
FROM events
WHERE schema IN ('schema.hubscope/server-chosen')
