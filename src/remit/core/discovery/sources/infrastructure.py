# SPDX-License-Identifier: Apache-2.0
"""Infrastructure as code of AWS: what Terraform, its state, and CloudFormation grant, as permission exports.

State and templates become what `aws iam get-account-authorization-details` would return. In Terraform's own
language, policies in heredocs, `jsonencode` and `aws_iam_policy_document` are read where they are literal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import PermissionExport, PermissionSource, Read
from remit.core.discovery.discovered import SourceKind
from remit.core.discovery.sources.documents import json_tree, plain
from remit.core.discovery.sources.permissions import is_policy
from remit.core.discovery.sources.text import extension_of, pieces, place_of, text_of_bytes
from remit.core.json_value import Json

#: What a document must hold before it is looked at.
INFRASTRUCTURE: Final = re.compile(rb"AWS::IAM::|AWS::Serverless::|\"aws_iam_")
_HEREDOC: Final = re.compile(r"<<[-~]?\"?(\w{1,40})\"?[ \t]*\r?\n")
_ENCODED: Final = re.compile(r"\bjsonencode\(\s*(?=[{\[])")
_DOCUMENT: Final = re.compile(r'\bdata\s+"aws_iam_policy_document"\s+"([\w-]{1,128})"\s*\{')
_RESOURCE: Final = re.compile(r'^\s*(?:resource|data)\s+"([\w-]{1,128})"\s+"([\w-]{1,128})"', re.MULTILINE)
_HCL: Final = re.compile(r'"(?:[^"\\\n]++|\\.)*+"|#[^\n]*+|//[^\n]*+|[{}\[\](),=:]|[^\s"{}\[\](),=:#]++')
_MOST_POLICY: Final = 100_000
#: Characters that are read for policies of one file.
_MOST_READ: Final = 5_000_000
_MOST_DEPTH: Final = 40
_FIELDS: Final = {
    "actions": "Action", "not_actions": "NotAction", "resources": "Resource", "not_resources": "NotResource",
    "effect": "Effect", "sid": "Sid",
}  # fmt: skip


class TerraformReader:
    """Reads Terraform's language as text, and the policies in it."""

    def fits(self, chunk: FileChunk) -> bool:
        """Return whether the name says so."""
        return extension_of(chunk.file) in ("tf", "hcl", "tofu")

    def read(self, chunk: FileChunk) -> Iterator[Read]:
        """Yield the text, then the policies; `inside` is the resource's address."""
        text = text_of_bytes(chunk.content)
        if not text:
            return
        yield from pieces(text, place_of(chunk), SourceKind.CONFIG)
        if "Statement" not in text and "aws_iam_policy_document" not in text:
            return
        owners = [(one.start(), f"{one[1]}.{one[2]}") for one in _RESOURCE.finditer(text)]
        for start, document in sorted(_policies(text), key=lambda found: found[0]):
            owner = next((name for at, name in reversed(owners) if at <= start), "")
            place = place_of(chunk, line=chunk.line + text.count("\n", 0, start), inside=owner)
            yield PermissionExport(provider=PermissionSource.AWS, place=place, document=document)


def _policies(text: str) -> Iterator[tuple[int, Json]]:
    left = _MOST_READ
    for one in _HEREDOC.finditer(text):
        end = text.find(one[1], one.end(), one.end() + _MOST_POLICY)
        left -= (end if end >= 0 else one.end() + _MOST_POLICY) - one.end()
        body = text[one.end() : end] if end >= 0 and left > 0 else ""
        if "Statement" in body and is_policy(document := plain(json_tree(body))):
            yield one.start(), document
    for pattern in (_ENCODED, _DOCUMENT):
        for one in pattern.finditer(text):
            begin = one.end() - (pattern is _DOCUMENT)
            value, size = _hcl_value(text[begin : begin + _MOST_POLICY])
            left -= size
            if left < 0:
                return
            statements = value.get("statement") if isinstance(value, dict) else None
            if pattern is _DOCUMENT and isinstance(statements, list):
                made = [_statement(each) for each in statements]
                yield one.start(), {"Version": "2012-10-17", "Statement": made}
            elif pattern is _ENCODED and is_policy(value):
                yield one.start(), value


def _statement(block: Json) -> Json:
    """Return a `statement` block in the form of a policy."""
    fields = block if isinstance(block, dict) else {}
    made: dict[str, Json] = {"Effect": "Allow"}
    made |= {_FIELDS[key]: value for key, value in fields.items() if key in _FIELDS}
    who = fields.get("principals")
    if isinstance(who, list):
        made["Principal"] = {
            each["type"]: each.get("identifiers", [])
            for each in who
            if isinstance(each, dict) and isinstance(each.get("type"), str)
        }
    conditions = fields.get("condition")
    if isinstance(conditions, list):
        held: dict[str, dict[str, Json]] = {}
        for each in conditions:
            if isinstance(each, dict) and isinstance(each.get("test"), str):
                held.setdefault(each["test"], {})[str(each.get("variable"))] = each.get("values", [])
        made["Condition"] = held
    return made


