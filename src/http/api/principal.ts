import type { IncomingMessage } from 'node:http';
import { parseBasic } from '../../auth/authenticator.ts';
import { anonymous } from '../../auth/authorizer.ts';
import { acceptedIdentity } from '../../auth/credential-identities.ts';
import type { Identities } from '../../auth/identities.ts';
import type { LoginResult } from '../../auth/login.ts';
import type { OidcVerifier } from '../../auth/oidc-verifier.ts';
import { refuse } from '../../oci/errors.ts';
import type { Identity } from '../../ports/identity.ts';

/** A browser's session, as its cookie names it. */
export interface SessionLookup {
  /** Undefined: there is none, or it has ended. Rejects with `denied` where an unsafe request may be forged. */
  find(req: IncomingMessage): Promise<Identity | undefined>;
}

export interface PrincipalsDeps {
  readonly identities: Identities;
  readonly login: (username: string, password: string) => Promise<LoginResult>;
  readonly oidc: OidcVerifier;
  readonly sessions: SessionLookup | undefined;
  readonly used: (tokenId: string) => void;
}

const howToAuthenticate =
  'Send a token: curl -H "Authorization: Bearer gnt_…", or sign in with a browser.';

/** Who calls the API: `Bearer` with a token or a JWT of a trusted issuer, `Basic` as docker has it, or a session. */
export class Principals {
  readonly #deps: PrincipalsDeps;

  constructor(deps: PrincipalsDeps) {
    this.#deps = deps;
  }

  /** Rejects with `unauthorized`, with `denied` for a genuine JWT that no policy takes, with `unavailable`. */
  async identify(req: IncomingMessage): Promise<Identity> {
    const header = req.headers.authorization;
    if (header === undefined) return (await this.#deps.sessions?.find(req)) ?? anonymous;
    const [, scheme = '', value = ''] = /^(\S+) +(\S+) *$/.exec(header) ?? [];
    switch (scheme.toLowerCase()) {
      case 'bearer':
        return value.startsWith('gnt_') ? this.#byToken(value) : this.#byJwt(value);
      case 'basic':
        return this.#byBasic(value);
      default:
        throw unauthorized('The Authorization header must be Bearer or Basic.');
    }
  }

  async #byToken(secret: string): Promise<Identity> {
    const lookup = await this.#deps.identities.bySecret(secret);
    if ('refused' in lookup) throw unauthorized(lookup.refused);
    this.#deps.used(lookup.identity.id);
    return lookup.identity;
  }

  async #byBasic(value: string): Promise<Identity> {
    const credentials = parseBasic(value);
    if (!credentials) throw unauthorized('The Basic credentials are malformed.');
    const login = await this.#deps.login(credentials.username, credentials.password);
    if ('refused' in login) throw unauthorized(login.refused);
    // Of an engine that pulls: it has no business here.
    if (login.identity.kind === 'pull')
      throw unauthorized('These credentials are for a pull alone.');
    return login.identity;
  }

  async #byJwt(jwt: string): Promise<Identity> {
    const result = await this.#deps.oidc.verify(jwt);
    if (result.ok) return acceptedIdentity(result);
    // The token is genuine: who it is, is known, and what it lacks may be told.
    if (result.reason === 'claims') throw refuse('denied', result.message, '');
    throw unauthorized(result.message, '');
  }
}

export function unauthorized(
  message = 'Authentication is required.',
  hint = howToAuthenticate,
): ReturnType<typeof refuse> {
  return refuse('unauthorized', message, hint);
}
