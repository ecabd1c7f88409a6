# SPDX-License-Identifier: Apache-2.0
"""Attacks on the guard of a coding assistant, made by the real client with a scripted model."""
