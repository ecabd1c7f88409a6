# SPDX-License-Identifier: Apache-2.0
"""The words that modules and rooms are named with beside the glossary, each group with its reason."""

#: A reason, and the words that it allows, in the singular.
WORDS = {
    "protocols and formats, by the names that their specifications give them": """
        api apis asgi authz authzen dpop elicitation ext http1 json jsonc jsonrpc jwk jws jwt mcp mermaid
        metadata oauth oidc openapi oscal pki protobuf protocol rest scim sigv4 spiffe sql sse ssf sts tls
        transit url utterance syslog webauthn webhook yaml
    """,
    "products that an adapter speaks to": """
        apprise aws cedar cel git github httpx kubernete linux openbao opentelemetry postgre rego sqlite
        unix azure gcp
    """,
    "agent frameworks that the sdk has an adapter for": """
        adk ai crewai google langchain openai pydantic strand
    """,
    "clients whose transcripts are read, or whose hooks ask": """
        claude codex copilot cursor gemini
    """,
    "terms of identity, OAuth and cryptography": """
        admission assertion attestation auth authentication authenticator authorization
        authorizer bearer canonical certificate claim client directory exchange identity
        issued issuer issuing keyring login merkle namespace password people permission presented
        protected provider provisioning refresh registered registration revocation right sealing security sign
        signing verification
    """,
    "terms of governance and evidence": """
        authority
        accountability alarm attack audit cell checkpoint conjunction declassification delegated
        bypass denial end ending erasure evaluation expiry extension failure governance justification leak
        log observation outcome reach reachability reaction reason refusal revalidation scrubbing
        separation shared sink spent stated takeover unclosed untrusted
        console exception link meaning watch
    """,
    "terms of language and information flow": """
        amount clause condition date echo encoding escape gloss inference intake kind language lookup
        mark name naming noun note number object participant phrase proposal quantity quotation reading
        representation strict suggestion superlative text untainted verb verbatim vocabulary
    """,
    "terms of computing that every developer knows": """
        abandoned activity address administrator announcement app archive array attempt background
        base behind blocker body bound bridge browser build building catalogue change chart check checker
        cli cloud combined command commit completion compose composed config confirmation connect connection
        batch connector consistency cooperative core database deadline decoding delivery demo dependency
        placed
        deployment destination disconnect doctor document dump duration dynamic engine error exit expansion
        expression fast fetch fetching file flat flight flood folder follower form format forwarding free gc
        global graph group guard head header health heartbeat hint hook host idle ids in infrastructure init
        injection input insert inspection introspection known last layer limit line list listen listener
        listening listing live load local loop loopback main manifest mapping mediation mediator memory
        message method metric mode model narrowing native node normal notebook notify now offer opening
        operation option os other outgoing output overlap own ownership page parser parsing patch peer pinned
        placeholder polling pool prefix priority private probe problem process program prompt propagation push
        pushed query rate read reader refreshed registry relational remote rendering renewal report request
        response result resumption retry rollout rotating rotation round routing row rule run running
        runtime safe scaffold schema screen scripted search second section server service setting shell
        tally
        silence simplify slice socket source ssrf stand state static status stdio step store structure
        storage subscription subset supervisor survey system taken target template terminal time timeline
        timestamp tracer tracing transfer transport tree under unit up upkeep user validator walk web wire
        worker write instruction python script builtin cache compiler counterexample evaluated machine prover
        solver symbolic syntax cluster hierarchy tenant workflow
    """,
    "what a scan does, and the forms of its reports": """
        assess content discover examiner ignore judging markdown ocsf sarif staged
    """,
    "terms of finding secrets in texts": "assignment detector mask prose randomness string",
    "commands of remit": """
        approve can data diff explain prove rehearse reload serve simulate stop suggest welcome
        who whoami wrap
    """,
    "the story that `remit demo` tells": "day narrator stage story thief working",
    "the nine steps": "bind close decide describe forward identify",
}
