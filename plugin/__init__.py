"""`kubectl summaryrule`: see SummaryRules at a glance, ask for backfills, act on them.

A kubectl plugin is any program on PATH whose name begins with `kubectl-`; the console script
`kubectl-summaryrule` is this one. Everything it knows of the cluster it asks of kubectl itself, so
that contexts, logins and proxies are those of the user's kubeconfig.
"""
