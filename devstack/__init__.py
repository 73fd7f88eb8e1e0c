"""A real control plane, the local Kusto endpoint, the webhook and the worker on one machine.

`python -m devstack` is the command line. `devstack.stack.Stack` is the same for Python code.
"""
