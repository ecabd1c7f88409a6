# SPDX-License-Identifier: Apache-2.0
"""AWS: who may do what by policies, boundaries and organization policies, and which rights lead to more.

`exports` reads documents into an `AwsExport`, `evaluation` decides one request, `paths` chains the steps of
`vocabulary`, `findings` words what is wrong.
"""
