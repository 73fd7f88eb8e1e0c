"""The worker's side of the Kubernetes API: requests, rules, Events, Leases, and a reflector.

Built on the configuration and HTTP client of ``kubernetes.aio``, and on nothing else of it: its
typed APIs cost a second of import, and it has no informer and no elector that can be used.
"""
