import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { refuse } from '../oci/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { Identity } from '../ports/identity.ts';
import type { Session, Sessions } from '../ports/sessions.ts';
import { hashSecret, type Identities } from './identities.ts';

/** A session that stands, and who it is now. */
export interface LiveSession {
  readonly session: Session;
  readonly identity: Identity;
  /** What a page sends back to show that a request is its own. */
  readonly csrfToken: string;
  /** When it ends if it is not used again. */
  readonly idleAt: number;
}

export interface BrowserSessionsDeps {
  readonly sessions: Sessions;
  readonly identities: Identities;
  readonly writer: CommandWriter;
  readonly clock: Clock;
  readonly newId: () => string;
  /** How long one may rest, and how long it may last. */
  readonly idleMs: number;
  readonly lifetimeMs: number;
}

export interface Visitor {
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

/** Not every request writes that it came. */
const touchEveryMs = 60_000;
const secretShape = /^gnts_[A-Za-z0-9_-]{43}$/;

/** Sessions of browsers: a random secret in a cookie, its SHA-256 in the database, and nothing cached. */
export class BrowserSessions {
  readonly #deps: BrowserSessionsDeps;

  constructor(deps: BrowserSessionsDeps) {
    this.#deps = deps;
  }

  get lifetimeMs(): number {
    return this.#deps.lifetimeMs;
  }

  /** Always a new secret: one that was known before signing in is good for nothing after it. */
  async open(
    owner: { accountId?: string | undefined; tokenId?: string | undefined },
    { address, userAgent }: Visitor,
  ): Promise<{ secret: string; live: LiveSession }> {
    const { writer, clock, newId, lifetimeMs, idleMs } = this.#deps;
    const secret = `gnts_${randomBytes(32).toString('base64url')}`;
    const now = clock.now();
    const session: Session = {
      id: newId(),
      accountId: owner.accountId,
      tokenId: owner.tokenId,
      address,
      userAgent: userAgent?.slice(0, 255),
      createdAt: now,
      lastSeenAt: now,
      expiresAt: now + lifetimeMs,
    };
    await writer.run('CreateSession', {
      session,
      hash: hashSecret(secret),
      idleBefore: now - idleMs,
    });
    const live = await this.#live(session, secret);
    if (!live) throw refuse('unauthorized', 'The account is gone.', 'Sign in again.');
    return { secret, live };
  }

  /** Signs in with a token. Rejects with `unauthorized`, saying why to who holds it. */
  async openByToken(
    secret: string,
    visitor: Visitor,
  ): Promise<{ secret: string; live: LiveSession }> {
    const lookup = await this.#deps.identities.bySecret(secret);
    if ('refused' in lookup) {
      throw refuse('unauthorized', lookup.refused, 'Make a new token, or sign in another way.');
    }
    const { id, accountId } = lookup.identity;
    if (lookup.identity.credential?.type === 'issued') {
      throw refuse(
        'unauthorized',
        'Tokens of CI jobs sign nobody in.',
        'Use a token that a person or a team made.',
      );
    }
    return this.open({ accountId, tokenId: id }, visitor);
  }

  /** Undefined: there is none, or it has ended, or what it stands on has. */
  async find(secret: string): Promise<LiveSession | undefined> {
    if (!secretShape.test(secret)) return undefined;
    const { sessions, clock, idleMs, writer } = this.#deps;
    const session = await sessions.findByHash(hashSecret(secret));
    const now = clock.now();
    if (!session || session.expiresAt <= now || session.lastSeenAt + idleMs <= now) {
      return undefined;
    }
    const live = await this.#live(session, secret);
    if (live && now - session.lastSeenAt >= touchEveryMs) {
      // Whether this is written down in time matters to no one who waits.
      writer.run('TouchSession', { id: session.id, at: now }).catch(() => {});
    }
    return live;
  }

  /** Of the person, or of the token of a team that the identity is. */
  async list(identity: Identity): Promise<Session[]> {
    const owner = ownerOf(identity);
    if (!owner) return [];
    const { sessions, clock, idleMs } = this.#deps;
    const now = clock.now();
    const all = await sessions.list(owner);
    return all.filter((one) => one.expiresAt > now && one.lastSeenAt + idleMs > now);
  }

  idleAt(session: Session): number {
    return Math.min(session.lastSeenAt + this.#deps.idleMs, session.expiresAt);
  }

  /** Rejects with `not-found` for one that is not the identity's own. */
  async end(identity: Identity, id: string): Promise<void> {
    const own = await this.list(identity);
    if (!own.some((session) => session.id === id)) {
      throw refuse('not-found', 'You have no such session.', 'GET /api/v1/sessions lists them.');
    }
    await this.#deps.writer.run('EndSession', { id });
  }

  /** Without a word where there is none. */
  async close(secret: string): Promise<void> {
    const session = await this.#deps.sessions.findByHash(hashSecret(secret));
    if (session) await this.#deps.writer.run('EndSession', { id: session.id });
  }

  async #live(session: Session, secret: string): Promise<LiveSession | undefined> {
    const { identities } = this.#deps;
    const identity =
      session.tokenId !== undefined
        ? await identities.byTokenId(session.tokenId)
        : await identities.byAccount(session.accountId!);
    if (!identity) return undefined;
    return { session, identity, csrfToken: csrfTokenOf(secret), idleAt: this.idleAt(session) };
  }
}

function ownerOf({ accountId, id, kind }: Identity) {
  if (accountId !== undefined) return { accountId };
  return kind === 'token' ? { tokenId: id } : undefined;
}

/** Made of the cookie, which a forging page cannot read; the cookie cannot be made of it. */
function csrfTokenOf(secret: string): string {
  return createHash('sha256').update(`csrf\n${secret}`).digest('base64url');
}

/** In a time that says nothing of either. */
export function sameText(a: string, b: string): boolean {
  const [one, other] = [a, b].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(one!, other!);
}
