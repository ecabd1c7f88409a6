# SPDX-License-Identifier: Apache-2.0
"""Well-known packages of MCP servers, by registry: what a lookalike would be taken for.

The list is a yardstick of names, and no recommendation: a package that is not on it is not suspect.
"""

from __future__ import annotations

from typing import Final

from remit.core.discovery.servers.server_program import Registry

_NPM: Final = """
@modelcontextprotocol/server-filesystem @modelcontextprotocol/server-github
@modelcontextprotocol/server-gitlab @modelcontextprotocol/server-memory
@modelcontextprotocol/server-everything @modelcontextprotocol/server-postgres
@modelcontextprotocol/server-slack @modelcontextprotocol/server-puppeteer
@modelcontextprotocol/server-brave-search @modelcontextprotocol/server-google-maps
@modelcontextprotocol/server-gdrive @modelcontextprotocol/server-redis
@modelcontextprotocol/server-sequential-thinking @modelcontextprotocol/server-everart
@modelcontextprotocol/server-aws-kb-retrieval @modelcontextprotocol/inspector
@modelcontextprotocol/sdk @playwright/mcp @upstash/context7-mcp @notionhq/notion-mcp-server
@supabase/mcp-server-supabase @stripe/mcp @sentry/mcp-server @cloudflare/mcp-server-cloudflare
@azure/mcp @azure-devops/mcp @microsoft/devbox-mcp @heroku/mcp-server @browserbasehq/mcp
@browserbasehq/mcp-server-browserbase @executeautomation/playwright-mcp-server
@executeautomation/database-server @wonderwhy-er/desktop-commander @smithery/cli @21st-dev/magic
@hubspot/mcp-server @shopify/dev-mcp @elastic/mcp-server-elasticsearch
@mongodb-js/mongodb-mcp-server @apify/actors-mcp-server @gongrzhe/server-gmail-autoauth-mcp
@benborla29/mcp-server-mysql @brave/brave-search-mcp-server @e2b/mcp-server
@circleci/mcp-server-circleci @brightdata/mcp @kazuph/mcp-taskmanager @negokaz/excel-mcp-server
@agentdeskai/browser-tools-mcp @agentdeskai/browser-tools-server @antv/mcp-server-chart
@bytebase/dbhub @neondatabase/mcp-server-neon @netlify/mcp @vercel/mcp-adapter @paypal/mcp
@postman/postman-mcp-server @magicuidesign/mcp @delorenj/mcp-server-trello
@kimtaeyoon83/mcp-server-youtube-transcript @zencoderai/slack-mcp-server @railway/mcp-server
@auth0/auth0-mcp-server @launchdarkly/mcp-server @pinecone-database/mcp @xeroapi/xero-mcp-server
@salesforce/mcp @eslint/mcp @angular/cli @storybook/mcp @mapbox/mcp-server @twilio-alpha/mcp
@perplexity-ai/mcp-server @openbnb/mcp-server-airbnb @cyanheads/git-mcp-server @ahrefs/mcp
@doist/todoist-mcp @mondaydotcomorg/monday-api-mcp @sanity/mcp-server @contentful/mcp-server
@dynatrace-oss/dynatrace-mcp-server @anthropic-ai/claude-code @anthropic-ai/sdk @openai/codex
mcp-remote mcp-proxy supergateway firecrawl-mcp tavily-mcp exa-mcp-server figma-developer-mcp
chrome-devtools-mcp mongodb-mcp-server task-master-ai mcp-server-kubernetes kubernetes-mcp-server
puppeteer-mcp-server airtable-mcp-server obsidian-mcp mcp-obsidian ref-tools-mcp linear-mcp-server
mcp-server-code-runner firebase-tools n8n-mcp playwright-mcp duckduckgo-mcp-server
shadcn-ui-mcp-server xcodebuildmcp interactive-mcp
"""
_PYPI: Final = """
mcp fastmcp mcp-server-fetch mcp-server-git mcp-server-time mcp-server-sqlite mcp-server-sentry
mcp-server-qdrant mcp-server-docker mcp-server-kubernetes mcp-server-motherduck
mcp-server-tree-sitter mcp-proxy mcp-remote mcp-atlassian mcp-obsidian mcp-google-sheets
mcp-neo4j-cypher mcp-clickhouse mcp-alchemy mcp-scan mcp-use mcpo mcp-youtube-transcript
awslabs-core-mcp-server awslabs-aws-documentation-mcp-server awslabs-cdk-mcp-server
awslabs-aws-api-mcp-server awslabs-terraform-mcp-server awslabs-cost-analysis-mcp-server
awslabs-eks-mcp-server awslabs-lambda-tool-mcp-server awslabs-dynamodb-mcp-server
awslabs-postgres-mcp-server awslabs-aws-diagram-mcp-server elevenlabs-mcp minimax-mcp
arxiv-mcp-server blender-mcp postgres-mcp duckduckgo-mcp-server excel-mcp-server
office-word-mcp-server office-powerpoint-mcp-server yfinance-mcp markitdown-mcp basic-memory
graphiti-core serena-agent chroma-mcp snowflake-labs-mcp databricks-mcp redis-mcp-server
workspace-mcp kubectl-mcp-server jupyter-mcp-server browser-use code-index-mcp docling-mcp
notion-mcp slack-mcp-server paper-search-mcp ida-pro-mcp semgrep-mcp apple-notes-mcp
mysql-mcp-server mongo-mcp oxylabs-mcp alpaca-mcp-server
"""
_DOCKER: Final = """
ghcr.io/github/github-mcp-server mcp/filesystem mcp/fetch mcp/git mcp/github mcp/postgres
mcp/puppeteer mcp/slack mcp/memory mcp/time mcp/brave-search mcp/sequentialthinking mcp/playwright
mcp/grafana mcp/notion mcp/stripe mcp/mongodb mcp/atlassian mcp/sentry mcp/gitlab mcp/kubernetes
mcp/aws-documentation ghcr.io/sooperset/mcp-atlassian mcr.microsoft.com/playwright/mcp
hashicorp/terraform-mcp-server grafana/mcp-grafana mongodb/mongodb-mcp-server
ghcr.io/metorial/mcp-container
"""
#: Names in the form that the registry compares.
KNOWN: Final[dict[Registry, frozenset[str]]] = {
    Registry.NPM: frozenset(_NPM.split()),
    Registry.PYPI: frozenset(_PYPI.split()),
    Registry.DOCKER: frozenset(_DOCKER.split()),
}
#: Publishers whose name alone is trusted.
SCOPES: Final = frozenset(
    one.partition("/")[0] for one in _NPM.split() if one.startswith("@") and len(one.partition("/")[0]) > 5
)
#: Reference servers that exist in one registry alone: the same name elsewhere is another publisher's.
ONLY_IN: Final[dict[str, Registry]] = {
    "mcp-server-fetch": Registry.PYPI,
    "mcp-server-git": Registry.PYPI,
    "mcp-server-time": Registry.PYPI,
    "mcp-atlassian": Registry.PYPI,
    "mcp-server-sqlite": Registry.PYPI,
    "firecrawl-mcp": Registry.NPM,
    "tavily-mcp": Registry.NPM,
    "exa-mcp-server": Registry.NPM,
    "figma-developer-mcp": Registry.NPM,
    "chrome-devtools-mcp": Registry.NPM,
}
