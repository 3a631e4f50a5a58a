import { browsers, groups } from '../callers.ts';
import type { Rows } from '../row.ts';
import type { Place } from '../world.ts';

/** Everybody but who signed in: it is nobody else's to end. */
const notTheirs = Object.fromEntries(
  groups.signedIn
    .filter((caller) => caller !== 'owner')
    .map((caller) => [caller, [404, 'the session of another'] as const]),
);
const tokenOf = (place: Place) => ({ token: place.owner.replace('Bearer ', '') });

export const signInRows: Rows = {
  listIssuedTokens: { at: 'team', may: groups.manageTeam },
  revokeIssuedToken: {
    at: 'team',
    may: groups.manageTeam,
    sample: async (place) => ({ params: { token: await place.exchange() } }),
  },

  // Callers come with tokens, and have no session, but for browsers.
  getSession: {
    ...{ at: 'signed-in', may: groups.signedIn, answers: 404 },
    exceptions: Object.fromEntries(browsers.map((name) => [name, [200, 'has one'] as const])),
  },
  simulatePolicies: {
    ...{ at: 'team', may: groups.manageTeam },
    sample: () => ({ body: { claims: { sub: 'org/app' } } }),
    bodies: ({ name }) => [{ claims: {}, repository: name }],
  },
  createOidcToken: {
    ...{ at: 'project', may: groups.push },
    sample: () => ({ body: { environment: 'production' } }),
  },
  createSession: {
    ...{ at: 'public', may: groups.signedIn, answers: 201 },
    sample: (place) => ({ body: tokenOf(place) }),
  },
  deleteSession: { at: 'signed-in', may: groups.signedIn, answers: 204 },
  listSessions: { at: 'signed-in', may: groups.signedIn },
  endSession: {
    ...{ at: 'signed-in', may: groups.signedIn, answers: 204, exceptions: notTheirs },
    sample: async (place, make) => {
      const { id } = await make(place, 'POST', '/session', tokenOf(place));
      return { params: { session: String(id) } };
    },
  },
};
