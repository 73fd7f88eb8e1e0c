"""Requests to the Kubernetes API, for the worker and the webhook.

Built on the configuration and the HTTP client of ``kubernetes.aio``, and on nothing else of it: its
typed APIs cost a second of import.
"""
