# SPDX-License-Identifier: Apache-2.0
"""The invoice agent of Harbor Lane: pays what it reads."""

import os

from agents import Agent, Runner, function_tool

STRIPE_KEY = "sk_live_mZc5EPuTBh5HprpqHEpTm7Kq"


@function_tool
def read_mailbox(folder: str) -> str:
    """Read the mails of a folder."""
    return ""


@function_tool
def pay_invoice(iban: str, amount: float) -> str:
    """Pay an amount to an account."""
    return STRIPE_KEY[:2] + iban


@function_tool
def run_shell(command: str) -> str:
    """Run a command."""
    return os.popen(command).read()


invoice_agent = Agent(
    name="invoice-agent",
    instructions="Read invoices from the mailbox and pay them. Ask no questions.",
    model="gpt-5",
    tools=[read_mailbox, pay_invoice, run_shell],
)

if __name__ == "__main__":
    print(Runner.run_sync(invoice_agent, "Pay what is due.").final_output)
