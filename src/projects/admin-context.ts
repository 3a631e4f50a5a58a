import type { Clock } from '../ports/clock.ts';
import type { CollectionState } from '../ports/collection.ts';
import type { CollectionPlanner } from '../ports/collection-plan.ts';
import type { KeyPurpose } from '../ports/keys.ts';
import type { Metadata } from '../ports/metadata.ts';
import type { RuntimeVolume } from '../ports/runtime-driver.ts';
import type { ScrubControl } from '../ports/scrub.ts';
import type { PlanName } from '../ports/teams.ts';
import type { AuditTarget } from './admin-audit.ts';
import type {
  AdminMethod,
  AdminMethods,
  AdminStatus,
  KeyRotationView,
  PresetName,
} from './admin-methods.ts';
import type { IdPrefix } from './ids.ts';
import type { NewToken } from './token-secret.ts';

export interface AdminDeps {
  readonly metadata: Pick<
    Metadata,
    'teams' | 'projects' | 'tokens' | 'trustPolicies' | 'repositories' | 'keys' | 'writer'
  >;
  readonly clock: Clock;
  readonly newId: (prefix: IdPrefix) => string;
  readonly newToken: () => NewToken;
  readonly presets: TrustPresets;
  readonly keys: KeyRotation;
  /** The plan of teams that are made without one. */
  readonly plan: PlanName;
  readonly status: () => AdminStatus;
  readonly collectionPlans: CollectionPlanner;
  readonly collections: Collections;
  readonly scrub: ScrubControl;
  /** Undefined: no container engine is here. */
  readonly volumes: () => StrayVolumes | undefined;
  /** Each call of `handle` that would change something, done or refused. */
  readonly audit?: (entry: AuditEntry) => void;
}

/** Collections that operators begin. */
export interface Collections {
  /** Or joins the one under way. */
  begin(): CollectionState;
  /** Undefined: there was none, or it is forgotten. */
  state(id: string): CollectionState | undefined;
  ended(id: string): Promise<void>;
  /** Whether this process goes on after the call. */
  readonly goesOn: boolean;
}

/** What the container engine holds. Rejects where the engine is away. */
export interface StrayVolumes {
  unknown(): Promise<readonly RuntimeVolume[]>;
  usage(id: string): Promise<number | undefined>;
  /** False: what is in use goes later. Never rejects. */
  removed(id: string): Promise<boolean>;
}

/** The installation's own keys. */
export interface KeyRotation {
  rotate(purpose: KeyPurpose, options: { now?: boolean }): Promise<KeyRotationView>;
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
