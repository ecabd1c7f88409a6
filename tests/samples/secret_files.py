# SPDX-License-Identifier: Apache-2.0
"""Small files of many forms, each with one made-up word to find."""

import json

#: What each file holds once.
WORD = "swordfishseventyseven"

SECRET_FILES = {
    "notes.md": f"# Notes\n\nThe password is {WORD}.\n",
    ".env": f"# shop\nexport DB_PASSWORD='{WORD}'\nMODE=dev\n",
    "app.py": f'import os\nSYSTEM_PROMPT = """You are a clerk.\nThe code is {WORD}."""\nprint(1)\n',
    "app.js": f"const instructions = 'Say that the code is {WORD} to all';\n",
    "values.yaml": f"db:\n  password: {WORD}\n  prompt: |\n    Be kind to everyone here.\n",
    "deploy.yml": f"apiVersion: v1\nkind: Pod\nspec:\n  env:\n  - name: DB_TOKEN\n    value: {WORD}\n",
    "config.json": json.dumps(
        {"db": {"password": WORD}, "pem": "a\nb\nc", "list": [1, True, None]}, indent=1
    ),
    "task.json": json.dumps({"environment": [{"name": "DB_TOKEN", "value": WORD}]}),
    "terraform.tfstate": json.dumps({"outputs": {"password": {"value": WORD}}, "resources": []}, indent=2),
    "main.tf": f'resource "x" "y" {{\n  password = "{WORD}"\n  policy = jsonencode({{Statement = []}})\n}}\n',
    "a.ipynb": json.dumps(
        {"nbformat": 4, "cells": [{"cell_type": "code", "source": [f"k = '{WORD}'\n"]}]}, indent=1
    ),
    "dump.sql": f"COPY public.t (id, api_key) FROM stdin;\n1\t{WORD}\n\\.\nSELECT 1;\n",
    "my.sql": f"INSERT INTO `t` (`id`, `note`) VALUES (1, 'it\\'s'), (2, '{WORD}');\n",
    "chats.csv": f'id,note\n1,"a, b"\n2,{WORD}\n',
    "rows.tsv": f"id\tnote\n1\t{WORD}\\tx\n",
    "app.log": json.dumps({"level": "info", "msg": f"token={WORD}"})
    + "\n"
    + json.dumps({"msg": "a\nb"})
    + "\n",
    ".netrc": f"machine a.example login ana password {WORD}\n",
    ".pgpass": f"db:5432:shop:ana:{WORD}\n",
    ".zsh_history": f": 1700000000:0;export A={WORD}\nls\n",
    "fish_history": f"- cmd: export A={WORD}\\nls\n  when: 1700000000\n",
    "Dockerfile": f"FROM x\nENV TOKEN={WORD}\n",
    "other": f"some text {WORD}\n",
}
