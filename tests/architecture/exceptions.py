# SPDX-License-Identifier: Apache-2.0
"""What may break a code rule, each with its reason. A line that nothing needs any more fails the tests."""

# Modules of more than 600 lines.
LONG_MODULES: dict[str, str] = {}

# Functions of more than 60 lines, as `file::function`.
LONG_FUNCTIONS: dict[str, str] = {}

# Files that catch `Exception`. Only the edge of an endpoint, or a loop that must outlive one bad item, may.
CATCH_ALL: dict[str, str] = {
    "sdk/src/remit_sdk/frameworks/tool_calls.py": "whatever fails, the tool must not run unjudged",
    "sdk/src/remit_sdk/frameworks/crewai.py": "CrewAI runs a tool whose hook raises",
    "sdk/src/remit_sdk/frameworks/langchain.py": "a tool's error is raised as far as it is released",
    "sdk/src/remit_sdk/frameworks/pydantic_ai.py": "a tool's error is raised as far as it is released",
    "src/remit/api/app.py": "an endpoint: a defect becomes a 500 that tells nothing",
    "src/remit/api/oauth/browser/rendering.py": "a page: a defect becomes a page that tells nothing",
    "src/remit/api/spiffe/listener.py": "an endpoint: bytes that break a library end one connection",
    "src/remit/gateway/ext_authz/endpoint.py": "an endpoint: a defect becomes a 500 that tells nothing",
    "src/remit/gateway/ext_authz/listener.py": "malformed HTTP/2 ends one connection",
    "src/remit/gateway/hooks/endpoint.py": "an endpoint: a defect becomes a 500 that tells nothing",
    "src/remit/gateway/http/endpoint.py": "an endpoint: a defect becomes a 500 that tells nothing",
    "src/remit/gateway/mcp/endpoint.py": "an endpoint: a defect becomes a 500 that tells nothing",
    "src/remit/cli/guard/hook_program.py": "whatever fails, the client must read a refusal",
    "src/remit/cli/main.py": "the edge of the command line: a defect becomes one line, never a traceback",
    "src/remit/services/assembly/upkeep.py": "no chore may stop for good at one bad turn",
    "src/remit/services/policy/evaluation.py": "a fault is told to who asked, and must not stop the others",
    "src/remit/services/policy/shadow.py": "a candidate that fails is counted, and no call may notice",
    "src/remit/adapters/discovery/reading_process.py": "what a hostile file meets costs that file alone",
    "src/remit/services/discovery/scans.py": "rules that fail are told, and the others still count",
    "src/remit/adapters/store/relational/writer.py": "a defect of one unit must not stop the batch it is in",
    "src/remit/adapters/broker/os_keyring.py": "a library of many parts: where one breaks, nothing was read",
    "src/remit/adapters/store/postgres/replicas.py": "whatever one question meets, who asked it is told",
    "src/remit/adapters/store/postgres/writer.py": "what forming a batch meets is told by the second one",
    "src/remit/adapters/store/postgres/loop_connection.py": "the outcome is asked for afterwards",
    "src/remit/adapters/store/sqlite/writer.py": "a defect of one batch must not stop the next one",
    "sdk/src/remit_sdk/json_results.py": "a program's value whose text fails is told as one without a text",
    "sdk/src/remit_sdk/live_task.py": "a function's own error is raised as far as it is released",
    "sdk/src/remit_sdk/task_loop.py": "as above",
}

# Files outside `cli` with an import inside a function.
LATE_IMPORTS: dict[str, str] = {
    "src/remit/compose/programs.py": "`pwd` is not on every system",
    "src/remit/adapters/upstream/processes/guard.py": "few programs have a folder of their own",
    "src/remit/adapters/attestor/bundles.py": "`spiffe` loads gRPC: 10 MB that only its users should pay",
    "src/remit/compose/process.py": "scans load every room of rules, where no path is configured",
    "src/remit/compose/brokers.py": "brokers load an HTTP client or a database's, where no lease needs it",
    "src/remit/compose/standing_secrets.py": "a client of a database, and one of HTTP",
    "src/remit/compose/oauth_brokers.py": "OAuth loads the same HTTP client",
    "src/remit/compose/openbao_brokers.py": "as above",
    "src/remit/compose/cloud_brokers.py": "as above",
    "src/remit/compose/signals.py": "apprise is an extra",
    "src/remit/compose/secret_sources.py": "OpenBao loads the same HTTP client, and the keyring is an extra",
    "src/remit/compose/evidence/traces.py": "OpenTelemetry's SDK is an extra",
    "src/remit/compose/fetching.py": "fetching loads an HTTP client: 8 MB where no address is configured",
    "src/remit/compose/people.py": "providers load the same HTTP client",
    "src/remit/compose/keys.py": "OpenBao loads the same HTTP client, and the Workload API gRPC: 4 MB more",
    "src/remit/compose/replicas.py": "the driver of PostgreSQL, as in `store`",
    "src/remit/api/app.py": "`scim2-server` is an extra: half a second to load",
    "src/remit/compose/build.py": "a policy server loads the same HTTP client",
    "src/remit/adapters/policy/rego/machine.py": "`wasmtime` is an extra, for Rego in process",
    "src/remit/adapters/discovery/databases.py": "`duckdb` is an extra, for Parquet: 70 MB to load",
    "src/remit/adapters/policy/cedar/proof/solver.py": "`cvc5` is an extra, for proofs",
    "src/remit/compose/store.py": "the driver of PostgreSQL loads `libpq`: 9 MB that a file does not need",
    "src/remit/services/people/passkeys.py": "WebAuthn loads ASN.1, CBOR and pyOpenSSL: 5 MB",
}

# Files of core that await something.
AWAITS_IN_CORE: dict[str, str] = {
    "src/remit/core/decisions/mediation.py": "the order of the nine steps: it awaits the steps alone",
}

# Endpoints that name something of an upstream which no task has taken in.
RAW_IN_ENDPOINTS: dict[str, str] = {}

# Two homes for one public class name, as the name.
SHARED_NAMES: dict[str, str] = {}

# Classes whose name has a word that usually says nothing.
EMPTY_NAMES: dict[str, str] = {
    "PolicyEngine": "the field's own noun for what evaluates Cedar or Rego; the port is named after it",
}

# Distributions that the source imports although only another library declares them.
BORROWED_LIBRARIES: dict[str, str] = {
    "separation": "no library: the guard is a program of its own, and finds its other file beside it",
    "namespace": "no library, as `separation`",
}

# Distributions that are declared although no file imports them.
LIBRARIES_WITHOUT_AN_IMPORT: dict[str, str] = {}
