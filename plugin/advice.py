"""What to do about each reason for which something is held; `explain` prints it."""

from typing import Final

_RETRY = "mend the cause, then kubectl summaryrule retry {name} --all"
_ELSE = "kubectl describe summaryrule {name}"

ADVICE: Final = {
    "NotOurs": "another operator's; to run it here: kubectl annotate --overwrite summaryrule {name}"
    " adx-mon.azure.com/owner=summaryrule-operator",
    "Malformed": "mend what the message names: kubectl edit summaryrule {name}",
    "CriteriaNotMet": "compare spec.criteria with the worker's cluster labels",
    "CriteriaExpressionError": "mend spec.criteriaExpression: it knows cluster labels only",
    "NoEndpoint": "give the worker an endpoint for the database: chart value kusto.endpoints",
    "Suspended": "kubectl summaryrule resume {name} --schedule",
    "Paused": "kubectl summaryrule resume {name}",
    "BackfillFailed": f"{_RETRY}, or skip the window",
    "SpecChanged": "nothing: it goes on, or asks for a retry, once they have ended",
    "WindowFailed": f"{_RETRY}, or skip the window",
    "TooManyFailed": _RETRY,
    "WaitingUntilDue": "nothing: they run by themselves; spec.ingestionDelay is how long they wait",
    "Behind": "nothing, if the number falls: windows run oldest first",
    "NotSeen": "see that the worker runs: kubectl get pods -n summaryrule-system",
}


def advice(reason: str, name: str) -> str:
    """One line, often a command to copy."""
    return ADVICE.get(reason, _ELSE).format(name=name)
