"""A list in pages, for servers that cannot stream one. Called by ``worker.kube.reflector``."""

from typing import Any, Final

from worker.kube.api import KubeClient
from worker.kube.store import Key, key_of

_PAGE: Final = "500"
_PAGE_TIMEOUT: Final = 60.0


async def paged_list(api: KubeClient, path: str) -> tuple[dict[Key, dict[str, Any]], str]:
    """Every object of the collection, and the resourceVersion to watch from.

    Raises:
        Gone: the pages outlived the server's snapshot. The caller lists again from the start:
            going on with the fresh ``continue`` that comes with a list's 410 would mix two
            states, and a watch from either would miss changes.
        WorkerError: as ``Api.request``.
    """
    items: dict[Key, dict[str, Any]] = {}
    query = {"limit": _PAGE}
    while True:
        page = await api.request("GET", path, query=query, timeout=_PAGE_TIMEOUT)
        items.update({key_of(item): item for item in page.get("items") or []})
        metadata = page["metadata"]
        if not metadata.get("continue"):
            return items, str(metadata["resourceVersion"])
        query = {"limit": _PAGE, "continue": metadata["continue"]}
