import type { IncomingMessage } from 'node:http';
import { anonymous } from '../auth/authorizer.ts';
import type { LoginResult } from '../auth/login.ts';
import type { ErrorInfo } from '../oci/errors.ts';
import { parseRepositoryPath } from '../oci/reference.ts';
import type { Identity } from '../ports/identity.ts';
import type { Answer } from './context.ts';
import type { RegistryRequest } from './parse-request.ts';
import type { Services } from './services.ts';

/** A login at the token endpoint. `username`: as it was given. */
export function recordLogin(
  services: Services,
  address: string,
  kind: 'token' | 'oidc' | 'refresh',
  login: LoginResult,
  username?: string,
): void {
  const common = { address, action: 'login', target: kind };
  if ('identity' in login) {
    const { identity } = login;
    const { credential } = identity;
    const teams = new Set(identity.grants.map(({ teamId }) => teamId));
    if (credential?.type === 'pull') teams.add(credential.teamId);
    const teamId = teams.size === 1 ? [...teams][0] : undefined;
    services.audit.record({ ...common, identity, teamId, result: 'ok' });
    return;
  }
  const refusal = { ...common, result: 'unauthorized', reason: login.refused };
  // People put tokens where usernames belong: only what can be nothing else is written down.
  if (kind !== 'token' || !/^team_[0-9a-f]{32}$/.test(username ?? '')) {
    const identity = { ...anonymous, actor: kind === 'token' ? 'unknown' : kind };
    services.audit.record({ ...refusal, identity });
    return;
  }
  void (async () => {
    const team = await services.metadata.teams.findById(username!);
    const identity = { ...anonymous, actor: username! };
    services.audit.record({ ...refusal, identity, teamId: team?.id });
  })().catch(() => services.audit.record({ ...refusal, identity: anonymous }));
}

const actions: Readonly<Record<string, string>> = {
  'PUT manifest': 'manifest.put',
  'DELETE manifest': 'manifest.delete',
  'DELETE blob': 'blob.delete',
};

/** A write under /v2/ that has been answered. What uploads of blobs do shows in the manifests that name them. */
export function recordWrite(
  services: Services,
  req: IncomingMessage,
  res: Answer,
  what: {
    request: RegistryRequest;
    failure: ErrorInfo | undefined;
    identity: Identity | undefined;
  },
): void {
  const { request, failure, identity = anonymous } = what;
  const action = actions[`${req.method} ${request.route}`];
  if (action === undefined) return;
  // Every client's first request is refused, to learn where to log in.
  if (req.headers.authorization === undefined && failure?.kind === 'unauthorized') return;
  const { name, reference } = request;
  const tagged = action !== 'blob.delete' && !reference.includes(':');
  const path = parseRepositoryPath(name);
  const record = {
    identity,
    address: services.origins.clientAddress(req),
    action: tagged && action === 'manifest.delete' ? 'tag.delete' : action,
    target: `${name}${tagged ? ':' : '@'}${reference}`,
    result: failure?.kind ?? 'ok',
    reason: failure?.message,
    requestId: res.requestId,
  };
  void (async () => {
    const { projects, teams } = services.metadata;
    const project = path && (await projects.findBySlugs(path.team, path.project));
    const team = path && !project ? await teams.findBySlug(path.team) : undefined;
    const teamId = project?.teamId ?? team?.id;
    services.audit.record({ ...record, teamId, projectId: project?.id });
  })().catch(() => services.audit.record(record));
}
