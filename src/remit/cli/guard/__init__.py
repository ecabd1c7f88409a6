# SPDX-License-Identifier: Apache-2.0
"""`remit guard`: puts coding assistants under guard, by hooks in their settings."""
