import type { LiveSession } from '../../../auth/sessions.ts';
import { refuse } from '../../../oci/errors.ts';
import type { Session } from '../../../ports/sessions.ts';
import { recordingSignIn } from '../../sign-in-record.ts';
import { wholePerson } from '../caller.ts';
import { type Call, created, noContent, ok, type Route } from '../route.ts';
import { list, nullable, object, text, time, toTime } from '../schema.ts';

const fields = {
  id: { type: 'string' },
  address: nullable({ type: 'string', description: 'Of the browser, when it signed in.' }),
  userAgent: nullable({ type: 'string' }),
  createdAt: time,
  lastSeenAt: time,
  idleAt: { ...time, description: 'When it ends if it is not used again.' },
  expiresAt: { ...time, description: 'When it ends however much it is used.' },
} as const;
const sessionItem = object(
  { ...fields, current: { type: 'boolean', description: 'It is that of this request.' } },
  { title: 'SessionItem' },
);
const session = object(
  {
    ...fields,
    csrfToken: {
      type: 'string',
      description: 'For X-CSRF-Token, which every request but GET needs beside the cookie.',
    },
    accountId: nullable({ type: 'string' }),
    actor: { type: 'string', description: "The person's name, or the token's." },
  },
  { title: 'Session' },
);

const tag = 'Signing in';

export const sessionRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/session',
    operationId: 'getSession',
    tag,
    summary: "The browser's session, with the token that its changes need.",
    access: { at: 'signed-in' },
    refusals: [404],
    replies: { 200: { description: 'The session.', schema: session } },
    async handle({ req, services }) {
      const live = await services.cookies.current(req);
      if (live && req.headers.authorization === undefined) return ok(viewOf(live));
      throw refuse(
        'not-found',
        'This request has no session: it came with a token.',
        'Sessions are for browsers: /signin.',
      );
    },
  },
  {
    method: 'POST',
    path: '/session',
    operationId: 'createSession',
    tag,
    summary: 'Signs a browser in with a token.',
    description:
      'The answer sets the cookie. A browser that has a session already sends X-CSRF-Token, and that session ends.',
    access: { at: 'public' },
    body: object({ token: text(255, { description: 'A token (gnt_…) of a person or a team.' }) }),
    // By itself: with who signed in, or why not.
    unaudited: true,
    replies: { 201: { description: 'Signed in.', schema: session } },
    async handle({ req, res, body, services }) {
      const { cookies } = services;
      // What is no browser may sign in; a page of another site may not sign somebody in as its own user.
      if (req.headers.origin !== undefined || req.headers['sec-fetch-site'] !== undefined) {
        cookies.requireSameOrigin(req);
      }
      const { token } = body as { token: string };
      const live = await recordingSignIn(services, req, 'session', () =>
        cookies.begin(req, res, (visitor) => cookies.sessions.openByToken(token, visitor)),
      );
      return created(viewOf(live), '/session');
    },
  },
  {
    method: 'DELETE',
    path: '/session',
    operationId: 'deleteSession',
    tag,
    summary: 'Signs the browser out.',
    access: { at: 'signed-in' },
    replies: { 204: { description: 'Signed out; the cookie is taken away.' } },
    async handle({ req, res, services }) {
      await services.cookies.end(req, res);
      return noContent;
    },
  },
  {
    method: 'GET',
    path: '/sessions',
    operationId: 'listSessions',
    tag,
    summary: "The caller's sessions: where somebody is signed in with this account.",
    access: { at: 'signed-in' },
    replies: {
      200: {
        description: 'All of them, newest first.',
        schema: object({ items: list(sessionItem) }, { title: 'SessionList' }),
      },
    },
    async handle({ req, identity, services }) {
      const { sessions } = services.cookies;
      const current = await services.cookies.current(req);
      const own = await sessions.list(identity);
      const items = own.map((one) => ({
        ...common(one, sessions.idleAt(one)),
        current: one.id === current?.session.id,
      }));
      return ok({ items });
    },
  },
  {
    method: 'DELETE',
    path: '/sessions/{session}',
    operationId: 'endSession',
    tag,
    summary: "Ends one of the caller's sessions, wherever it is open.",
    description: 'A token with limits ends only those that it began.',
    access: { at: 'signed-in' },
    params: { session: { type: 'string', maxLength: 64, description: "The session's id." } },
    refusals: [404],
    replies: { 204: { description: 'It has ended.' } },
    async handle(call: Call) {
      const { params, identity, services } = call;
      const { sessions } = services.cookies;
      const id = params.session ?? '';
      const own = (await sessions.list(identity)).find((session) => session.id === id);
      if (own && own.tokenId !== identity.id && identity.accountId !== undefined) {
        if ((await wholePerson(call)) === undefined) {
          throw refuse(
            'denied',
            `${identity.actor} may do less than the person, and may not end a session that it did not begin.`,
            'Use a token without limits, or sign in.',
          );
        }
      }
      await sessions.end(identity, id);
      return noContent;
    },
  },
];

function viewOf({ session, identity, csrfToken, idleAt }: LiveSession) {
  return {
    ...common(session, idleAt),
    csrfToken,
    accountId: identity.accountId ?? null,
    actor: identity.actor,
  };
}

function common(session: Session, idleAt: number) {
  return {
    id: session.id,
    address: session.address ?? null,
    userAgent: session.userAgent ?? null,
    createdAt: toTime(session.createdAt),
    lastSeenAt: toTime(session.lastSeenAt),
    idleAt: toTime(idleAt),
    expiresAt: toTime(session.expiresAt),
  };
}
