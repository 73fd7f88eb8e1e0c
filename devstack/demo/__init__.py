"""`make demo`: shows a backfill from start to end on real components, and checks it.

Each step prints what it does and what kubectl answered, and checks the result. The first wrong
result ends the demo with one sentence and exit code 1.
"""

from devstack.demo.script import run

__all__ = ["run"]
