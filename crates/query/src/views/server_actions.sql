SELECT
  time,
  received,
  hub,
  door,
  action,
  username,
  servername,
  version,
  time_suspect,
  collector,
  position
FROM events
WHERE schema IN ('hub.jupyter.org/server-action', 'https://schema.jupyter.org/jupyterhub/events/server-action')
