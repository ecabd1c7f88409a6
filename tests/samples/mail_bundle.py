# SPDX-License-Identifier: Apache-2.0
"""Tools and task type of the gateway that tests start as a process: one mailbox."""

TOOLS = """
upstream: mail
tools:
  send:
    effect: irreversible
    audience: external
    labels: {class: public, trust: trusted}
    arguments:
      to: {role: destination}
      subject: {role: content}
      body: {role: content}
    target: "{to}"
  inbox:
    effect: none
    audience: self
    labels: {class: public, trust: trusted}
    record: the inbox
"""
RECIPIENT = "someone@example.com"
TASK = """
task: send-mail
purpose: Send mails
run_by: [mail-bot, other-bot]
requested_by: [lena]
deadline: 2h
grants:
  - tool: mail/inbox
  - tool: mail/send
    arguments:
      to: {email_domain: [example.com]}
      subject: {length: {max: 200}}
      body: {length: {max: 100000}}
"""
