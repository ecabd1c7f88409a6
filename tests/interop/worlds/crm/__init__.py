# SPDX-License-Identifier: Apache-2.0
"""A sales workspace: contacts, deals, invoices, payments, mail, colleagues and a web reader."""
