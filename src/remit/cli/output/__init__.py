# SPDX-License-Identifier: Apache-2.0
"""How the command line shows answers: JSON for programs, tables and text for people."""
