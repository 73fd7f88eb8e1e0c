"""The reconcile worker: gathers, plans, executes and records, for every SummaryRule it owns.

Layers, each importing only downward: ``__main__`` wires; the loop decides with ``summaryrule``;
``ports`` says what it needs of the outside; ``kube`` and ``kusto`` keep these ports.
"""
