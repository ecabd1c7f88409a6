# SPDX-License-Identifier: Apache-2.0
"""AgentDojo's side of the replay: its environment, its ground truths, its judges.

Runs in AgentDojo's own environment and knows nothing of remit. It reads one JSON object a line and answers
each with one:

    {"do": "suites"}                                names, tools, user tasks and injection tasks
    {"do": "check", "suite"}                        user tasks that AgentDojo's own check finds unsolvable
    {"do": "open", "suite", "user", "injection"}    begin an episode; `injection` may be null
    {"do": "call", "function", "args"}              make a call in the environment
    {"do": "attack"}                                what the attacker calls, as of now
    {"do": "judge", "complete"}                     `utility` and `security`, by AgentDojo's own words
"""

import json
import pickle
import sys
import warnings
from typing import Any

import yaml
from agentdojo.agent_pipeline.ground_truth_pipeline import GroundTruthPipeline
from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.attacks.important_instructions_attacks import ImportantInstructionsAttack
from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime
from agentdojo.task_suite.load_suites import get_suite
from agentdojo.types import text_content_block_from_string

VERSION = "v1"
SUITES = ("workspace", "banking")
"""The only ones that may be looked at; the others are held out."""

Json = Any


class Scene:
    """What all episodes of one user task share."""

    def __init__(self, suite: Any, user: str) -> None:
        self.suite = suite
        self.user = suite.get_user_task_by_id(user)
        pipeline = GroundTruthPipeline(self.user)
        pipeline.name = "local"
        self.attack = ImportantInstructionsAttack(suite, pipeline)
        self.runtime = FunctionsRuntime(suite.tools)
        #: Pickled, because that copies an environment ten times as fast as a deep copy.
        self._environments: dict[str | None, bytes] = {}
        self._seen_after: int | None = None
        self._solved: bool | None = None

    def environment(self, injection: Any) -> Any:
        """Return a fresh environment, with an injection in exactly those places that the user task sees."""
        key = injection.ID if injection else None
        if key not in self._environments:
            injected = self.attack.attack(self.user, injection) if injection else {}
            self._environments[key] = pickle.dumps(self._loaded(injected))
        return pickle.loads(self._environments[key])

    def seen_after(self) -> int:
        """How many of the user's calls have been made once the first of them has brought an injection."""
        if self._seen_after is None:
            canaries = self.attack.canary_injections
            environment = self._loaded(canaries)
            for count, call in enumerate(self.user.ground_truth(environment), 1):
                text = _text(self.runtime.run_function(environment, call.function, call.args))
                if any(canary in text for canary in canaries.values()):
                    self._seen_after = count
                    break
            else:
                raise ValueError(f"{self.user.ID} sees no injection")
        return self._seen_after

    def solved(self) -> bool:
        """Return whether the ground truth solves the task, by AgentDojo's own judge, without remit in
        between.
        """
        if self._solved is None:
            episode = Episode(self, None)
            for call in self.user.ground_truth(self.environment(None)):
                episode.call(call.function, dict(call.args))
            self._solved = bool(episode.judge(True)["utility"])
        return self._solved

    def _loaded(self, injected: dict[str, str]) -> Any:
        return self.user.init_environment(self.suite.load_and_inject_default_environment(injected))


class Episode:
    """One user task in its environment, with one injection or none."""

    def __init__(self, scene: Scene, injection: str | None) -> None:
        self._scene = scene
        self._suite, self._user, self._runtime = scene.suite, scene.user, scene.runtime
        self._injection = self._suite.get_injection_task_by_id(injection) if injection else None
        self._environment = scene.environment(self._injection)
        self._before = scene.environment(self._injection)
        self._calls = self._user.ground_truth(self._environment)
        self._attack = self._injection.ground_truth(self._environment) if self._injection else []
        self._made: list[FunctionCall] = []

    def told(self) -> Json:
        """Say what the person asks for, what the agent calls for it, and when it has seen an injection."""
        return {
            "prompt": self._user.PROMPT,
            "calls": [_call(call) for call in self._calls],
            "solved": self._scene.solved(),
            "seen_after": self._scene.seen_after() if self._injection else None,
        }

    def attack(self) -> Json:
        """The attacker's calls, as AgentDojo computes them in the environment as it is now; where it cannot
        any more, as it was in the beginning.
        """
        assert self._injection is not None
        try:
            calls = self._injection.ground_truth(pickle.loads(pickle.dumps(self._environment)))
        except (LookupError, ValueError):
            calls = self._attack
        return [_call(call) for call in calls]

    def call(self, function: str, args: dict[str, Json]) -> Json:
        """Make a call."""
        self._made.append(FunctionCall(function=function, args=args))
        found = self._runtime.run_function(self._environment, function, args)
        return {"text": _text(found), "error": found[1] is not None}

    def judge(self, complete: bool) -> Json:
        """`complete`: all of the user's calls were made, so that the agent can say what it would say."""
        output = [text_content_block_from_string(self._user.GROUND_TRUTH_OUTPUT if complete else "")]
        state = (output, self._before, self._environment, self._made)
        utility = self._suite._check_user_task_utility(self._user, *state)
        security = (
            self._suite._check_injection_task_security(self._injection, *state) if self._injection else False
        )
        return {"utility": bool(utility), "security": bool(security)}


def _text(found: tuple[Any, str | None]) -> str:
    result, error = found
    return str(error) if error is not None else str(tool_result_to_str(result))


def _call(call: FunctionCall) -> Json:
    if any(isinstance(value, FunctionCall) for value in call.args.values()):
        raise ValueError(f"a ground truth nests a call of {call.function}")
    return {"function": call.function, "args": dict(call.args)}


def _suites() -> Json:
    found = {name: get_suite(VERSION, name) for name in SUITES}
    return {
        name: {
            "tools": [tool.name for tool in suite.tools],
            "users": list(suite.user_tasks),
            "injections": list(suite.injection_tasks),
        }
        for name, suite in found.items()
    }


def main() -> None:
    """Answer until there is nothing more to read."""
    warnings.simplefilter("ignore")
    # Reads what the loader in plain Python reads, thirty times as fast; each episode loads an environment.
    yaml.safe_load = lambda stream: yaml.load(stream, Loader=yaml.CSafeLoader)
    scenes: dict[tuple[str, str], Scene] = {}
    episode: Episode | None = None
    for line in sys.stdin:
        asked = json.loads(line)
        did = asked.pop("do")
        answer: Json
        if did == "suites":
            answer = _suites()
        elif did == "check":
            _, (users, _) = get_suite(VERSION, asked["suite"]).check(check_injectable=False)
            answer = [name for name, (good, _) in users.items() if not good]
        elif did == "open":
            name = asked["suite"], asked["user"]
            if name[0] not in SUITES:
                raise ValueError(f"{name[0]} is held out")
            if name not in scenes:
                scenes[name] = Scene(get_suite(VERSION, name[0]), name[1])
            episode = Episode(scenes[name], asked["injection"])
            answer = episode.told()
        else:
            assert episode is not None
            answer = getattr(episode, did)(**asked)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
