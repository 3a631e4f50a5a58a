import express, { type NextFunction, type Request, type Response, type Router } from 'express';
import { isDeeperThan } from '../../oci/bounded-json.ts';
import { describe, type ErrorInfo, RegistryError, refuse } from '../../oci/errors.ts';
import { createFormLimit } from '../token-endpoint.ts';
import type { ApiServices } from './api-services.ts';
import { atOwner } from './at-owner.ts';
import { createEndpoint } from './endpoint.ts';
import type { Route } from './route.ts';
import { sendApiError } from './send.ts';

const bodyLimit = 2 ** 20;
const deepest = 100;

/** Everything under /api/v1: each route checked, dispatched, answered and audited the same way. */
export function createApiRouter(services: ApiServices, routes: readonly Route[]): Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  const json = jsonReader(bodyLimit);
  const limit = createFormLimit(services);
  const byPath = new Map<string, Route[]>();
  for (const route of routes) {
    const path = route.path.replace(/\{(\w+)\}/g, ':$1');
    byPath.set(path, [...(byPath.get(path) ?? []), route]);
  }
  for (const [path, siblings] of byPath) {
    for (const route of siblings) {
      const method = route.method.toLowerCase() as Lowercase<typeof route.method>;
      // Before a body is read: whoever answers reads it.
      const elsewhere = forwarding(services, route);
      const reads = route.body ? [...elsewhere, limit, requireJson, json] : elsewhere;
      const sibling = siblings.find((one) => one.method === 'GET');
      if (route.bodyLimit === undefined) {
        router[method](path, ...reads, createEndpoint(services, route, sibling));
      } else {
        const readLater = inTurn([limit, requireJson, jsonReader(route.bodyLimit)]);
        router[method](path, ...elsewhere, createEndpoint(services, route, sibling, readLater));
      }
    }
    const allowed = siblings.map(({ method }) => (method === 'GET' ? 'GET, HEAD' : method));
    router.all(path, (req: Request, res: Response) => {
      res.setHeader('Allow', allowed.join(', '));
      const refusal = refuse('method-not-allowed', 'This path does not take that method.', '');
      sendApiError(req, res, refusal.info);
    });
  }
  router.use((req: Request, res: Response) => {
    const message = 'There is no such route.';
    const hint = 'The routes are listed at /api/v1/docs, and in /api/v1/openapi.json.';
    sendApiError(req, res, refuse('not-found', message, hint).info);
  });
  router.use((error: unknown, req: Request, res: Response, _next: NextFunction) => {
    const info = toInfo(error);
    if (info.kind === 'internal') {
      services.logger.error('API request failed', { path: req.path, cause: describe(error) });
    }
    sendApiError(req, res, info);
  });
  return router;
}

type Step = (req: Request, res: Response, next: NextFunction) => void;

/** Leaves requests to the replica that runs functions, where that is another. */
function forwarding({ forwarder }: ApiServices, { operationId }: Route): Step[] {
  const at = atOwner(operationId);
  if (!forwarder || !at) return [];
  const anyway = at === 'better';
  return [(req, res, next) => void forwarder.request(req, res, () => next(), { anyway })];
}

function jsonReader(limit: number): Step {
  return express.json({
    ...{ limit, inflate: false, type: () => true },
    verify: (_req, _res, bytes) => {
      // What is written out again, or walked through, must not be deeper than a stack.
      if (isDeeperThan(bytes, deepest)) {
        throw refuse('invalid', `The body nests deeper than ${deepest} levels.`);
      }
    },
  });
}

function inTurn(steps: readonly Step[]) {
  return async (req: Request, res: Response): Promise<void> => {
    for (const step of steps) {
      await new Promise<void>((resolve, reject) => {
        step(req, res, (error?: unknown) => (error === undefined ? resolve() : reject(error)));
      });
    }
  };
}

/** Undeclared bodies are not guessed at; requests without one may leave the type out. */
function requireJson(req: Request, _res: Response, next: NextFunction): void {
  const type = req.headers['content-type'];
  const empty = req.headers['content-length'] === '0' || !hasBody(req);
  if (empty || /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type ?? '')) {
    next();
    return;
  }
  next(
    refuse(
      'unsupported-media-type',
      `The body must be JSON; its Content-Type is ${type === undefined ? 'missing' : 'another'}.`,
      'Send Content-Type: application/json.',
    ),
  );
}

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || headers['content-length'] !== undefined;
}

/** What Express and its parsers throw, in our words. */
function toInfo(error: unknown): ErrorInfo {
  if (error instanceof RegistryError) return error.info;
  const { status, type, limit } = error as { status?: number; type?: string; limit?: number };
  if (type === 'entity.too.large') {
    const message = `The body has more than the ${limit ?? bodyLimit} bytes that are allowed.`;
    return { kind: 'manifest-too-large', message };
  }
  if (status === 415) {
    return {
      kind: 'unsupported-media-type',
      message: 'The body must be JSON in UTF-8, not compressed.',
    };
  }
  if (status !== undefined && status >= 400 && status < 500) {
    const what =
      type === 'entity.parse.failed' ? 'The body is not JSON.' : 'The request is malformed.';
    return { kind: 'invalid', message: what };
  }
  return {
    kind: 'internal',
    message: 'The API failed.',
    hint: 'The operator finds why in its log.',
  };
}
