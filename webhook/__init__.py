"""The admission webhook of SummaryRules: AdmissionReview over HTTPS.

``python -m webhook serve`` runs it; ``python -m webhook review`` reviews files offline.
"""
