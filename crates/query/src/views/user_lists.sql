SELECT
  time,
  received,
  hub,
  field(text, '/complete') = 'true' AS complete,
  CAST(field(text, '/users') AS BIGINT) AS users,
  CAST(field(text, '/active_24h') AS BIGINT) AS active_24h,
  CAST(field(text, '/active_7d') AS BIGINT) AS active_7d,
  CAST(field(text, '/active_30d') AS BIGINT) AS active_30d,
  CAST(field(text, '/gauge_24h') AS BIGINT) AS gauge_24h,
  CAST(field(text, '/gauge_7d') AS BIGINT) AS gauge_7d,
  CAST(field(text, '/gauge_30d') AS BIGINT) AS gauge_30d,
  time_suspect,
  collector,
  position
FROM events
WHERE schema IN ('schema.hubscope/users-poll')
