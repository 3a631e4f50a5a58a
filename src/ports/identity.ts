import type { RefreshCredential } from './tokens.ts';
import type { Action } from './trust-policies.ts';

/** What an identity may do in one team. */
export interface Grant {
  readonly teamId: string;
  /** Project ids, or undefined for all projects of the team. */
  readonly projectIds: readonly string[] | undefined;
  readonly actions: readonly Action[];
}

/** Who asks. Anonymous callers have no grants: they see what is public. */
export interface Identity {
  /** Stable over logins with one credential; upload sessions are bound to it. */
  readonly id: string;
  readonly kind: 'anonymous' | 'token' | 'oidc' | 'session' | 'pull';
  /** The person, where it is one. */
  readonly accountId?: string | undefined;
  /** May make teams and accounts, and sees the whole audit log. */
  readonly operator?: boolean | undefined;
  /** For logs and events: a token's name, a JWT's subject. Never a secret. */
  readonly actor: string;
  readonly grants: readonly Grant[];
  /** UTC milliseconds after which the credential no longer stands. */
  readonly expiresAt: number | undefined;
  /** What it stands for, to be asked again later; undefined for anonymous callers. */
  readonly credential: RefreshCredential | undefined;
}
