import type { RestoreReport } from '../maintenance/backup/restore-backup.ts';
import { time } from './table.ts';

/** Of each kind; `--json` has all. */
const most = 20;

/** Whom a restore lets in again, for people: nobody looks for what was revoked unless it is said. */
export function showCredentials({
  credentials,
  tokensRevoked,
  restored,
  takenAt,
}: Pick<RestoreReport, 'credentials' | 'tokensRevoked' | 'restored' | 'takenAt'>): string {
  const { tokens, policies, accounts } = credentials;
  const ends = (expiresAt: number | undefined) => (expiresAt ? `, until ${time(expiresAt)}` : '');
  const state = tokensRevoked ? 'were good, and are revoked' : 'good';
  const lines = [
    `tokens    ${tokens.length} ${state}`,
    ...some(tokens, (one) => {
      const uses = `last used ${time(one.lastUsedAt)}${ends(one.expiresAt)}`;
      return `${one.id}  ${one.name}  ${one.owner}, ${one.scope}, ${uses}`;
    }),
    `policies  ${policies.length} of trust`,
    ...some(policies, ({ id, name, team, issuer }) => `${id}  ${name}  team ${team}, ${issuer}`),
    `accounts  ${accounts.length}`,
    ...some(accounts, ({ name, operator }) => (operator ? `${name}, operator` : name)),
  ];
  return `${lines.join('\n')}\n${advice(takenAt, restored, tokensRevoked)}`;
}

function some<T>(all: readonly T[], show: (one: T) => string): string[] {
  const more = all.length - most;
  const shown = all.slice(0, most).map((one) => `  ${show(one)}`);
  return more > 0 ? [...shown, `  and ${more} more: --json`] : shown;
}

function advice(takenAt: number, restored: boolean, tokensRevoked: boolean): string {
  const since = `after ${time(takenAt)}`;
  if (tokensRevoked) {
    return `
Make new tokens: npx gantry admin token create. Trust policies and accounts that were removed ${since}
are there again: npx gantry admin policy list, account list.
`;
  }
  const done = restored
    ? 'npx gantry admin token revoke, policy delete, account delete.'
    : 'a restore with --revoke-tokens revokes all tokens.';
  return `
WARNING: tokens that were revoked and trust policies and accounts that were removed ${since}
are good again with this backup. Look through them, and take them back once more: ${done}
`;
}
