"""A real control plane, the local Kusto endpoint, the webhook and the worker on one machine.

`python -m devstack up` starts it for a person, `devstack.stack.Stack` for the tests and the demo.
"""
