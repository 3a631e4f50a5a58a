import type { AdminDeps } from './admin-context.ts';

/** What a call was about, as far as its parameters say: ids and names, never a secret. */
export interface AuditTarget {
  /** Such as `acme/web`, `tok_…`, `acme ada@example.com`. */
  readonly target: string | undefined;
  readonly teamId: string | undefined;
}

const naming = [
  'team',
  'slug',
  'project',
  'account',
  'repository',
  'token',
  'policy',
  'volume',
  'name',
  'purpose',
];

/** Asked before the call: what it removes is still there. */
export async function targetOf(
  { metadata }: Pick<AdminDeps, 'metadata'>,
  params: unknown,
): Promise<AuditTarget> {
  const given = (params ?? {}) as Readonly<Record<string, unknown>>;
  const names = naming.map((name) => given[name]).filter((value) => typeof value === 'string');
  const target = names.join(' ').slice(0, 512) || undefined;
  return { target, teamId: await teamIdOf(metadata, given) };
}

async function teamIdOf(
  { teams, tokens, trustPolicies }: AdminDeps['metadata'],
  { team, project, repository, token, policy }: Readonly<Record<string, unknown>>,
): Promise<string | undefined> {
  if (typeof token === 'string') return (await tokens.findById(token))?.teamId;
  if (typeof policy === 'string') return (await trustPolicies.findByIds([policy]))[0]?.teamId;
  const path = repository ?? project;
  const name = team ?? (typeof path === 'string' ? path.split('/')[0] : undefined);
  if (typeof name !== 'string') return undefined;
  return ((await teams.findBySlug(name)) ?? (await teams.findById(name)))?.id;
}
