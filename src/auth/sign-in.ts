import * as oidc from 'openid-client';
import { describe, RegistryError, refuse } from '../oci/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { Sessions } from '../ports/sessions.ts';
import type { OidcLog } from './oidc-keys.ts';
import type { Sealer } from './sealer.ts';

/** The provider at which people sign in, as the operator set it. */
export interface SignInSettings {
  readonly issuer: string;
  readonly clientId: string;
  /** Undefined: a public client, which PKCE alone protects. */
  readonly clientSecret: string | undefined;
  /**
   * Who gets an account at the first sign-in: `example.com` (verified addresses there), `ada@example.com`,
   * `sub:<subject>`, or `*` for everyone whom the provider lets in. Nobody where it is empty.
   */
  readonly allow: readonly string[];
}

export interface SignInDeps {
  readonly settings: SignInSettings;
  readonly sessions: Sessions;
  readonly writer: CommandWriter;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly newAccountId: () => string;
  readonly log: OidcLog;
}

/** What a browser keeps between going to the provider and coming back; sealed. */
interface Flow {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly redirectUri: string;
  readonly returnTo: string;
  readonly startedAt: number;
}

/** What is known of who came back. */
interface Person {
  readonly subject: string;
  /** Verified by the provider. */
  readonly email: string | undefined;
  readonly name: string;
}

const flowMs = 10 * 60_000;
const discoveryFreshMs = 10 * 60_000;
const timeoutSeconds = 10;
const context = 'sign-in';

/** Signing in with OpenID Connect: authorization code, PKCE, state and nonce. */
export class SignIn {
  readonly #deps: SignInDeps;
  #configuration:
    | { readonly value: Promise<oidc.Configuration>; readonly since: number }
    | undefined;

  constructor(deps: SignInDeps) {
    this.#deps = deps;
  }

  /** How long somebody may take at the provider, in milliseconds. */
  readonly flowMs = flowMs;

  /** For people: whom they sign in with. */
  get provider(): string {
    return new URL(this.#deps.settings.issuer).host;
  }

  /** Where to send the browser, and what it keeps meanwhile. Rejects with `unavailable`. */
  async begin(redirectUri: string, returnTo: string): Promise<{ url: string; flow: string }> {
    const configuration = await this.#provider();
    const state = oidc.randomState();
    const nonce = oidc.randomNonce();
    const verifier = oidc.randomPKCECodeVerifier();
    const url = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: 'openid email profile',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    });
    const startedAt = this.#deps.clock.now();
    const flow: Flow = { state, nonce, verifier, redirectUri, returnTo, startedAt };
    return { url: url.href, flow: this.#deps.sealer.seal(JSON.stringify(flow), context) };
  }

  /**
   * Who came back with `query` (`?code=…&state=…`). Rejects with `unauthorized` where the provider's answer
   * is not for this browser or not good, `denied` where the person has no account, `unavailable`.
   */
  async finish(
    query: string,
    sealed: string | undefined,
  ): Promise<{ accountId: string; returnTo: string }> {
    const flow = this.#open(sealed);
    const person = await this.#identify(query, flow);
    const accountId = await this.#accountOf(person);
    return { accountId, returnTo: flow.returnTo };
  }

