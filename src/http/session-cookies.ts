import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type BrowserSessions,
  type LiveSession,
  sameText,
  type Visitor,
} from '../auth/sessions.ts';
import { refuse } from '../oci/errors.ts';
import type { Identity } from '../ports/identity.ts';
import type { SessionLookup } from './api/principal.ts';
import type { Origins } from './origin.ts';

export const sessionCookie = 'gantry_session';
const safeMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

export interface CookieOptions {
  readonly maxAgeSeconds: number;
}

/**
 * The cookies of sessions. Over https they have the `__Host-` prefix, so that no other host below the same
 * domain can set one; over http browsers refuse that prefix.
 */
export class SessionCookies implements SessionLookup {
  readonly sessions: BrowserSessions;
  readonly #origins: Origins;

  constructor(deps: { sessions: BrowserSessions; origins: Origins }) {
    this.sessions = deps.sessions;
    this.#origins = deps.origins;
  }

  /** As an API request has it: unsafe methods must show that they are of our own page. */
  async find(req: IncomingMessage): Promise<Identity | undefined> {
    const live = await this.current(req);
    if (!live) return undefined;
    if (!safeMethods.includes(req.method ?? '')) {
      this.requireSameOrigin(req);
      const sent = req.headers['x-csrf-token'];
      if (typeof sent !== 'string' || !sameText(sent, live.csrfToken)) throw forged();
    }
    return live.identity;
  }

  /** Whose browser this is, without a look at whether the request is forged. */
  async current(req: IncomingMessage): Promise<LiveSession | undefined> {
    const secret = this.read(req, sessionCookie);
    return secret === undefined ? undefined : this.sessions.find(secret);
  }

  /** Rejects with `denied` where another site's page sent the request, or one that does not say which. */
  requireSameOrigin(req: IncomingMessage): void {
    const site = req.headers['sec-fetch-site'];
    if (site !== undefined) {
      if (site === 'same-origin') return;
      throw forged();
    }
    // Browsers send no Sec-Fetch-Site to plain http hosts.
    const { origin } = req.headers;
    if (origin === undefined || origin !== this.#origins.of(req).url) throw forged();
  }

  /** Sets the cookie; a session that the browser had before ends. */
  async begin(
    req: IncomingMessage,
    res: ServerResponse,
    open: (visitor: Visitor) => Promise<{ secret: string; live: LiveSession }>,
  ): Promise<LiveSession> {
    const visitor = {
      address: this.#origins.clientAddress(req),
      userAgent: req.headers['user-agent'],
    };
    const { secret, live } = await open(visitor);
    const before = this.read(req, sessionCookie);
    if (before !== undefined) await this.sessions.close(before);
    const maxAgeSeconds = Math.floor(this.sessions.lifetimeMs / 1000);
    this.write(req, res, sessionCookie, secret, { maxAgeSeconds });
    return live;
  }

  async end(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const secret = this.read(req, sessionCookie);
    if (secret !== undefined) await this.sessions.close(secret);
    this.write(req, res, sessionCookie, '', { maxAgeSeconds: 0 });
  }

  /** A cookie of ours; the first, where somebody managed to set two. */
  read(req: IncomingMessage, name: string): string | undefined {
    const { cookie } = req.headers;
    if (cookie === undefined) return undefined;
    const wanted = `${this.#nameOf(req, name)}=`;
    for (const pair of cookie.split(';')) {
      const text = pair.trim();
      if (text.startsWith(wanted)) return text.slice(wanted.length);
    }
    return undefined;
  }

  /** `value` must be of characters that a cookie may hold. Zero seconds take the cookie away. */
  write(
    req: IncomingMessage,
    res: ServerResponse,
    name: string,
    value: string,
    { maxAgeSeconds }: CookieOptions,
  ): void {
    const secure = this.#isSecure(req) ? '; Secure' : '';
    res.appendHeader(
      'Set-Cookie',
      `${this.#nameOf(req, name)}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax${secure}`,
    );
  }

  #nameOf(req: IncomingMessage, name: string): string {
    return this.#isSecure(req) ? `__Host-${name}` : name;
  }

  #isSecure(req: IncomingMessage): boolean {
    return this.#origins.of(req).url.startsWith('https:');
  }
}

function forged() {
  return refuse(
    'denied',
    'The request came with a session, but does not show that a page of this registry sent it.',
    'Send X-CSRF-Token with the csrfToken of GET /api/v1/session, from a page of the same origin; programs send a token instead: Authorization: Bearer gnt_…',
  );
}
