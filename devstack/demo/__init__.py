"""`make demo`: the product's main job on real parts, as a story that a person can follow.

Each step prints what it does and what kubectl answered, and checks it; the first thing that is
not as it must be ends the demo with a sentence and exit code 1.
"""

from devstack.demo.story import run

__all__ = ["run"]
