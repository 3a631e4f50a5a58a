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
] as const;

export type CallerName = (typeof callers)[number];

const unknown: readonly CallerName[] = ['none', 'wrong', 'revoked', 'expired'];
const strangers: readonly CallerName[] = ['foreign-admin', 'foreign-owner', 'operator-read'];

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
  signedIn: callers.filter((name) => !unknown.includes(name) && name !== 'unmatched-jwt'),
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

/** Undefined: passes. Else the refusal's status: whatever is not allowed is denied. */
export function refusalOf({ at, may }: Rule, caller: CallerName): 401 | 403 | 404 | undefined {
  if (at === 'public' && caller === 'none') return undefined;
  if (unknown.includes(caller)) return 401;
  if (caller === 'unmatched-jwt') return 403;
  if (at === 'public' || may.includes(caller)) return undefined;
  return knows(at, caller) ? 403 : 404;
}

/** The same at a public repository: all the world may know and pull it. */
export function refusalAtPublic(
  { may }: Rule,
  caller: CallerName,
  pulls: boolean,
): 401 | 403 | undefined {
  if (unknown.includes(caller)) return caller === 'none' && pulls ? undefined : 401;
  if (caller === 'unmatched-jwt') return 403;
  return pulls || may.includes(caller) ? undefined : 403;
}

export const isStranger = (caller: CallerName): boolean =>
  strangers.includes(caller) || unknown.includes(caller);