def _hcl_value(text: str) -> tuple[Json, int]:
    """Return the first object or list in HCL, and its length.

    Blocks become lists of objects, references stay as `${...}`.
    """
    reader = _Hcl(text)
    return reader.value(0), reader.read


class _Hcl:
    """Reads values from tokens; what it does not know becomes a text, so that a policy is never narrowed."""

    def __init__(self, text: str) -> None:
        self.read = 0
        self._tokens = (one for one in _HCL.finditer(text) if not one[0].startswith(("#", "//")))
        self._ahead = ""

    def _next(self) -> str:
        token, self._ahead = self._peek(), ""
        return token

    def _peek(self) -> str:
        if not self._ahead and (found := next(self._tokens, None)) is not None:
            self._ahead, self.read = found[0], found.end()
        return self._ahead

    def value(self, depth: int) -> Json:
        token = self._next()
        if depth > _MOST_DEPTH:
            return ""
        if token == "{":
            return self._object(depth)
        if token == "[":
            items = []
            while (sign := self._peek()) not in ("]", ""):
                if sign == ",":
                    self._next()
                else:
                    items.append(self.value(depth + 1))
            self._next()
            return items
        if token.startswith('"'):
            return token[1:-1]
        return {"true": True, "false": False, "null": None}.get(token, f"${{{token}}}")

    def _object(self, depth: int) -> dict[str, Json]:
        made: dict[str, Json] = {}
        while (key := self._next()) not in ("}", ""):
            name = key.strip('"')
            sign = self._peek()
            if sign in ("=", ":"):
                self._next()
                made[name] = self.value(depth + 1)
            elif sign == "{":
                block = self.value(depth + 1)
                kept = made.setdefault(name, [])
                if isinstance(kept, list):
                    kept.append(block)
        return made


def infrastructure_exports(document: Json, chunk: FileChunk) -> Iterator[PermissionExport]:
    """Yield what a Terraform state, a plan or a CloudFormation template grants, as authorization details."""
    details = _Details()
    for kind, address, fields in _resources(document):
        details.add(kind, address, fields)
    if details.made:
        place = place_of(chunk)
        yield PermissionExport(provider=PermissionSource.AWS, place=place, document=details.document())


def _resources(document: Json) -> Iterator[tuple[str, str, dict[str, Json]]]:
    """Yield kind, name and fields of each resource."""
    if not isinstance(document, dict):
        return
    resources = document.get("Resources", document.get("resources"))
    if isinstance(resources, dict):
        for name, one in resources.items():
            if isinstance(one, dict) and isinstance(one.get("Properties"), dict):
                yield str(one.get("Type")), name, one["Properties"]
    for one in resources if isinstance(resources, list) else ():
        instances = one.get("instances") if isinstance(one, dict) else None
        for instance in instances if isinstance(instances, list) else ():
            if isinstance(instance, dict) and isinstance(instance.get("attributes"), dict):
                yield str(one.get("type")), str(one.get("name")), instance["attributes"]
    values = document.get("values", document.get("planned_values"))
    modules = [values.get("root_module")] if isinstance(values, dict) else []
    for _ in range(10_000):
        module = modules.pop() if modules else None
        if not isinstance(module, dict):
            return
        children = module.get("child_modules")
        modules += children if isinstance(children, list) else []
        resources = module.get("resources")
        for one in resources if isinstance(resources, list) else ():
            if isinstance(one, dict) and isinstance(one.get("values"), dict):
                yield str(one.get("type")), str(one.get("name")), one["values"]


