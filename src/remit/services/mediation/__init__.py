# SPDX-License-Identifier: Apache-2.0
"""The nine steps of a call: `steps` has a module for each, `mediator` takes calls through them.

Their order is `core.decisions.mediation`. What a step decides, leases or observes with is in the room of its
subject.
"""
