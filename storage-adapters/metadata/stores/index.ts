import type { Metadata } from '../../../src/ports/metadata.ts';
import type { Executor } from '../database.ts';
import { auditStore } from './audit.ts';
import { blobsStore } from './blobs.ts';
import { collectionStore } from './collection.ts';
import { collectionPlanStore } from './collection-plan.ts';
import { deploymentsStore } from './deployments.ts';
import { domainsStore } from './domains.ts';
import { eventsStore } from './events.ts';
import { functionRecordsStore } from './function-records.ts';
import { imageRulesStore } from './image-rules.ts';
import { invocationsStore } from './invocations.ts';
import { issuedTokensStore } from './issued-tokens.ts';
import { keysStore } from './keys.ts';
import { leasesStore } from './leases.ts';
import { manifestsStore } from './manifests.ts';
import { outboxStore } from './outbox.ts';
import { projectsStore } from './projects.ts';
import { repositoriesStore } from './repositories.ts';
import { retentionStore } from './retention.ts';
import { sandboxesStore } from './sandboxes.ts';
import { scrubStore } from './scrub.ts';
import { secretsStore, variablesStore } from './secrets.ts';
import { servicesStore } from './services.ts';
import { sessionsStore } from './sessions.ts';
import { tagsStore } from './tags.ts';
import { teamsStore } from './teams.ts';
import { tokensStore } from './tokens.ts';
import { trashStore } from './trash.ts';
import { trustPoliciesStore } from './trust-policies.ts';
import { uploadsStore } from './uploads.ts';
import { usageStore } from './usage.ts';
import { volumesStore } from './volumes.ts';
import { webhooksStore } from './webhooks.ts';

/** All that reads, over one database. */
export function storesOf(
  executor: Executor,
): Omit<Metadata, 'writer' | 'notices' | 'onCommit' | 'ping' | 'close'> {
  return {
    repositories: repositoriesStore(executor),
    leases: leasesStore(executor),
    manifests: manifestsStore(executor),
    tags: tagsStore(executor),
    imageRules: imageRulesStore(executor),
    trash: trashStore(executor),
    retention: retentionStore(executor),
    blobs: blobsStore(executor),
    collection: collectionStore(executor),
    collectionPlan: collectionPlanStore(executor),
    scrub: scrubStore(executor),
    uploads: uploadsStore(executor),
    teams: teamsStore(executor),
    projects: projectsStore(executor),
    tokens: tokensStore(executor),
    issuedTokens: issuedTokensStore(executor),
    sessions: sessionsStore(executor),
    trustPolicies: trustPoliciesStore(executor),
    secrets: secretsStore(executor),
    variables: variablesStore(executor),
    usage: usageStore(executor),
    keys: keysStore(executor),
    domains: domainsStore(executor),
    outbox: outboxStore(executor),
    events: eventsStore(executor),
    services: servicesStore(executor),
    deployments: deploymentsStore(executor),
    webhooks: webhooksStore(executor),
    audit: auditStore(executor),
    functionRecords: functionRecordsStore(executor),
    volumes: volumesStore(executor),
    sandboxes: sandboxesStore(executor),
    invocations: invocationsStore(executor),
  };
}