class _Details:
    """Collects users, groups, roles and policies under the names that refer to them."""

    _LISTS: Final = {"role": "RoleDetailList", "user": "UserDetailList", "group": "GroupDetailList"}

    def __init__(self) -> None:
        self.made = False
        self._holders: dict[tuple[str, str], dict[str, Json]] = {}
        self._policies: list[Json] = []

    def _holder(self, kind: str, name: str) -> dict[str, Json]:
        self.made = True
        title = kind.title()
        inline = f"{title}PolicyList"
        fresh: dict[str, Json] = {
            f"{title}Name": name,
            "Arn": f"arn:aws:iam::000000000000:{kind}/{name}",
            inline: [],
            "AttachedManagedPolicies": [],
        }
        return self._holders.setdefault((kind, name), fresh)

    def add(self, kind: str, address: str, fields: dict[str, Json]) -> None:
        """Add one resource of Terraform or CloudFormation."""
        part = kind.removeprefix("aws_iam_") if kind.startswith("aws_iam_") else _SNAKE.get(kind, "")
        if part in self._LISTS:
            self._principal(part, _text(fields, "name", f"{part.title()}Name") or address, fields)
        elif part == "policy":
            self._managed(address, fields)
        elif part.endswith("_policy") and part.split("_")[0] in self._LISTS:
            self._inline(part.split("_")[0], _text(fields, part.split("_")[0]), fields)
        elif part.endswith("_policy_attachment"):
            holder = part.split("_")[0]
            if holder in self._LISTS and (name := _text(fields, holder)):
                self._attach(self._holder(holder, name), [fields.get("policy_arn")])

    def _principal(self, kind: str, name: str, fields: dict[str, Json]) -> None:
        holder = self._holder(kind, name)
        if arn := _text(fields, "arn"):
            holder["Arn"] = arn
        trust = _policy(fields.get("assume_role_policy", fields.get("AssumeRolePolicyDocument")))
        if trust is not None:
            holder["AssumeRolePolicyDocument"] = trust
        boundary = _text(fields, "permissions_boundary", "PermissionsBoundary")
        if boundary:
            holder["PermissionsBoundary"] = {
                "PermissionsBoundaryType": "Policy",
                "PermissionsBoundaryArn": boundary,
            }
        for field in ("inline_policy", "Policies"):
            listed = fields.get(field)
            for one in listed if isinstance(listed, list) else ():
                if isinstance(one, dict):
                    self._inline(kind, name, one)
        for field in ("managed_policy_arns", "ManagedPolicyArns"):
            listed = fields.get(field)
            self._attach(holder, listed if isinstance(listed, list) else [])

    def _inline(self, kind: str, name: str, fields: dict[str, Json]) -> None:
        document = _policy(fields.get("policy", fields.get("PolicyDocument")))
        if document is not None and name:
            said = _text(fields, "name", "PolicyName") or "inline"
            holder = self._holder(kind, name)
            holder[f"{kind.title()}PolicyList"].append({"PolicyName": said, "PolicyDocument": document})

    def _attach(self, holder: dict[str, Json], arns: list[Json]) -> None:
        for arn in arns:
            name = arn.rpartition("/")[2] if isinstance(arn, str) else _reference(arn)
            if name:
                # What is no ARN refers to a policy of the same template.
                known = arn if isinstance(arn, str) and arn.startswith("arn:") else _own(name)
                holder["AttachedManagedPolicies"].append({"PolicyName": name, "PolicyArn": known})

    def _managed(self, address: str, fields: dict[str, Json]) -> None:
        document = _policy(fields.get("policy", fields.get("PolicyDocument")))
        if document is None:
            return
        self.made = True
        arn = _text(fields, "arn") or _own(address)
        version = {"Document": document, "VersionId": "v1", "IsDefaultVersion": True}
        name = _text(fields, "name", "ManagedPolicyName") or address
        self._policies.append(
            {"PolicyName": name, "Arn": arn, "DefaultVersionId": "v1", "PolicyVersionList": [version]}
        )
        for kind, field in (("role", "Roles"), ("user", "Users"), ("group", "Groups")):
            holders = fields.get(field)
            for one in holders if isinstance(holders, list) else ():
                if holder := one if isinstance(one, str) else _reference(one):
                    self._attach(self._holder(kind, holder), [arn])

    def document(self) -> Json:
        """Return the authorization details."""
        made: dict[str, Json] = {name: [] for name in self._LISTS.values()}
        for (kind, _), holder in self._holders.items():
            made[self._LISTS[kind]].append(holder)
        return made | {"Policies": self._policies}


#: Resources of CloudFormation by the names that Terraform has for them.
_SNAKE: Final = {
    "AWS::IAM::Role": "role",
    "AWS::IAM::User": "user",
    "AWS::IAM::Group": "group",
    "AWS::IAM::ManagedPolicy": "policy",
}


def _own(name: str) -> str:
    return f"arn:aws:iam::000000000000:policy/{name}"


def _text(fields: dict[str, Json], *names: str) -> str:
    return next((one for name in names if isinstance(one := fields.get(name), str) and one), "")


def _reference(value: Json) -> str:
    """Return the name in `Ref` or `Fn::GetAtt` of CloudFormation."""
    if not isinstance(value, dict):
        return ""
    named = value.get("Ref", value.get("Fn::GetAtt"))
    first = named[0] if isinstance(named, list) and named else named
    return first if isinstance(first, str) else ""


def _policy(value: Json) -> Json:
    """Return a policy that is one, or whose JSON text it is."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(str(value))
        except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError):
            return None
    return value if is_policy(value) else None
