SELECT
  time,
  received,
  hub,
  door,
  provider,
  spec,
  spec_repo(provider, spec) AS repo,
  spec_ref(provider, spec) AS ref,
  ref AS resolved_ref,
  repo_key(spec_repo(provider, spec)) AS repo_key,
  status,
  build_token,
  origin,
  request_origin,
  version,
  time_suspect,
  repeat_key(time, version, provider, spec, ref, status, build_token, origin, request_origin) AS repeat_key,
  collector,
  position
FROM events
WHERE schema = 'binderhub.jupyter.org/launch'
