"""Makes uv's CycloneDX export of the lock the image's bill of materials: `make sbom`.

uv writes the moment and a random serial number into each export; here the same lock gives the same
bytes, so that a release can be compared with what its tag makes. Reads standard input, writes
standard output.
"""

import json
import sys
import uuid
from typing import Any

PURL = "pkg:pypi/{name}@{version}"


def settled(document: dict[str, Any]) -> dict[str, Any]:
    """The document without its moment, its serial number made of all the rest."""
    metadata = {name: each for name, each in document["metadata"].items() if name != "timestamp"}
    product = metadata["component"]
    metadata["component"] = product | {"type": "application", "purl": PURL.format_map(product)}
    rest = {name: each for name, each in document.items() if name != "serialNumber"}
    rest["metadata"] = metadata
    named = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(rest, sort_keys=True))
    return {"$schema": _schema(document), "serialNumber": f"urn:uuid:{named}", **rest}


def _schema(document: dict[str, Any]) -> str:
    return f"http://cyclonedx.org/schema/bom-{document['specVersion']}.schema.json"


def main() -> int:
    """Settle one document; exit code 2 when it is not CycloneDX."""
    try:
        document = json.load(sys.stdin)
        made = settled(document)
    except (ValueError, KeyError, TypeError) as error:
        print(f"sbom: standard input is no CycloneDX export of uv: {error!r}", file=sys.stderr)
        return 2
    print(json.dumps(made, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
