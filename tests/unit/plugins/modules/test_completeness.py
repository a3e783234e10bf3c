# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing is forgotten: tests, the action group, documentation and argument specs agree with the modules there are."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path

import pytest
import yaml

from ansible_collections.m365.offboarding.plugins.doc_fragments.m365 import ModuleDocFragment
from fakes.running import ACTIONS, MODULES

ROOT = Path(__file__).resolve().parents[4]
# A file without a job documents an action plugin; a module has a job, and an action plugin that runs it in place.
NAMES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if "\nJOB = " in path.read_text())
FILTERS = sorted(path.stem for path in (ROOT / "plugins" / "filter").glob("*.py"))
every_module = pytest.mark.parametrize("name", NAMES)

# What a documented option and an entry of an argument spec have in common.
_FACTS = ("type", "elements", "choices", "default", "required", "aliases")


def spec_of(name: str) -> dict[str, dict]:
    """Return the argument spec of a module."""
    return importlib.import_module(f"{MODULES}.{name}").JOB.spec


@functools.cache
def documented(name: str) -> dict[str, dict]:
    module = importlib.import_module(f"{MODULES}.{name}")
    own = yaml.safe_load(module.DOCUMENTATION)
    # A fragment is named by its file, or by its file and one of the texts in it.
    named = [one.split(".")[3:] for one in own["extends_documentation_fragment"] if one.split(".")[2] == "m365"]
    texts = [getattr(ModuleDocFragment, *map(str.upper, rest or ["documentation"])) for rest in named]
    options = {option: one for text in texts for option, one in yaml.safe_load(text)["options"].items()}
    return {**options, **own.get("options", {})}


def facts(option: dict) -> dict:
    reported = {name: option[name] for name in _FACTS if option.get(name) not in (None, False, [])}
    return {**reported, **({"choices": sorted(reported["choices"])} if "choices" in reported else {})}


@every_module
def test_every_module_has_a_test_file(name):
    assert Path(__file__).with_name(f"test_{name}.py").is_file()


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_has_a_test_file(name):
    assert (Path(__file__).parents[1] / "filter" / f"test_{name}.py").is_file()


def test_the_action_group_lists_every_module():
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())

    assert runtime["action_groups"]["m365"] == NAMES


@every_module
def test_every_option_is_documented_as_it_is(name):
    spec = spec_of(name)

    assert {option: facts(one) for option, one in spec.items()} == {
        option: facts(one) for option, one in documented(name).items()
    }


@every_module
def test_a_module_has_an_action_plugin_that_runs_the_same_job(name):
    module = importlib.import_module(f"{MODULES}.{name}")
    action = importlib.import_module(f"{ACTIONS}.{name}")

    assert action.ActionModule.JOB is module.JOB


@every_module
def test_a_module_runs_its_job(name, monkeypatch):
    module = importlib.import_module(f"{MODULES}.{name}")
    ran = []
    monkeypatch.setattr(module, "run_module", ran.append)

    module.main()

    assert ran == [module.JOB]


@every_module
def test_variables_that_stand_in_for_an_option_are_documented(name):
    spec = spec_of(name)
    for option, one in spec.items():
        variables = one["fallback"][1] if "fallback" in one else []
        text = " ".join(documented(name)[option]["description"])
        assert [variable for variable in variables if f"E({variable})" not in text] == []


@every_module
def test_secrets_are_masked(name):
    spec = spec_of(name)
    secrets = {option for option in spec if option.endswith(("password", "secret", "token"))}

    assert secrets >= {"client_secret", "certificate_password", "access_token", "exchange_access_token"}
    # The address of a proxy may hold its password.
    assert {option for option, one in spec.items() if one.get("no_log")} == secrets | {"proxy"}


@every_module
def test_a_module_names_itself_and_shows_how_it_is_used(name):
    module = importlib.import_module(f"{MODULES}.{name}")
    documentation = yaml.safe_load(module.DOCUMENTATION)
    examples = yaml.safe_load(module.EXAMPLES)

    assert documentation["module"] == name
    assert documentation["short_description"]
    assert "m365.offboarding.m365" in documentation["extends_documentation_fragment"]
    assert any(f"m365.offboarding.{name}" in task for task in examples)
    for task in examples:
        options = task.get(f"m365.offboarding.{name}", {})
        assert set(options) <= {*documented(name), "user"}


@every_module
def test_what_a_module_returns_is_documented_and_the_sample_has_the_keys_of_a_record(name):
    module = importlib.import_module(f"{MODULES}.{name}")
    signin = yaml.safe_load(importlib.import_module(f"{MODULES}.m365_user_signin").RETURN)
    returned = yaml.safe_load(module.RETURN)

    own = {"read_at", "tenant_name", "verify_timeout"} if name == "m365_user_info" else set()
    assert set(returned) == {"automation", "check_mode", "msg", "users"} | own
    objects = ["objects"] if "objects" in str(returned["users"]["description"]) else []
    for sample in returned["users"].get("sample", ()):
        assert list(sample) == [*signin["users"]["contains"], *objects]
