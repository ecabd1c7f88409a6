# SPDX-License-Identifier: Apache-2.0
"""AWS as a source of credentials: STS sessions for a task, denied when it ends."""
