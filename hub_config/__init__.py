"""JupyterHub as this product runs it: a server per team, kept apart from everything else.

- `plan`: addresses, folders, secrets and isolation level, derived from the settings
- `jupyterhub_config`: what JupyterHub reads; it only assigns
- `authenticator`: who may log in, and who still may, is asked of the scoring service
- `members`: people with a login of their own, who share their team's server
- `spawner`: a team's server, behind `enclose`
- `enclose`: the launcher that takes away every right a team's server must not have
- `run`: starts hub, proxy and culler with the secrets that each of them needs
- `keeper`: holds the teams' servers to their memory, and stops them when everything stops
- `memory`: how much a team may use, and who sees to it: the kernel, or `watch`
- `notices`: says in the running cell what the keeper has to tell
- `container`, `docker_spawner`, `engine`, `inside`: the same with a container per team (docs/deployment.md)
- `health`: does the hub, its proxy, … work?
- `singleuser`: Jupyter's own configuration inside a team's server
"""
