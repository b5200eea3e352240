SELECT
  hub,
  username,
  time AS seen,
  CAST(field(text, '/created') AS TIMESTAMP(6) WITH TIME ZONE) AS created,
  field(text, '/groups') AS groups,
  time_suspect
FROM events
WHERE schema IN ('schema.hubscope/account-seen', 'schema.hubscope/accounts-poll') AND username IS NOT NULL
