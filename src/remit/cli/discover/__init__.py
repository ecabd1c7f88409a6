# SPDX-License-Identifier: Apache-2.0
"""`remit discover`: what agents use outside remit, and what is wrong there, in the forms of each reader."""
