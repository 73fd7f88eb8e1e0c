"""Whether the webhook or the worker in this container is alive: the image's HEALTHCHECK.

Exit code 0 when one of their ports answers ``/healthz`` with 200, else 1. Other ports than the
chart's may be given as URLs. Kubernetes has probes of its own and does not run this.
"""

import ssl
import sys
import urllib.request
from collections.abc import Sequence
from http import HTTPStatus

PLACES = ("http://127.0.0.1:8080/healthz", "https://127.0.0.1:9443/healthz")
WITHIN = 1.0
"""Seconds that each place gets."""


def is_alive(place: str) -> bool:
    """Ask one place; its certificate names the Service, so it is not verified, as by a kubelet."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    straight = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting)
    )
    try:
        with straight.open(place, timeout=WITHIN) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def main(places: Sequence[str]) -> int:
    """Ask each place in turn."""
    return 0 if any(map(is_alive, places)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or PLACES))
