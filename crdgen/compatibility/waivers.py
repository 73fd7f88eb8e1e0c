"""Waivers: changes that may break, each with its reason, in a file beside the definition.

- rule: field-removed
path: v1.spec.legacy
reason: never read since 0.3; announced in the changelog of 0.4
"""

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from crdgen.compatibility.change import Change
from crdgen.errors import InputError

_KEYS = ("rule", "path", "reason")
Waiver = dict[str, str]


def read_waivers(path: Path) -> list[Waiver]:
    """The waivers in the YAML file at `path`.

    Raises:
        InputError: it is no list of `rule`, `path` (with `*` as a wildcard) and `reason`.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {error}") from error
    if not isinstance(found, list):
        raise InputError(f"{path}: must be a list of waivers with {', '.join(_KEYS)}")
    return [_waiver(each, f"{path}[{index}]") for index, each in enumerate(found)]


def apply_waivers(
    changes: list[Change], waivers: list[Waiver]
) -> tuple[list[Change], list[Waiver]]:
    """The changes with the reasons of those that are waived, and the waivers that waive none."""
    waived = [_waive(change, waivers) for change in changes]
    used = [each for each in waivers if any(_matches(change, each) for change in changes)]
    return waived, [each for each in waivers if each not in used]


def _waiver(each: Any, where: str) -> Waiver:  # noqa: ANN401 - JSON
    if not isinstance(each, dict):
        raise InputError(f"{where}: must have {', '.join(_KEYS)}")
    for key in _KEYS:
        if not isinstance(each.get(key), str) or not each[key].strip():
            raise InputError(f"{where}: lacks a {key}; a waiver says what it waives and why")
    return {key: each[key].strip() for key in _KEYS}


def _waive(change: Change, waivers: list[Waiver]) -> Change:
    reasons = [each["reason"] for each in waivers if _matches(change, each)]
    return replace(change, waived=reasons[0]) if reasons else change


def _matches(change: Change, waiver: Waiver) -> bool:
    path = change.path.replace("[*]", "[]")
    wanted = waiver["path"].replace("[*]", "[]").replace("[", "[[]")
    return fnmatchcase(change.rule, waiver["rule"]) and fnmatchcase(path, wanted)
