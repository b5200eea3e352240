-- Starts of the days of [$from, $to), those of one server within a second once, as the question `starts` counts them.
WITH told AS (
  SELECT hub, username, key_of(hub, username, servername) AS server, time
  FROM server_actions
  WHERE action = 'start' AND NOT time_suspect AND time >= $from - INTERVAL '1 second' AND time < $to
),
actions AS (
  SELECT hub, username, time, lag(time) OVER (PARTITION BY server ORDER BY time) AS time_before
  FROM told
)
SELECT
  local_date(time, $zone) AS day,
  hub,
  username,
  local_hour(time, $zone) AS hour,
  count(*) AS n
FROM actions
WHERE time >= $from AND (time_before IS NULL OR time - time_before > INTERVAL '1 second')
GROUP BY 1, 2, 3, 4
