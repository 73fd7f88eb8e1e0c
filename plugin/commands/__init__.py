"""The commands of `kubectl summaryrule`, one module each or one for a family.

Each is a function of the cluster, the parsed options and the console, and returns the exit code.
"""
