import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authentication } from '../auth/authenticator.ts';
import { anonymous } from '../auth/authorizer.ts';
import { describe, type ErrorInfo, RegistryError, refuse } from '../oci/errors.ts';
import { maxNameLength, parseRepositoryPath } from '../oci/reference.ts';
import { checkRepositoryName } from '../policy/naming.ts';
import type { Identity } from '../ports/identity.ts';
import { unauthorized } from './access.ts';
import { recordWrite } from './audit-records.ts';
import { type Answer, answerJson, type Context, type Handler } from './context.ts';
import { toErrorInfo } from './errors.ts';
import { deleteBlob, getBlob } from './handlers/blobs.ts';
import { listCatalog, listReferrers, listTags } from './handlers/lists.ts';
import { deleteManifest, getManifest, putManifest } from './handlers/manifests.ts';
import { deleteUpload, getUpload, patchUpload, postUpload, putUpload } from './handlers/uploads.ts';
import { parseRegistryUrl, type RegistryRequest, type RouteName } from './parse-request.ts';
import { type Budget, usernameOf } from './rate-limits.ts';
import { challenge, sendError } from './send-error.ts';
import type { Services } from './services.ts';

type Methods = Readonly<Record<string, Handler>>;

/** Every route with a name, by method (distribution-spec, "Endpoints"). */
export const routes: Readonly<Record<Exclude<RouteName, 'base' | 'catalog'>, Methods>> = {
  manifest: { GET: getManifest, HEAD: getManifest, PUT: putManifest, DELETE: deleteManifest },
  blob: { GET: getBlob, HEAD: getBlob, DELETE: deleteBlob },
  uploads: { POST: postUpload },
  upload: { PATCH: patchUpload, PUT: putUpload, GET: getUpload, DELETE: deleteUpload },
  tags: { GET: listTags },
  referrers: { GET: listReferrers },
};

/** Which rate limit a route comes under. */
const budgets: Readonly<Partial<Record<RouteName, Budget>>> = {
  ...{ manifest: 'manifests', tags: 'manifests', referrers: 'manifests', catalog: 'manifests' },
  ...{ blob: 'blobs', uploads: 'blobs', upload: 'blobs' },
};

/** What a token must allow for a request to this route, as the challenge names it. */
function challengeScope({ method }: IncomingMessage, request: RegistryRequest | undefined) {
  if (!request || request.route === 'base') return undefined;
  if (request.route === 'catalog') return 'registry:catalog:*';
  const actions =
    method === 'GET' || method === 'HEAD'
      ? request.route === 'upload'
        ? 'pull,push'
        : 'pull'
      : method === 'DELETE' && request.route !== 'upload'
        ? 'delete'
        : 'pull,push';
  // A name that is none could carry scopes of its own into the challenge.
  if (!parseRepositoryPath(request.name)) return undefined;
  const scope = `repository:${request.name}:${actions}`;
  const from = request.route === 'uploads' ? request.query.get('from') : null;
  return from && parseRepositoryPath(from) ? `${scope} repository:${from}:pull` : scope;
}

/** Answers everything under `/v2/`: parsed by one pure function, dispatched by table. */
export function createRegistryHandler(services: Services) {
  return async (req: IncomingMessage, res: Answer): Promise<void> => {
    const started = performance.now();
    const request = parseRegistryUrl(req.url ?? '');
    let failure: ErrorInfo | undefined;
    let identity: Identity | undefined;
    services.metrics.active += 1;
    try {
      const { authorization } = req.headers;
      const counted = services.limits.countsLogins && isPassword(authorization);
      const session = counted
        ? await countedLogin(services, authorization, req, res)
        : await services.authenticator.authenticate(authorization);
      if ('failure' in session) throw unauthorized(session.failure, '');
      identity = session.identity;
      const budget = request && budgets[request.route];
      if (budget && services.limits.has(budget)) {
        const address = services.origins.clientAddress(req);
        await services.limits.take(budget, res, session.identity, address);
      }
      await dispatch({ req, res, request, session, services });
    } catch (error) {
      failure = toErrorInfo(error);
      if (failure.kind === 'internal') {
        services.logger.error('request failed', { method: req.method, cause: describe(error) });
      }
      if (failure.kind === 'unauthorized' && !res.headersSent) {
        const scope = challengeScope(req, request);
        challenge(req, res, services, scope, req.headers.authorization !== undefined);
      }
      sendError(req, res, failure);
    } finally {
      services.metrics.active -= 1;
    }
    const took = performance.now() - started;
    services.metrics.observe(request?.route ?? 'none', req.method ?? '', res.statusCode, took);
    logAccess(services, req, res, { request, failure, actor: identity?.actor ?? '', took });
    if (request) recordWrite(services, req, res, { request, failure, identity });
  };
}

