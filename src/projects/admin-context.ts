import type { Clock } from '../ports/clock.ts';
import type { Metadata } from '../ports/metadata.ts';
import type { PlanName } from '../ports/teams.ts';
import type { AuditTarget } from './admin-audit.ts';
import type { AdminMethod, AdminMethods, AdminStatus, PresetName } from './admin-methods.ts';
import type { IdPrefix } from './ids.ts';
import type { NewToken } from './token-secret.ts';

export interface AdminDeps {
  readonly metadata: Pick<
    Metadata,
    'teams' | 'projects' | 'tokens' | 'trustPolicies' | 'repositories' | 'writer'
  >;
  readonly clock: Clock;
  readonly newId: (prefix: IdPrefix) => string;
  readonly newToken: () => NewToken;
  readonly presets: TrustPresets;
  /** The plan of teams that are made without one. */
  readonly plan: PlanName;
  readonly status: () => AdminStatus;
  /** Each call of `handle` that would change something, done or refused. */
  readonly audit?: (entry: AuditEntry) => void;
}

/** By name of the preset: its options to what a policy trusts. Throws `RegistryError` kind `invalid`. */
export type TrustPresets = Readonly<Record<PresetName, (options: never) => Trust>>;

export interface Trust {
  readonly issuer: string;
  readonly audience: string | undefined;
  readonly claims: Readonly<Record<string, readonly string[]>>;
  readonly advice?: string | undefined;
}

export interface AuditEntry extends AuditTarget {
  readonly method: AdminMethod;
  /** `ok`, or the kind of the refusal. */
  readonly outcome: string;
  readonly reason: string | undefined;
}

export type Handlers = {
  readonly [M in AdminMethod]: (
    params: AdminMethods[M]['params'],
  ) => Promise<AdminMethods[M]['result']>;
};
