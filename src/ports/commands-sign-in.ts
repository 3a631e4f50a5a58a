import type { IssuedToken } from './issued-tokens.ts';

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
}