  async #identify(query: string, flow: Flow): Promise<Person> {
    const configuration = await this.#provider();
    const current = new URL(flow.redirectUri);
    current.search = query;
    try {
      const tokens = await oidc.authorizationCodeGrant(configuration, current, {
        pkceCodeVerifier: flow.verifier,
        expectedState: flow.state,
        expectedNonce: flow.nonce,
        idTokenExpected: true,
      });
      const claims = tokens.claims()!;
      const more =
        claims.email === undefined && configuration.serverMetadata().userinfo_endpoint
          ? await oidc.fetchUserInfo(configuration, tokens.access_token, claims.sub)
          : undefined;
      return personOf({ ...more, ...claims });
    } catch (error) {
      throw this.#explain(error);
    }
  }

  async #accountOf({ subject, email, name }: Person): Promise<string> {
    const { sessions, writer, clock, settings, newAccountId } = this.#deps;
    const { issuer } = settings;
    const now = clock.now();
    const bound = await sessions.findSignIn(issuer, subject);
    if (bound) {
      await writer.run('BindSignIn', { issuer, subject, accountId: bound.id, now });
      return bound.id;
    }
    const known = email === undefined ? [] : await sessions.findByEmail(email, issuer);
    const [only] = known;
    if (only && known.length === 1 && !only.bound) {
      const accountId = only.account.id;
      await writer.run('BindSignIn', { issuer, subject, accountId, now });
      return accountId;
    }
    // An address that belongs to somebody already is no reason to make a second account of it.
    if (known.length === 0 && mayJoin(settings.allow, subject, email)) {
      const account = { id: newAccountId(), name, email, createdAt: now };
      const made = await writer.run('CreateSignedInAccount', { issuer, subject, account });
      return made.accountId;
    }
    throw refuse(
      'denied',
      `You are ${name} at ${this.provider}, and no account of this registry is yours.`,
      'Ask an operator of this registry for an account with your verified e-mail address.',
    );
  }

  #open(sealed: string | undefined): Flow {
    const again = 'Begin again, in one window, and with cookies allowed.';
    if (sealed === undefined) {
      throw refuse('unauthorized', 'This browser did not begin to sign in here.', again);
    }
    let flow: Flow;
    try {
      flow = JSON.parse(this.#deps.sealer.unseal(sealed, context)) as Flow;
    } catch {
      throw refuse('unauthorized', 'What this browser kept of its sign-in is not good.', again);
    }
    const age = this.#deps.clock.now() - flow.startedAt;
    if (age >= 0 && age < flowMs) return flow;
    throw refuse('unauthorized', 'Signing in took longer than ten minutes.', again);
  }

  async #provider(): Promise<oidc.Configuration> {
    const now = this.#deps.clock.now();
    const known = this.#configuration;
    if (known && now >= known.since && now - known.since < discoveryFreshMs) return known.value;
    const value = this.#discover();
    const entry = { value, since: now };
    this.#configuration = entry;
    try {
      return await value;
    } catch (error) {
      if (this.#configuration === entry) this.#configuration = undefined;
      throw this.#explain(error);
    }
  }

  #discover(): Promise<oidc.Configuration> {
    const { issuer, clientId, clientSecret } = this.#deps.settings;
    const url = new URL(issuer);
    return oidc.discovery(
      url,
      clientId,
      undefined,
      clientSecret === undefined ? oidc.None() : oidc.ClientSecretBasic(clientSecret),
      {
        timeout: timeoutSeconds,
        // TLS would do for tokens that come straight from the provider; a signature does for more.
        execute: [
          oidc.enableNonRepudiationChecks,
          ...(url.protocol === 'http:' ? [oidc.allowInsecureRequests] : []),
        ],
      },
    );
  }

  /** What the provider did goes to the log; the person hears what can be done. */
  #explain(error: unknown): RegistryError {
    if (error instanceof RegistryError) return error;
    this.#deps.log.warn('signing in failed at the provider', {
      issuer: this.#deps.settings.issuer,
      cause: describe(error),
      reason: describe((error as Error).cause ?? ''),
    });
    if (error instanceof oidc.AuthorizationResponseError) {
      return refuse(
        'unauthorized',
        error.error === 'access_denied'
          ? `${this.provider} did not let you in, or you did not agree.`
          : `${this.provider} refused to sign you in.`,
        'Try again, or ask who runs that provider.',
      );
    }
    const refused = error instanceof oidc.ResponseBodyError || error instanceof oidc.ClientError;
    const down =
      !refused ||
      /RESPONSE_IS_NOT_CONFORM|TIMEOUT|ABORT/.test(String((error as { code?: string }).code));
    return down
      ? refuse(
          'unavailable',
          `${this.provider} does not answer as it should.`,
          'Try again in a minute.',
        )
      : refuse(
          'unauthorized',
          `The answer of ${this.provider} was not accepted.`,
          'Begin again; if it lasts, the log of this registry has the cause.',
        );
  }
}

function personOf(claims: Readonly<Record<string, unknown>> & { readonly sub: string }): Person {
  const text = (name: string): string | undefined => {
    const value = claims[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const email = claims.email_verified === true ? text('email') : undefined;
  // An address that nobody verified must not look like one: people are added to teams by it.
  const unverified = (text('preferred_username') ?? text('name') ?? claims.sub).split('@', 1)[0]!;
  const name = email ?? unverified;
  const plain = name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '').trim();
  return { subject: claims.sub, email, name: plain.slice(0, 100).trim() || 'somebody' };
}

function mayJoin(allow: readonly string[], subject: string, email: string | undefined): boolean {
  const address = email?.toLowerCase();
  return allow.some((entry) => {
    if (entry === '*') return true;
    if (entry.startsWith('sub:')) return entry.slice(4) === subject;
    const wanted = entry.toLowerCase();
    return wanted.includes('@') ? address === wanted : address?.endsWith(`@${wanted}`) === true;
  });
}
