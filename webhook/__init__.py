"""The admission webhook: AdmissionReview over HTTPS in, a decision of `summaryrule` out.

``python -m webhook serve`` runs it in a cluster, ``python -m webhook review`` judges files offline.
"""
