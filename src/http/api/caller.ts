import { isUnlimited } from '../../auth/identities.ts';
import { refuse } from '../../oci/errors.ts';
import type { Token } from '../../ports/tokens.ts';
import type { Call } from './route.ts';

type Caller = Pick<Call, 'identity' | 'services'>;

/** The caller's account. Throws `denied` where the caller is no person. */
export function personOf({ identity }: Pick<Call, 'identity'>): string {
  if (identity.accountId !== undefined) return identity.accountId;
  throw refuse(
    'denied',
    `${identity.actor} is not a person: only accounts have this.`,
    "Sign in, or use an account's token.",
  );
}

/** The token that the caller holds; undefined for who signed in or came by a JWT. */
export async function heldToken({ identity, services }: Caller): Promise<Token | undefined> {
  if (identity.kind !== 'token') return undefined;
  return services.metadata.tokens.findById(identity.id);
}

/** The account, where the caller stands for all that the person may do: signed in, or by a token without limits. */
export async function wholePerson(caller: Caller): Promise<string | undefined> {
  const { accountId, kind } = caller.identity;
  if (accountId === undefined || kind === 'session') return accountId;
  const token = await heldToken(caller);
  return token && isUnlimited(token) ? accountId : undefined;
}
