import type { Generated } from 'kysely';

/** Tables of the management: migrations/002-management.ts. */
export interface ManagementSchema {
  /** Events in the order in which they can be read again. */
  events: {
    position: number;
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
  webhooks: {
    id: string;
    team_id: string;
    project_id: string | null;
    name: string;
    url: string;
    /** JSON list of types; null: all. */
    types: string | null;
    sealed_secret: string;
    enabled: number;
    created_at: number;
    created_by: string;
    updated_at: number;
  };
  webhook_deliveries: {
    id: string;
    webhook_id: string;
    event_id: string;
    event_position: number;
    stream_id: string;
    sequence: number;
    type: string;
    /** `waiting` for the one before it in its stream, `pending`, `delivered` or `dead`. */
    state: string;
    attempts: number;
    next_at: number;
    last_status: number | null;
    last_error: string | null;
    created_at: number;
    done_at: number | null;
  };
  webhook_attempts: {
    id: string;
    delivery_id: string;
    started_at: number;
    duration_ms: number;
    status: number | null;
    error: string | null;
    response: string | null;
  };
  audit: {
    id: string;
    at: number;
    team_id: string | null;
    project_id: string | null;
    actor_id: string;
    actor: string;
    actor_kind: string;
    address: string | null;
    action: string;
    target: string | null;
    /** `ok`, or the kind of the refusal. */
    result: string;
    reason: string | null;
    request_id: string | null;
  };
  /** Slugs that teams gave up, which nobody else may take until then. */
  held_slugs: { slug: string; team_id: string; until: number };
  secrets: {
    id: string;
    project_id: string;
    name: string;
    sealed: string;
    version: number;
    created_at: number;
    updated_at: number;
    updated_by: string;
  };
  environment_variables: {
    project_id: string;
    environment: string;
    name: string;
    sealed: string;
    version: Generated<number>;
    created_at: number;
    updated_at: number;
    updated_by: string;
  };
  /** Who an account is at an OIDC provider. */
  sign_ins: {
    issuer: string;
    subject: string;
    account_id: string;
    created_at: number;
    last_at: number;
  };
  /** Of browsers. By the SHA-256 of the cookie. */
  sessions: {
    id: string;
    hash: string;
    account_id: string | null;
    /** The token that was signed in with, where it was one. */
    token_id: string | null;
    address: string | null;
    user_agent: string | null;
    created_at: number;
    last_seen_at: number;
    expires_at: number;
  };
  /** Short-lived tokens that were exchanged for a JWT (RFC 8693). */
  issued_tokens: {
    id: string;
    hash: string;
    team_id: string;
    name: string;
    /** JSON: the OIDC credential that it stands for. */
    credential: string;
    /** JSON list of project ids that it is narrowed to; null: those of its policies. */
    project_ids: string | null;
    /** JSON list of actions that it is narrowed to; null: those of its policies. */
    actions: string | null;
    created_at: number;
    expires_at: number;
    revoked_at: number | null;
  };
  /** Answers to creates with an Idempotency-Key. */
  idempotency: {
    key: string;
    request_hash: string;
    /** Null while the first request is under way. */
    status: number | null;
    sealed_answer: string | null;
    created_at: number;
  };
  /** Bytes by project and month (`2026-11`, UTC). */
  transfer: { project_id: string; month: string; pulled_bytes: number; pushed_bytes: number };
}
