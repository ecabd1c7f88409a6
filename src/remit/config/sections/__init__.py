# SPDX-License-Identifier: Apache-2.0
"""The sections of `remit.yaml`, a module for each."""
