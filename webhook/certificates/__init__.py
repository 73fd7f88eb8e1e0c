"""Certificates of the webhook's server: made by it (``self``) or mounted (``files``).

Rules:

1. The webhook writes no private key to a disk. The CA's key is in one Secret, shared by the
   replicas; a leaf's key is in memory.
2. A certificate is served only after a handshake with it has succeeded, verified by the bundle that
   the API server has.
3. A CA is published in both webhook configurations, read back and left to settle before a
   certificate by it is served. It leaves the bundle only after the last leaf it signed has ended.
4. An ``SSLContext`` in use is never changed. A new one replaces it.
"""
