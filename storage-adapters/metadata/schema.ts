import type { Generated, Kysely } from 'kysely';
import type { FunctionSchema } from './schema-functions.ts';
import type { ManagementSchema } from './schema-management.ts';
import type { ScrubSchema } from './schema-scrub.ts';

/**
 * The tables, as SQL holds them. Times are UTC milliseconds, flags 0 or 1, JSON is text; bytewise
 * collation. Ids are prefixed UUIDv7, so they sort by age.
 */
export interface Schema {
  migrations: { version: number; applied_at: number };
  counters: { name: string; value: number };
  teams: {
    id: string;
    slug: string;
    name: string;
    plan: string;
    event_sequence: number;
    functions: Generated<number>;
    created_at: number;
  };
  projects: {
    id: string;
    team_id: string;
    slug: string;
    settings: string;
    repository_count: number;
    stored_bytes: number;
    deployment_sequence: Generated<number>;
    rewrites: Generated<string>;
    rewrites_version: Generated<number>;
    /** JSON of its ImageRules. */
    rules: Generated<string>;
    created_at: number;
  };
  accounts: {
    id: string;
    name: string;
    email: string | null;
    /** 1: may make teams and accounts. */
    operator: number;
    created_at: number;
  };
  members: { team_id: string; account_id: string; role: string };
  tokens: {
    id: string;
    name: string;
    hash: string;
    team_id: string | null;
    account_id: string | null;
    scope: string;
    project_ids: string | null;
    created_at: number;
    expires_at: number | null;
    revoked_at: number | null;
    last_used_at: number | null;
  };
  refresh_tokens: {
    id: string;
    hash: string;
    token_id: string | null;
    credential: string;
    expires_at: number;
    created_at: number;
  };
  trust_policies: {
    id: string;
    team_id: string;
    name: string;
    issuer: string;
    audience: string | null;
    claims: string;
    project_ids: string | null;
    actions: string;
    created_at: number;
  };
  keys: {
    id: string;
    purpose: string;
    wrapped: string;
    created_at: number;
    retired_at: number | null;
  };
  repositories: {
    id: string;
    project_id: string;
    name: string;
    visibility: string;
    image_count: number;
    tag_count: number;
    event_sequence: number;
    /** Bytes of the blobs that it links. */
    stored_bytes: number;
    /** 0: never. */
    pushed_at: number;
    pulled_at: number | null;
    rules: Generated<string>;
    created_at: number;
  };
  blobs: {
    digest: string;
    key: string;
    size: number;
    created_at: number;
    /** When its bytes were last compared with its digest; 0: not since it is written down. */
    verified_at: Generated<number>;
    /** Its bytes are not its digest's; null: as far as is known they are. */
    quarantined_at: Generated<number | null>;
  };
  blob_links: {
    repository_id: string;
    digest: string;
    linked_at: number;
    /** Kept until then, though no manifest names it. */
    leased_until: Generated<number>;
  };
  measures: {
    digest: string;
    compression: string;
    state: string;
    uncompressed_size: number | null;
    reason: string | null;
  };
  /** Bytes of manifests, once over all repositories. */
  manifest_contents: { digest: string; bytes: Uint8Array };
  manifests: {
    repository_id: string;
    digest: string;
    media_type: string;
    size: number;
    image_size: number;
    platform: string | null;
    artifact_type: string | null;
    annotations: string | null;
    subject: string | null;
    pushed_at: number;
    pushed_by: string;
    pulled_at: Generated<number | null>;
  };
  /** What a manifest names in its own repository: `blob` or `manifest`. */
  manifest_references: {
    repository_id: string;
    digest: string;
    child: string;
    kind: string;
  };
  tags: {
    repository_id: string;
    name: string;
    digest: string;
    created_at: number;
    updated_at: number;
    updated_by: string;
  };
  /** What tags pointed at: numbered by tag, the newest last; `set` or `deleted`. */
  tag_history: {
    repository_id: string;
    name: string;
    sequence: number;
    action: string;
    digest: string;
    at: number;
    actor: string;
  };
  /** With what is needed to put them back until `expires_at`. */
  deleted_manifests: {
    repository_id: string;
    digest: string;
    media_type: string;
    size: number;
    image_size: number;
    platform: string | null;
    artifact_type: string | null;
    annotations: string | null;
    subject: string | null;
    pushed_at: number;
    pushed_by: string;
    /** JSON: what it named. */
    parts: string;
    /** JSON: names of its tags. */
    tags: string;
    deleted_at: number;
    deleted_by: string;
    expires_at: number;
    bytes: Uint8Array;
  };
  uploads: {
    id: string;
    repository_id: string;
    subject: string;
    algorithm: string;
    bytes_taken: number;
    digest_so_far: string | null;
    store_state: string;
    created_at: number;
    expires_at: number;
    /** The replica that writes to it, or did last. */
    claimed_by: Generated<string | null>;
    /** By the database's clock; 0: it is done. */
    claimed_until: Generated<number>;
  };
  leases: {
    name: string;
    holder: string;
    epoch: number;
    expires_at: number;
    /** Where others reach the holder, while `address_of` names it. */
    address: string | null;
    address_of: string | null;
  };
  /** Keys whose bytes nothing names any more, until they are removed. */
  discarded_keys: { key: string; store_state: string | null; due_at: Generated<number> };
  /** Events that the relay has not taken yet. A stream is a repository, or a team for what has none. */
  outbox: {
    id: string;
    stream_id: string;
    sequence: number;
    type: string;
    team_id: string;
    project_id: string | null;
    /** `team/project/repository` as it was named, or the id of what it is about. */
    subject: string;
    data: string;
    created_at: number;
  };
}

export type Builder = Kysely<Schema & ScrubSchema & ManagementSchema & FunctionSchema>;
