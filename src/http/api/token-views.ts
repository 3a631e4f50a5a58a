import { parseDuration } from '../../config/units.ts';
import { refuse } from '../../oci/errors.ts';
import type { Project } from '../../ports/projects.ts';
import type { Token, TokenScope } from '../../ports/tokens.ts';
import { newId } from '../../projects/ids.ts';
import { newToken } from '../../projects/token-secret.ts';
import { limitOf } from './paging.ts';
import type { Call } from './route.ts';
import { list, nullable, object, oneOf, text, time, title, toTime } from './schema.ts';

const scope = oneOf('read', 'create', 'write', 'admin');
const shown = {
  id: { type: 'string' },
  name: { type: 'string' },
  scope,
  projects: nullable(
    list(
      { type: 'string' },
      { description: 'The only ones that it is good for, as team/project.' },
    ),
  ),
  state: oneOf('active', 'expired', 'revoked'),
  createdAt: time,
  expiresAt: nullable(time),
  revokedAt: nullable(time),
  lastUsedAt: nullable(time),
} as const;

export const tokenParams = {
  token: { type: 'string', maxLength: 255, description: "The token's id." },
} as const;
export const tokenSchema = object(shown, { title: 'Token' });
export const newTokenSchema = object(
  {
    ...shown,
    token: { type: 'string', description: 'The secret: not stored, and never shown again.' },
    usernames: list(
      object(
        { team: { type: 'string' }, username: { type: 'string' } },
        { title: 'TokenUsername' },
      ),
      { description: 'What goes with it in `docker login`, by team.' },
    ),
  },
  { title: 'NewToken' },
);
export const tokenBody = object(
  {
    name: title,
    scope: {
      ...scope,
      description: 'read pulls; create pushes what is new; write moves tags, too; admin does all.',
    },
    projects: nullable(
      list(text(255), {
        minItems: 1,
        maxItems: 100,
        description: 'Projects as slug, team/project or id; null: all.',
      }),
    ),
    expires: nullable({
      type: 'string',
      format: 'lifetime',
      maxLength: 20,
      description: 'How long it is good for, such as 12h or 90d; null: until it is revoked.',
      examples: ['90d'],
    }),
  },
  { title: 'TokenRequest', optional: ['projects', 'expires'] },
);

export interface TokenRequest {
  readonly name: string;
  readonly scope: TokenScope;
  readonly projects?: readonly string[] | null;
  readonly expires?: string | null;
}

/** A token of the request, with its secret and what is stored of that. */
export function makeToken(
  { name, scope, expires }: TokenRequest,
  owner: Pick<Token, 'teamId' | 'accountId' | 'projectIds'>,
  now: number,
): { token: Token; secret: string; hash: string } {
  const token: Token = {
    ...owner,
    id: newId('tok'),
    name,
    scope,
    createdAt: now,
    expiresAt: expires == null ? undefined : now + parseDuration(expires)!,
    revokedAt: undefined,
    lastUsedAt: undefined,
  };
  return { token, ...newToken() };
}

/** As the API shows them. */
export async function tokenViews({ services }: Pick<Call, 'services'>, tokens: readonly Token[]) {
  const ids = new Set(tokens.flatMap(({ projectIds = [] }) => projectIds));
  const paths = await projectPaths(services, [...ids]);
  const now = services.clock.now();
  return tokens.map((token) => ({
    id: token.id,
    name: token.name,
    scope: token.scope,
    projects: token.projectIds?.map((id) => paths.get(id) ?? id) ?? null,
    state: stateOf(token, now),
    createdAt: toTime(token.createdAt),
    expiresAt: timeOrNull(token.expiresAt),
    revokedAt: timeOrNull(token.revokedAt),
    lastUsedAt: timeOrNull(token.lastUsedAt),
  }));
}

/** `team/project` by id; one that is gone is not in it. */
export async function projectPaths(
  { metadata }: Call['services'],
  ids: readonly string[],
): Promise<Map<string, string>> {
  const projects = ids.length > 0 ? await metadata.projects.findByIds(ids) : [];
  return new Map(projects.map(({ id, teamSlug, slug }) => [id, `${teamSlug}/${slug}`]));
}

/**
 * Ids of what people name as slug (where `teamSlug` is given), team/project or id. Throws `invalid` for
 * what is not there, or not `allowed`: the same words for both.
 */
export async function projectIds(
  { services }: Pick<Call, 'services'>,
  texts: readonly string[] | null | undefined,
  teamSlug: string | undefined,
  allowed: (project: Project) => boolean,
): Promise<string[] | undefined> {
  if (texts == null) return undefined;
  const { projects } = services.metadata;
  const ids = new Set<string>();
  for (const text of texts) {
    const [first = '', second, ...rest] = text.split('/');
    const [byId] = await projects.findByIds([text]);
    const [team, slug] = second === undefined ? [teamSlug, first] : [first, second];
    const project =
      byId ?? (rest.length === 0 && team ? await projects.findBySlugs(team, slug) : undefined);
    if (!project || !allowed(project)) {
      throw refuse(
        'invalid',
        `"projects" in the body names "${text}", and there is no such project.`,
        'Name projects as team/project; GET /api/v1/teams/{team}/projects lists them.',
      );
    }
    ids.add(project.id);
  }
  return [...ids];
}

function stateOf({ revokedAt, expiresAt }: Token, now: number): string {
  if (revokedAt !== undefined) return 'revoked';
  return expiresAt !== undefined && expiresAt <= now ? 'expired' : 'active';
}

const timeOrNull = (at: number | undefined) => (at === undefined ? null : toTime(at));

/** A page of the tokens of a team or of a person, newest first, without their secrets. */
export async function tokenPage(call: Call, owner: { teamId: string } | { accountId: string }) {
  const { cursors, metadata } = call.services;
  const scope = `tokens:${'teamId' in owner ? owner.teamId : owner.accountId}`;
  const [before] = cursors.read(scope, call.query.cursor) ?? [];
  const limit = limitOf(call);
  const rows = await metadata.tokens.page(owner, before as string | undefined, limit + 1);
  const { items, next } = cursors.page(scope, rows, limit, (row) => [row.id]);
  return { items: await tokenViews(call, items), next };
}
