SELECT
  time,
  received,
  hub,
  field(text, '/complete') = 'true' AS complete,
  field(text, '/problem') AS problem,
  time_suspect,
  collector,
  position
FROM events
WHERE schema IN ('schema.hubscope/hub-poll')
