# SPDX-License-Identifier: Apache-2.0
"""What predefined roles of Google Cloud permit, as far as it matters for escalation.

Source: Google, "IAM basic and predefined roles reference". An exported role (`gcloud iam roles describe`)
replaces its entry. A pattern ends in `*`, or begins with it.
"""

from __future__ import annotations

from typing import Final

_IMPERSONATE: Final = (
    "iam.serviceAccounts.getAccessToken iam.serviceAccounts.implicitDelegation "
    "iam.serviceAccounts.signBlob iam.serviceAccounts.signJwt"
)
_EDITOR: Final = (
    "iam.serviceAccounts.actAs iam.serviceAccounts.create iam.serviceAccountKeys.create "
    "compute.instances.create compute.instances.setMetadata compute.instances.setServiceAccount "
    "cloudfunctions.functions.create cloudfunctions.functions.update run.services.create "
    "run.services.update run.jobs.create run.jobs.update run.jobs.run cloudbuild.builds.create "
    "deploymentmanager.deployments.create deploymentmanager.deployments.update dataflow.jobs.create "
    "dataproc.clusters.create composer.environments.create notebooks.instances.create "
    "cloudscheduler.jobs.create aiplatform.customJobs.create storage.buckets.create "
    "secretmanager.versions.add bigquery.datasets.create pubsub.topics.publish"
)
_ROLES: Final = {
    "owner": "*",
    "editor": _EDITOR,
    "iam.serviceAccountTokenCreator": _IMPERSONATE,
    "iam.serviceAccountUser": "iam.serviceAccounts.actAs",
    "iam.serviceAccountKeyAdmin": "iam.serviceAccountKeys.create",
    "iam.serviceAccountAdmin": "iam.serviceAccounts.setIamPolicy iam.serviceAccounts.create",
    "iam.serviceAccountCreator": "iam.serviceAccounts.create",
    "iam.workloadIdentityUser": "iam.serviceAccounts.getAccessToken",
    "iam.workloadIdentityPoolAdmin": "iam.workloadIdentityPoolProviders.create "
    "iam.workloadIdentityPoolProviders.update",
    "iam.roleAdmin": "iam.roles.create iam.roles.update",
    "iam.organizationRoleAdmin": "iam.roles.create iam.roles.update",
    "iam.securityAdmin": "*.setIamPolicy iam.roles.get",
    "resourcemanager.projectIamAdmin": "resourcemanager.projects.setIamPolicy",
    "resourcemanager.folderIamAdmin": "resourcemanager.folders.setIamPolicy",
    "resourcemanager.folderAdmin": "resourcemanager.folders.setIamPolicy "
    "resourcemanager.projects.setIamPolicy",
    "resourcemanager.organizationAdmin": "resourcemanager.organizations.setIamPolicy "
    "resourcemanager.folders.setIamPolicy resourcemanager.projects.setIamPolicy",
    "orgpolicy.policyAdmin": "orgpolicy.policy.set",
    "compute.admin": "compute.*",
    "compute.instanceAdmin": "compute.instances.*",
    "compute.instanceAdmin.v1": "compute.instances.* compute.disks.*",
    "compute.osAdminLogin": "compute.instances.osLogin compute.instances.osAdminLogin",
    "compute.osLogin": "compute.instances.osLogin",
    "cloudfunctions.admin": "cloudfunctions.*",
    "cloudfunctions.developer": "cloudfunctions.functions.create cloudfunctions.functions.update "
    "cloudfunctions.functions.call",
    "run.admin": "run.*",
    "run.developer": "run.services.create run.services.update run.jobs.create run.jobs.update run.jobs.run",
    "run.sourceDeveloper": "run.services.create run.services.update",
    "deploymentmanager.editor": "deploymentmanager.deployments.create deploymentmanager.deployments.update",
    "cloudbuild.builds.editor": "cloudbuild.builds.create cloudbuild.builds.update",
    "cloudbuild.builds.builder": "cloudbuild.builds.create cloudbuild.builds.update storage.objects.create",
    "cloudscheduler.admin": "cloudscheduler.*",
    "dataflow.admin": "dataflow.*",
    "dataflow.developer": "dataflow.jobs.create",
    "dataproc.admin": "dataproc.*",
    "dataproc.editor": "dataproc.clusters.create dataproc.jobs.create",
    "composer.admin": "composer.*",
    "notebooks.admin": "notebooks.*",
    "aiplatform.admin": "aiplatform.*",
    "aiplatform.user": "aiplatform.customJobs.create aiplatform.endpoints.predict",
    "secretmanager.admin": "secretmanager.*",
    "secretmanager.secretAccessor": "secretmanager.versions.access",
    "storage.admin": "storage.*",
    "storage.objectAdmin": "storage.objects.*",
    "storage.objectViewer": "storage.objects.get",
    "container.admin": "container.*",
    "viewer": "",
    "browser": "",
}
#: Patterns of permissions by the name of a predefined role.
PREDEFINED: Final = {f"roles/{name}": frozenset(held.split()) for name, held in _ROLES.items()}
#: Ends of the names of roles, not in the table, that give nothing worth gaining.
HARMLESS: Final = (
    "viewer",
    "reader",
    "logwriter",
    "metricwriter",
    "agent",
    "invoker",
    "serviceagent",
    "browser",
)
#: Parts of such names that are about data after all.
_DATA: Final = ("data", "object", "secret")


def grants(patterns: frozenset[str], permission: str) -> bool:
    """Return whether patterns permit a permission."""
    if permission in patterns or "*" in patterns:
        return True
    return any(
        (p[-1:] == "*" and permission.startswith(p[:-1])) or (p[:1] == "*" and permission.endswith(p[1:]))
        for p in patterns
    )


def is_harmless(role: str) -> bool:
    """Return whether a role that is not known gives nothing worth gaining, by its name."""
    name = role.rpartition("/")[2].lower()
    return name.endswith(HARMLESS) and not any(part in name for part in _DATA)
