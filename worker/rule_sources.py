"""The rules that a command names: in files, on standard input, or in the cluster."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runtime.errors import NotFound, Refused
from runtime.manifests import ManifestError, read_file, require_rules
from summaryrule.api.constants import RESOURCE
from worker.ports import RawRule


def is_file(argument: str) -> bool:
    """Whether an argument names a file rather than a rule.

    The name of a rule may hold dots, so only what looks like YAML or JSON, or exists, is a file.
    """
    looks_like_one = (
        argument == "-" or "/" in argument or Path(argument).suffix in (".yaml", ".yml", ".json")
    )
    return looks_like_one or Path(argument).is_file()


def read_rules(arguments: Iterable[str], namespace: str | None, command: str) -> Iterator[RawRule]:
    """The rules in files and those of the cluster, in the order of the arguments.

    Args:
        arguments: files, ``-`` for standard input, or names of rules.
        namespace: of the named rules; None is the pod's or the kubeconfig's own.
        command: prefixes notes on standard error, such as on objects that are not rules.

    Raises:
        ManifestError: a file cannot be read, or there is no such rule.
        OperatorError: the cluster cannot be asked, or does not allow it.
    """
    given = list(arguments)
    files = {each: read_file(each) for each in given if is_file(each)}
    names = [each for each in given if each not in files]
    if not names:
        require_rules(list(files.values()))
    for file in files.values():
        if file.note:
            print(f"{command}: {file.note}", file=sys.stderr)  # noqa: T201
    found: dict[str, RawRule] = {}
    if names:
        found = asyncio.run(_get_from_cluster(names, namespace, os.environ))
    for each in given:
        yield from files[each].rules if each in files else [found[each]]


def patch_rule(rule: RawRule, body: Mapping[str, Any]) -> None:
    """Merge ``body`` into a rule of the cluster, if nobody has changed it since it was read.

    Raises:
        OperatorError: it was changed, the cluster refuses the change or cannot be asked.
    """
    asyncio.run(_patch(rule, dict(body), os.environ))


async def _patch(rule: RawRule, body: dict[str, Any], environ: Mapping[str, str]) -> None:
    async with _summary_rules(environ) as rules:
        await rules.patch(rule, body)


@contextlib.asynccontextmanager
async def _summary_rules(environ: Mapping[str, str]) -> AsyncIterator[Any]:
    """A client of the rules of the cluster."""
    # Imported here: the client library takes half a second, and a plan of files needs none.
    from runtime.kube.client import KubeClient  # noqa: PLC0415
    from runtime.kube.config import connected  # noqa: PLC0415
    from worker.kube.summaryrules import SummaryRuleClient  # noqa: PLC0415

    async with connected(environ, user_agent="summaryrule-operator-command") as client:
        yield SummaryRuleClient(KubeClient(client))


async def _get_from_cluster(
    names: Iterable[str], namespace: str | None, environ: Mapping[str, str]
) -> dict[str, RawRule]:
    """The rules by name; ``namespace`` None is the pod's or the kubeconfig's own.

    Raises:
        ManifestError: there is no such rule.
        OperatorError: the cluster cannot be asked, or does not allow it.
    """
    from runtime.kube.config import default_namespace  # noqa: PLC0415 - as above

    async with _summary_rules(environ) as rules:
        where = namespace or default_namespace(environ)
        return {name: await _get(rules, where, name) for name in names}


async def _get(rules: Any, namespace: str, name: str) -> RawRule:  # noqa: ANN401 - imported late
    try:
        rule: RawRule = await rules.get(namespace, name)
    except NotFound as error:
        if "not found" in str(error) and "page not found" not in str(error):
            raise ManifestError(
                f"there is no file {name} and no SummaryRule {name} in namespace {namespace};"
                " name another with -n"
            ) from error
        raise Refused("the cluster has no SummaryRules: install the chart first") from error
    except Refused as error:
        if error.code == "Forbidden":
            raise Refused(
                f"this login may not read SummaryRules in namespace {namespace}; it needs the verb"
                f" get on {RESOURCE}",
                error.code,
            ) from error
        raise
    return rule