/** Registry tokens expire in every long push: only passwords that fail are counted. */
function isPassword(authorization: string | undefined): authorization is string {
  return authorization !== undefined && /^basic /i.test(authorization);
}

async function countedLogin(
  { authenticator, limits, origins }: Services,
  authorization: string,
  req: IncomingMessage,
  res: Answer,
): Promise<Authentication> {
  const from = [origins.clientAddress(req), usernameOf(authorization)] as const;
  await limits.mayLogIn(res, ...from);
  const authentication = await authenticator.authenticate(authorization);
  if ('failure' in authentication) await limits.loginFailed(...from);
  return authentication;
}

async function dispatch(
  context: Omit<Context, 'request' | 'path'> & { request: RegistryRequest | undefined },
): Promise<void> {
  const { req, res, request, session } = context;
  if (!request) throw refuse('not-found', 'There is no such route under /v2/.');
  const method = req.method ?? '';
  if (request.route === 'base') {
    if (method !== 'GET' && method !== 'HEAD') throw wrongMethod(res, ['GET', 'HEAD']);
    if (session.identity.kind === 'anonymous' || session.expired) throw unauthorized();
    res.setHeader('Docker-Distribution-API-Version', 'registry/2.0');
    answerJson(res, 200, {});
    return;
  }
  if (request.route === 'catalog') {
    if (method !== 'GET') throw wrongMethod(res, ['GET']);
    await listCatalog({ ...context, request, path: undefined });
    return;
  }
  const methods = routes[request.route];
  const handler = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (!handler) throw wrongMethod(res, Object.keys(methods));
  const path = parseRepositoryPath(request.name);
  if (!path) {
    const decision = checkRepositoryName(request.name);
    if (!decision.allow) throw new RegistryError(decision.error);
    throw refuse('name-invalid', 'The repository name is not valid.');
  }
  await handler({ ...context, request, path });
}

function wrongMethod(res: ServerResponse, allowed: string[]): RegistryError {
  res.setHeader('Allow', allowed.join(', '));
  return refuse('method-not-allowed', 'This route does not take that method.');
}

/** Reads that went well are counted, not logged: at full rate the log would cost more than the answers. */
function logAccess(
  { logger, origins }: Services,
  req: IncomingMessage,
  res: Answer,
  what: {
    request: RegistryRequest | undefined;
    failure: ErrorInfo | undefined;
    actor: string;
    took: number;
  },
): void {
  const { request, failure, took } = what;
  const read = req.method === 'GET' || req.method === 'HEAD';
  // Every client's first request is refused, to learn where to log in.
  const asked = failure?.kind === 'unauthorized' && what.actor === anonymous.actor;
  const quiet = failure ? asked : read;
  const level = failure && res.statusCode >= 500 ? 'error' : quiet ? 'debug' : 'info';
  if (!logger.writes(level)) return;
  logger[level]('request', {
    requestId: res.requestId,
    method: req.method,
    route: request?.route,
    repository: request?.name.slice(0, maxNameLength) || undefined,
    status: res.statusCode,
    error: failure?.kind,
    reason: failure?.message,
    actor: what.actor || undefined,
    client: origins.clientAddress(req),
    ms: Math.round(took * 10) / 10,
  });
}
