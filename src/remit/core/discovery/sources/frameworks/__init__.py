# SPDX-License-Identifier: Apache-2.0
"""Code and manifests of agents: what models, tools, servers and credentials they bind. Nothing is run."""

from remit.core.discovery.sources.frameworks.agent_code import AgentCode
from remit.core.discovery.sources.frameworks.agent_manifests import AgentManifests
from remit.core.discovery.sources.frameworks.python_code import python_declarations
from remit.core.discovery.sources.frameworks.script_code import script_declarations

__all__ = [
    "FRAMEWORK_READERS",
    "AgentCode",
    "AgentManifests",
    "python_declarations",
    "script_declarations",
]

#: In their order, before readers of code, Markdown, JSON and YAML in general.
FRAMEWORK_READERS = (AgentManifests(), AgentCode())
