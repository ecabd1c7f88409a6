# SPDX-License-Identifier: Apache-2.0
"""AWS as a source of credentials: one STS session per task, denied when the task ends."""
