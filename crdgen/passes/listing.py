"""Sets and tuples: the server refuses `uniqueItems` and knows no `prefixItems`."""

from crdgen.marks import Schema, refused


def set_as_list_type(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with `uniqueItems` as `x-kubernetes-list-type: set`."""
    if not node.get("uniqueItems"):
        return {key: value for key, value in node.items() if key != "uniqueItems"}
    rest = {key: value for key, value in node.items() if key != "uniqueItems"}
    items = rest.get("items", {})
    if items.get("nullable"):
        return refused("a set cannot hold null", "use a list, or drop None from the items")
    atomic = {"object": "x-kubernetes-map-type", "array": "x-kubernetes-list-type"}
    if items.get("type") in atomic:
        rest["items"] = {atomic[items["type"]]: "atomic"} | items
    return {"x-kubernetes-list-type": "set"} | rest


def tuple_as_list(node: Schema, path: str) -> Schema:  # noqa: ARG001 - a pass
    """The node with equal `prefixItems` as `items`; a tuple of several types is refused."""
    if "prefixItems" not in node:
        return node
    first, *others = node["prefixItems"]
    if any(other != first for other in others):
        return refused(
            "a tuple of several types has no structural form", "use a model with named fields"
        )
    rest = {key: value for key, value in node.items() if key != "prefixItems"}
    return {**rest, "items": first}
