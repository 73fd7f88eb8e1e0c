"""`kubectl summaryrule`: shows SummaryRules, requests backfills and controls them.

A kubectl plugin is a program on PATH whose name begins with `kubectl-`; the console script
`kubectl-summaryrule` is this one. It reaches the cluster through kubectl, so contexts, logins and
proxies are those of the user's kubeconfig.
"""
