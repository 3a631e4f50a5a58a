import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../ports/clock.ts';
import type { Identity } from '../ports/identity.ts';
import type { InstanceIdentities, PullCredentials } from '../ports/instance-identity.ts';
import { pullIdentity, type RoleCredential, roleIdentity } from './credential-identities.ts';
import type { Issuer } from './issuer.ts';
import type { InstallationKey } from './key-ring.ts';
import { openSigningKey, type SigningKey } from './registry-tokens.ts';

/** The username of credentials for one pull. */
export const pullUsername = 'pull';
/** Usernames of a service's role begin so. */
const rolePrefix = 'GNTR';

const algorithm = 'ES256';
const issuer = 'gantry';
const pullAudience = 'gantry-pull';
const roleAudience = 'gantry-role';

/**
 * How long a pull's credentials are good: a client asks for registry tokens with them until its last layer
 * begins. They cannot be taken back sooner, but for the repository that goes.
 */
export const pullLifetimeMs = 30 * 60_000;
/** As long as the environment's JWT that comes with them: an hour at the most. */
export const roleLifetimeMs = 60 * 60_000;

/**
 * Credentials that nobody keeps: signed here, checked here, and gone when their minutes are over.
 * `keys`: those of registry tokens; tokens of one kind are none of another by their audience.
 */
export class MintedCredentials implements PullCredentials, InstanceIdentities {
  readonly #keys: Iterable<InstallationKey>;
  readonly #clock: Clock;
  readonly #issuer: Pick<Issuer, 'sign'>;
  readonly #opened = new Map<string, SigningKey>();

  constructor(deps: {
    keys: Iterable<InstallationKey>;
    clock: Clock;
    issuer: Pick<Issuer, 'sign'>;
  }) {
    this.#keys = deps.keys;
    this.#clock = deps.clock;
    this.#issuer = deps.issuer;
  }

  async mint(
    pull: Parameters<PullCredentials['mint']>[0],
  ): Promise<{ username: string; password: string }> {
    const { teamId, repositoryId, digest } = pull;
    const claims = { team: teamId, repository: repositoryId, digest };
    const { token } = await this.#sign(claims, pullAudience, pullLifetimeMs);
    return { username: pullUsername, password: token };
  }

  async issue(
    place: Parameters<InstanceIdentities['issue']>[0],
  ): ReturnType<InstanceIdentities['issue']> {
    const { teamId, projectId, environment, service, role } = place;
    const jwt = await this.#issuer.sign(
      { id: teamId, slug: place.teamSlug },
      { id: projectId, slug: place.projectSlug },
      { environment, service, ...(role && { actions: role.actions }) },
    );
    const accessKeyId = `${rolePrefix}${randomBytes(12).toString('hex')}`;
    const { token, key, expiresAt } = await this.#sign(
      {
        jti: accessKeyId,
        ...{ team: teamId, project: projectId, environment, service },
        actions: role?.actions ?? [],
      },
      roleAudience,
      roleLifetimeMs,
    );
    return {
      oidcToken: jwt.token,
      accessKeyId,
      accessKeySecret: secretOf(key, accessKeyId),
      securityToken: token,
      expiresAt: Math.min(expiresAt, jwt.expiresAt),
    };
  }

  /** Who a username and password are that were minted here; undefined: they are none of these, or not any more. */
  async identify(username: string, password: string): Promise<Identity | undefined> {
    if (username === pullUsername) return this.#pull(password);
    if (username.startsWith(rolePrefix)) return this.#role(username, password);
    return undefined;
  }

  async #pull(password: string): Promise<Identity | undefined> {
    const verified = await this.#verify(password, pullAudience);
    if (!verified) return undefined;
    const { team, repository, digest, exp } = verified.claims;
    return pullIdentity({
      type: 'pull',
      teamId: team as string,
      repositoryId: repository as string,
      digest: digest as Digest,
      expiresAt: exp * 1000,
    });
  }

  /** `password`: the secret, a colon and the security token. */
  async #role(username: string, password: string): Promise<Identity | undefined> {
    const colon = password.indexOf(':');
    if (colon < 0) return undefined;
    const verified = await this.#verify(password.slice(colon + 1), roleAudience);
    if (!verified || verified.claims.jti !== username) return undefined;
    const secret = Buffer.from(password.slice(0, colon));
    const expected = Buffer.from(secretOf(verified.key, username));
    if (secret.length !== expected.length || !timingSafeEqual(secret, expected)) return undefined;
    const { team, project, environment, service, actions, exp } = verified.claims;
    return roleIdentity({
      type: 'role',
      teamId: team as string,
      projectId: project as string,
      subject: `${environment}/${service}`,
      actions: actions as RoleCredential['actions'],
      expiresAt: exp * 1000,
    });
  }

  async #sign(claims: Record<string, unknown>, audience: string, lifetimeMs: number) {
    const [first] = this.#keys;
    if (!first) throw new Error('no signing key');
    const issuedAt = Math.floor(this.#clock.now() / 1000);
    const expires = issuedAt + Math.floor(lifetimeMs / 1000);
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: algorithm, kid: first.id, typ: 'JWT' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setIssuedAt(issuedAt)
      .setExpirationTime(expires)
      .sign(this.#open(first).signing);
    return { token, key: first, expiresAt: expires * 1000 };
  }

  async #verify(token: string, audience: string) {
    let signer: InstallationKey | undefined;
    try {
      const { payload } = await jwtVerify(
        token,
        ({ kid }) => {
          for (const key of this.#keys) if (key.id === kid) signer = key;
          if (!signer) throw new Error('unknown key');
          return this.#open(signer).verifying;
        },
        {
          ...{ algorithms: [algorithm], issuer, audience, requiredClaims: ['exp'] },
          currentDate: new Date(this.#clock.now()),
        },
      );
      return { claims: payload as Record<string, unknown> & { exp: number }, key: signer! };
    } catch {
      return undefined;
    }
  }

  #open(key: InstallationKey): SigningKey {
    let opened = this.#opened.get(key.id);
    if (!opened) {
      opened = openSigningKey(key);
      this.#opened.set(key.id, opened);
    }
    return opened;
  }
}

/** Bound to the id: one's secret does not open another's token. */
function secretOf({ bytes }: InstallationKey, accessKeyId: string): string {
  return createHmac('sha256', bytes).update(`role-secret\n${accessKeyId}`).digest('base64url');
}
