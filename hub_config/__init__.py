"""JupyterHub as this product runs it: a server per team, kept apart from everything else.

- `plan`: addresses, folders, secrets and isolation level, derived from the settings
- `jupyterhub_config`: what JupyterHub reads; it only assigns
- `authenticator`: who may log in, and who still may, is asked of the scoring service
- `members`: people with a login of their own, who share their team's server
- `spawner`: a team's server, behind `enclose`
- `enclose`: the launcher that takes away every right a team's server must not have
- `run`: starts hub, proxy and culler with the secrets that each of them needs
- `keeper`: stops the teams' servers when everything stops
- `singleuser`: Jupyter's own configuration inside a team's server
"""
