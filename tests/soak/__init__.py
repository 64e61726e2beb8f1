"""The soak: clients submit while everything is killed at random; then somebody counts.

`plan` says what is sent and what must come of it, `clients` send it and log every acceptance,
`killer` kills, `checker` compares log, rows, files, results, quota and board. `soak` runs it all.
"""
