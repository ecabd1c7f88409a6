# SPDX-License-Identifier: Apache-2.0
"""`remit report`: the controls of a framework, measured on the evidence."""
