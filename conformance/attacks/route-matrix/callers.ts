/**
 * Who asks. `own` is the team whose things are asked for; callers without another word are its team tokens
 * or its members' account tokens.
 */
export const callers = [
  // Nobody, as far as anyone knows.
  'none',
  'wrong',
  'revoked',
  'expired',
  // A trusted issuer's JWT that no policy takes.
  'unmatched-jwt',
  // Good credentials, for something else.
  'foreign-admin',
  'foreign-owner',
  'operator-read',
  // Of the whole team, but good for its other project only.
  'narrowed',
  'read',
  'create',
  'write',
  'admin',
  'ci-pull',
  'viewer',
  'developer',
  'manager',
  'owner',
  // Runs the installation, and is in no team.
  'operator',
  // The manager's browser: as its own page sends requests, without the page's token, and from another site.
  'session',
  'session-no-csrf',
  'session-cross-site',
] as const;

export type CallerName = (typeof callers)[number];

/** May do what the manager may. */
export const browsers: readonly CallerName[] = ['session', 'session-no-csrf', 'session-cross-site'];

/** Whose rights the caller has. */
export const personOf = (caller: CallerName): CallerName =>
  browsers.includes(caller) ? 'manager' : caller;

const unknown: readonly CallerName[] = ['none', 'wrong', 'revoked', 'expired'];

/** Who may, by what a row says. The names are those of actions, of the whole team where it says so. */
export const groups = {
  nobody: [],
  pull: ['read', 'create', 'write', 'admin', 'ci-pull', 'viewer', 'developer', 'manager', 'owner'],
  create: ['create', 'write', 'admin', 'developer', 'manager', 'owner'],
  push: ['write', 'admin', 'developer', 'manager', 'owner'],
  manage: ['admin', 'manager', 'owner'],
  manageTeam: ['admin', 'manager', 'owner', 'operator'],
  pullTeam: [
    ...['read', 'create', 'write', 'admin', 'ci-pull'],
    ...['viewer', 'developer', 'manager', 'owner', 'operator'],
  ] as CallerName[],
  knowTeam: [
    ...['narrowed', 'read', 'create', 'write', 'admin', 'ci-pull'],
    ...['viewer', 'developer', 'manager', 'owner', 'operator'],
  ] as CallerName[],
  /** Accounts alone: robots are nobody. */
  persons: [
    'foreign-owner',
    'operator-read',
    'viewer',
    'developer',
    'manager',
    'owner',
    'operator',
  ],
  signedIn: callers.filter((name) => ![...unknown, ...browsers, 'unmatched-jwt'].includes(name)),
  operator: ['operator'],
} satisfies Record<string, readonly CallerName[]>;

export type Level = 'public' | 'signed-in' | 'operator' | 'team' | 'project' | 'repository';

/** Who may hear that a thing at this level is there at all. */
function knows(level: Level, caller: CallerName): boolean {
  switch (level) {
    case 'public':
    case 'signed-in':
    case 'operator':
      return true;
    case 'team':
      return (groups.knowTeam as readonly CallerName[]).includes(caller);
    case 'project':
    case 'repository':
      return (groups.pull as readonly CallerName[]).includes(caller);
  }
}

export interface Rule {
  readonly at: Level;
  readonly may: readonly CallerName[];
}

/** A change that comes with a browser's cookie, and does not show that our own page sent it. */
const isForged = (caller: CallerName, method: string): boolean =>
  caller !== 'session' && browsers.includes(caller) && method !== 'GET' && method !== 'HEAD';

/** Undefined: passes. Else the refusal's status: whatever is not allowed is denied. */
export function refusalOf(
  { at, may }: Rule,
  asking: CallerName,
  method: string,
): 401 | 403 | 404 | undefined {
  if (isForged(asking, method)) return 403;
  const caller = personOf(asking);
  if (at === 'public' && caller === 'none') return undefined;
  if (unknown.includes(caller)) return 401;
  if (caller === 'unmatched-jwt') return 403;
  if (at === 'public' || may.includes(caller)) return undefined;
  return knows(at, caller) ? 403 : 404;
}

/** The same at a public repository: all the world may know and pull it. */
export function refusalAtPublic(
  { may }: Rule,
  asking: CallerName,
  method: string,
  pulls: boolean,
): 401 | 403 | undefined {
  if (isForged(asking, method)) return 403;
  const caller = personOf(asking);
  if (unknown.includes(caller)) return caller === 'none' && pulls ? undefined : 401;
  if (caller === 'unmatched-jwt') return 403;
  return pulls || may.includes(caller) ? undefined : 403;
}
