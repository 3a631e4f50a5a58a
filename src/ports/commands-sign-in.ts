import type { IssuedToken } from './issued-tokens.ts';
import type { Session } from './sessions.ts';
import type { Account } from './teams.ts';

/** Writes of signing in and of issued tokens. */
export interface SignInCommands {
  /** Rows that expired long ago go with it. */
  CreateIssuedToken: {
    args: { token: Omit<IssuedToken, 'revokedAt'>; hash: string };
    result: null;
  };
  /** `revoked` false: there is none, or it was revoked before. */
  RevokeIssuedToken: { args: { id: string; now: number }; result: { revoked: boolean } };
  /** By the SHA-256 of the secret. */
  DropRefreshToken: { args: { hash: string }; result: { dropped: boolean } };

  /** Sessions that have ended by themselves go with it: those past their end, and those idle since `idleBefore`. */
  CreateSession: { args: { session: Session; hash: string; idleBefore: number }; result: null };
  EndSession: { args: { id: string }; result: { ended: boolean } };
  TouchSession: { args: { id: string; at: number }; result: null };
  /**
   * Binds somebody at an OIDC provider to an account, or notes that they came again. Rejects with
   * `conflict` where they, or that account, are bound to another.
   */
  BindSignIn: {
    args: { issuer: string; subject: string; accountId: string; now: number };
    result: null;
  };
  /** Makes an account for somebody at an OIDC provider; its name gets a number where it is taken. */
  CreateSignedInAccount: {
    args: { issuer: string; subject: string; account: Account };
    result: { accountId: string };
  };
}
