"""Rules of a cluster by name, for ``worker plan``; the API server is asked once a name."""

from collections.abc import Iterable, Mapping

from worker.errors import NotFound, Refused
from worker.kube.client import KubeClient
from worker.kube.config import connect, default_namespace
from worker.kube.summaryrules import SummaryRuleClient
from worker.ports import RawRule
from worker.preview import UnreadableError


async def in_cluster(
    names: Iterable[str], namespace: str | None, environ: Mapping[str, str]
) -> dict[str, RawRule]:
    """The rules by name; ``namespace`` None is the pod's or the kubeconfig's own.

    Raises:
        UnreadableError: there is no such rule.
        WorkerError: the cluster cannot be asked, or does not allow it.
    """
    client = await connect(environ, user_agent="summaryrule-operator-plan")
    try:
        rules = SummaryRuleClient(KubeClient(client))
        where = namespace or default_namespace(environ)
        return {name: await _get(rules, where, name) for name in names}
    finally:
        await client.close()  # type: ignore[no-untyped-call]


async def _get(rules: SummaryRuleClient, namespace: str, name: str) -> RawRule:
    try:
        return await rules.get(namespace, name)
    except NotFound as error:
        if "not found" in str(error) and "page not found" not in str(error):
            raise UnreadableError(
                f"there is no file {name} and no SummaryRule {name} in namespace {namespace};"
                " name another with -n"
            ) from error
        raise Refused("the cluster has no SummaryRules: install the chart first") from error
    except Refused as error:
        if error.code == "Forbidden":
            why = (
                f"this login may not read SummaryRules in namespace {namespace}; it needs the verb"
            )
            raise Refused(f"{why} get on summaryrules.adx-mon.azure.com", error.code) from error
        raise
