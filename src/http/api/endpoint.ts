import type { Request, Response } from 'express';
import { anonymous } from '../../auth/authorizer.ts';
import type { Identity } from '../../ports/identity.ts';
import { toErrorInfo } from '../errors.ts';
import { usernameOf } from '../rate-limits.ts';
import { grantAccess, type Places } from './access.ts';
import type { ApiServices } from './api-services.ts';
import { etagOf, names, preconditionFailed } from './etag.ts';
import type { Call, Reply, Route } from './route.ts';
import { type ObjectSchema, object } from './schema.ts';
import { sendReply } from './send.ts';
import { Turns } from './turns.ts';
import { validate } from './validate.ts';

const noQuery = object({});
/** Of changes that depend on what they change: between the look and the change there is no other of them. */
const turns = new Turns();

/**
 * One route as Express calls it. `reader`: the GET of the same path, which knows what an ETag is of.
 * `readBody`: for bodies that are too large to be taken from strangers.
 */
export function createEndpoint(
  services: ApiServices,
  route: Route,
  reader: Route | undefined,
  readBody?: (req: Request, res: Response) => Promise<void>,
) {
  const params = paramsSchema(route);
  return async (req: Request, res: Response): Promise<void> => {
    const started = performance.now();
    const { origins, principals, audit, limits } = services;
    const address = origins.clientAddress(req);
    const requestId = String(res.getHeader('X-Request-Id') ?? '');
    let identity: Identity = anonymous;
    let places: Places = {};
    let failure: unknown;
    try {
      const { authorization } = req.headers;
      const identified = () => principals.identify(req);
      identity =
        authorization === undefined
          ? await identified()
          : await limits.loggingIn(res, address, usernameOf(authorization), identified);
      const budget = route.method === 'GET' ? 'apiReads' : 'apiWrites';
      await limits.take(budget, res, identity, address);
      // A refusal of who knows the place belongs in its team's log.
      places = await grantAccess(services, identity, route.access, named(req.params), (known) => {
        places = known;
      });
      const query = queryOf(req);
      validate(params, named(req.params), 'path');
      validate(route.query ?? noQuery, query, 'query');
      await readBody?.(req, res);
      const body = route.body ? ((req.body as unknown) ?? {}) : undefined;
      if (route.body) validate(route.body, body, 'body');
      const call = {
        ...{ req, res, services, identity, address, requestId, query, body },
        params: named(req.params),
        ...places,
      } as Call;
      const conditional = req.headers['if-match'] !== undefined && route.method !== 'GET';
      const reply = await (conditional
        ? turns.take(route.path, async () => {
            // What was found before may have changed while it waited.
            const found = await grantAccess(services, identity, route.access, call.params);
            const now = { ...call, ...found } as Call;
            await checkPrecondition(now, reader);
            return perform(now, route);
          })
        : perform(call, route));
      if (reply) send(req, res, reply, route);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      const info = failure === undefined ? undefined : toErrorInfo(failure);
      const took = performance.now() - started;
      services.metrics.observe(`api:${route.operationId}`, route.method, res.statusCode, took);
      if (route.method !== 'GET' && !route.unaudited) {
        audit.record({
          ...{ identity, address, requestId },
          action: route.operationId,
          target: withoutSecrets(req.originalUrl.split('?', 1)[0]!).slice(0, 512),
          teamId: places.team?.id,
          projectId: places.project?.id,
          result: info?.kind ?? 'ok',
          reason: info?.message,
        });
      }
    }
  };
}

/** Where somebody pasted a token for its id. */
function withoutSecrets(path: string): string {
  return path.replace(/(gnts?_)[\w-]+/g, '$1…');
}

async function perform(call: Call, route: Route): Promise<Reply | undefined> {
  const key = call.req.headers['idempotency-key'];
  if (!route.idempotent || key === undefined) return route.handle(call);
  const request = {
    key: String(key),
    caller: call.identity.id,
    route: `${route.method} ${(call.req as Request).originalUrl}`,
    content: JSON.stringify(call.body ?? null),
  };
  return call.services.idempotency.once(request, () => route.handle(call));
}

/** RFC 9110, 13.1.1: a change that was made to another version is not applied. */
async function checkPrecondition(call: Call, reader: Route | undefined): Promise<void> {
  const header = call.req.headers['if-match']!;
  const current = reader && (await reader.handle({ ...call, query: {}, body: undefined }));
  if (!current || !names(header, etagOf(JSON.stringify(current.body)), false)) {
    throw preconditionFailed();
  }
}

function send(req: Request, res: Response, reply: Reply, route: Route): void {
  if (reply.body === undefined) return void sendReply(res, reply, undefined);
  const json = JSON.stringify(reply.body);
  if (route.method !== 'GET' || reply.status !== 200) return void sendReply(res, reply, json);
  const etag = etagOf(json);
  const headers = { ...reply.headers, ETag: etag };
  const known = req.headers['if-none-match'];
  if (known !== undefined && names(known, etag, true)) {
    return void sendReply(res, { status: 304, headers }, undefined);
  }
  sendReply(res, { ...reply, headers }, json);
}

/** Express gives wildcard parameters as lists; there are none here. */
function named(params: Request['params']): Record<string, string> {
  return params as Record<string, string>;
}

function queryOf(req: Request): Record<string, unknown> {
  const mark = req.originalUrl.indexOf('?');
  const query: Record<string, unknown> = {};
  if (mark < 0) return query;
  const search = new URLSearchParams(req.originalUrl.slice(mark + 1));
  for (const name of new Set(search.keys())) {
    const values = search.getAll(name);
    Object.defineProperty(query, name, {
      value: values.length === 1 ? values[0] : values,
      ...{ enumerable: true, writable: true, configurable: true },
    });
  }
  return query;
}

/** Places are found, not validated: a name that cannot be is simply not there. */
function paramsSchema(route: Route): ObjectSchema {
  const place = { type: 'string', maxLength: 255 } as const;
  const all = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  return object(Object.fromEntries(all.map((name) => [name, route.params?.[name] ?? place])));
}
