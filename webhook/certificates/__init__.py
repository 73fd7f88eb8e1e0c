"""Certificates of the webhook's server: made here (``self``) or mounted (``files``).

Rules of operation:

1. A private key is never written to a disk by us. The CA's key lives in one Secret, shared by the
   replicas; a leaf's key lives in memory.
2. A certificate is served only after a handshake with it has succeeded against the bundle that
   the API server is to verify it by.
3. A CA is published in both webhook configurations, read back, and left to settle before anything
   it signed is served; it leaves the bundle only after the last leaf it signed has ended.
4. A live ``SSLContext`` is never changed. A swap makes a new one.
"""
