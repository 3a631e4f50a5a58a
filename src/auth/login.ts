import type { Clock } from '../ports/clock.ts';
import type { Identity } from '../ports/identity.ts';
import { acceptedIdentity } from './credential-identities.ts';
import type { Identities } from './identities.ts';
import type { MintedCredentials } from './minted-credentials.ts';
import type { OidcVerifier } from './oidc-verifier.ts';

export type LoginResult = { identity: Identity } | { refused: string };

const wrongUsername =
  'The username must be the team\'s id (team_…), or "oidc" with a JWT as the password: docker login --username team_… --password-stdin';
const teamId = /^team_[0-9a-z-]{1,64}$/i;

/**
 * A username and password as `docker login` sends them: `oidc` (or `oidc:<team id>`) and a JWT, or a
 * team's id and a token; or what was minted for a pull or a service's role. Rejects with `unavailable` where an issuer's keys cannot be had.
 */
export function createLogin(deps: {
  identities: Identities;
  oidc: Pick<OidcVerifier, 'verify'>;
  clock: Clock;
  minted?: Pick<MintedCredentials, 'identify'>;
  used: (tokenId: string) => void;
}): (username: string, password: string) => Promise<LoginResult> {
  return async (username, password) => {
    if (password === '') return { refused: 'The password is empty: give a token or a JWT.' };
    const jwt = parseOidc(username, password);
    if (jwt) return byJwt(deps.oidc, jwt.team, jwt.token);
    const minted = await deps.minted?.identify(username, password);
    if (minted) return { identity: minted };
    // What was sent is not said again: people put tokens and passwords here by mistake, and this is logged.
    if (!teamId.test(username)) return { refused: wrongUsername };
    const lookup = await deps.identities.byTokenSecret(username, password);
    if ('identity' in lookup && lookup.identity.credential?.type === 'token') {
      deps.used(lookup.identity.credential.tokenId);
    }
    return lookup;
  };
}

/**
 * `oidc` or `oidc:<team id>` and a JWT. Basic splits at the first colon, so there the team arrives at the
 * head of the password; a JWT itself has no colon.
 */
function parseOidc(
  username: string,
  password: string,
): { team: string | undefined; token: string } | undefined {
  if (username.startsWith('oidc:')) return { team: username.slice(5), token: password };
  if (username !== 'oidc') return undefined;
  const colon = password.indexOf(':');
  return colon < 0
    ? { team: undefined, token: password }
    : { team: password.slice(0, colon), token: password.slice(colon + 1) };
}

async function byJwt(
  oidc: Pick<OidcVerifier, 'verify'>,
  team: string | undefined,
  jwt: string,
): Promise<LoginResult> {
  const result = await oidc.verify(jwt, { teamId: team });
  if (!result.ok) return { refused: result.message };
  return { identity: acceptedIdentity(result) };
}
