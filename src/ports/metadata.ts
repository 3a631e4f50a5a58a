import type { AuditRows } from './audit.ts';
import type { Blobs } from './blobs.ts';
import type { Collection } from './collection.ts';
import type { CollectionPlanStore } from './collection-plan.ts';
import type { CommandWriter } from './commands.ts';
import type { DomainClaims } from './domains.ts';
import type { Events } from './events.ts';
import type { FunctionRecords } from './function-records.ts';
import type { Deployments, FunctionVolumes, Services } from './functions.ts';
import type { ImageRuleStore } from './image-rules.ts';
import type { Invocations } from './invocations.ts';
import type { IssuedTokens } from './issued-tokens.ts';
import type { Keys } from './keys.ts';
import type { Leases, Notices } from './leases.ts';
import type { Manifests } from './manifests.ts';
import type { Outbox } from './outbox.ts';
import type { Projects } from './projects.ts';
import type { Repositories } from './repositories.ts';
import type { RetentionStore } from './retention.ts';
import type { Sandboxes } from './sandboxes.ts';
import type { ScrubStore } from './scrub.ts';
import type { Secrets, Variables } from './secrets.ts';
import type { Sessions } from './sessions.ts';
import type { Tags } from './tags.ts';
import type { Teams } from './teams.ts';
import type { Tokens } from './tokens.ts';
import type { TrashStore } from './trash.ts';
import type { TrustPolicies } from './trust-policies.ts';
import type { Uploads } from './uploads.ts';
import type { Usage } from './usage.ts';
import type { Webhooks } from './webhooks.ts';

/** The facts: stores that read, and the one way to write. */
export interface Metadata {
  readonly repositories: Repositories;
  readonly manifests: Manifests;
  readonly tags: Tags;
  readonly imageRules: ImageRuleStore;
  readonly trash: TrashStore;
  readonly retention: RetentionStore;
  readonly blobs: Blobs;
  readonly collection: Collection;
  readonly collectionPlan: CollectionPlanStore;
  readonly scrub: ScrubStore;
  readonly uploads: Uploads;
  readonly teams: Teams;
  readonly projects: Projects;
  readonly tokens: Tokens;
  readonly issuedTokens: IssuedTokens;
  readonly sessions: Sessions;
  readonly trustPolicies: TrustPolicies;
  readonly secrets: Secrets;
  readonly variables: Variables;
  readonly usage: Usage;
  readonly keys: Keys;
  readonly leases: Leases;
  readonly outbox: Outbox;
  readonly events: Events;
  readonly services: Services;
  readonly deployments: Deployments;
  readonly domains: DomainClaims;
  readonly webhooks: Webhooks;
  readonly volumes: FunctionVolumes;
  readonly sandboxes: Sandboxes;
  readonly invocations: Invocations;
  readonly audit: AuditRows;
  readonly functionRecords: FunctionRecords;
  readonly writer: CommandWriter;
  /** Undefined: this process is alone with its database. */
  readonly notices?: Notices | undefined;
  /** Called soon after each commit of this process's writes, and of other replicas'. */
  onCommit(listener: () => void): void;
  /** Resolves where a read and the writer both answer; rejects with `unavailable` else. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
