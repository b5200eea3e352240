-- Launches of the days of [$from, $to), exact repeats once, as the question `launches` counts them.
SELECT
  local_date(time, $zone) AS day,
  provider,
  spec,
  origin,
  request_origin,
  build_token,
  count(*) FILTER (WHERE repeat_key IS NULL) + count(DISTINCT repeat_key) AS n
FROM launches
WHERE time >= $from AND time < $to AND NOT time_suspect AND status = 'success'
GROUP BY 1, 2, 3, 4, 5, 6
