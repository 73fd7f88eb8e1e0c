"""The worker's resources on the Kubernetes API: rules, Events, Leases, and a reflector.

The reflector is the worker's own: ``kubernetes.aio`` has no informer that can be used.
"""
